// plain: c = a b with the epilogues of matmul.wgsl, for small products on software drivers, where a further launch would cost more
//   than the product. A thread computes a block of 4 x 4 outputs.
//   a: m x k with a[r,s] at r a_row + s a_step, b: k x n with b[s,c] at s b_step + c b_col; c: m x n, row-major.
//   With `summed`, 1 for yes, b's column sums go to sums_at.
{% set operands = 2 %}
{% set named = false %}
{% include "products/store.wgsl" %}
{% include "software/block.wgsl" %}

struct Params {
{% include "products/fields.wgsl" %}
  a_row: u32,
  a_step: u32,
  b_step: u32,
  b_col: u32,
  summed: u32, // 1 for yes
}

override THREADS: u32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let i = flat(id, count) * THREADS + thread;
  let across = (params.n + 3u) / 4u;
  let row0 = (i / across) * 4u;
  let col0 = (i % across) * 4u;
  if row0 >= params.m { return; }

  let a_at = four(row0, params.m) * params.a_row;
  let b_at = four(col0, params.n) * params.b_col;
  {% for r in range(4) %}
  var sums{{ r }} = vec4(0.0);
  {% endfor %}
  var column_sums = vec4(0.0);
  for (var s = 0u; s < params.k; s++) {
    let ahead = s * params.b_step;
    let right = vec4(b[ahead + b_at.x], b[ahead + b_at.y], b[ahead + b_at.z], b[ahead + b_at.w]);
    {% for r in range(4) %}
    sums{{ r }} = fma(vec4(a[s * params.a_step + a_at[{{ r }}]]), right, sums{{ r }});
    {% endfor %}
    column_sums += right;
  }

  // The loop begins at a row that compilers do not know, so that they do not unroll it: that would take long to compile.
  for (var row = row0; row < min(row0 + 4u, params.m); row++) {
    store(row * params.n + col0, col0, nth(row - row0, sums0, sums1, sums2, sums3));
  }
  if params.summed == 1u && row0 == 0u { store_bare(params.sums_at + col0, col0, column_sums); }
}
