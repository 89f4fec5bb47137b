// matmul_plain: c = a b, then what matmul.wgsl can do with it, four neighbouring outputs a thread: for small products on
//   software drivers, where every launch more costs more than the product.
//   a: m x k with a[r,s] at r a_row + s a_step, b: k x n with b[s,c] at s b_step + c b_col; c: m x n, row-major.
//   With rows = m + 1 the last row holds b's column sums and goes to sums_at.

struct Params {
  rows: u32, // of outputs
  m: u32,
  n: u32,
  k: u32,
  a_row: u32,
  a_step: u32,
  b_step: u32,
  b_col: u32,
  sums_at: u32,
  biased: u32,
  relu: u32,
  masked: u32,
  accumulate: u32,
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
  let row = i / across;
  let col0 = (i % across) * 4u;
  if row >= params.rows { return; }

  let is_product = row < params.m;
  let a_start = select(0u, row * params.a_row, is_product);
  let last = params.n - 1u; // behind the end the last column again, and nothing is written
  var values = vec4(0.0);
  for (var s = 0u; s < params.k; s++) {
    let factor = select(1.0, a[a_start + s * params.a_step], is_product);
    let b_start = s * params.b_step;
    for (var e = 0u; e < 4u; e++) {
      values[e] = fma(factor, b[b_start + min(col0 + e, last) * params.b_col], values[e]);
    }
  }

  let start = select(params.sums_at, row * params.n, is_product);
  for (var e = 0u; e < 4u; e++) {
    let col = col0 + e;
    if col < params.n {
      store(start + col, col, values[e]);
    }
  }
}
