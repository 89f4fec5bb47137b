// linear_cross_entropy_direct: what linear_cross_entropy.wgsl does, for software drivers: a thread computes the logits of its
//   row by itself.
//   x: m x k, w: k x n, bias: 1 x n; targets: a class id a row, or m x n; dlogits: m x n; losses: m x 1; records: one a
//   workgroup; matrices row-major. LANES is 1. CLASSES = n and AHEAD are constants that the host puts in front.
//   All threads use the same weights; how they come by those of AHEAD steps is weights_by_memory.wgsl's or
//   weights_by_subgroup.wgsl's.
{% include "common.wgsl" %}
{% include "rows/rows.wgsl" %}
{% include "rows/lanes_by_memory.wgsl" %}
{% include "rows/targets.wgsl" %}
{% include "rows/row_class.wgsl" %}
{% include "rows/record.wgsl" %}
{% if shuffled %}{% include "rows/record_by_subgroup.wgsl" %}{% else %}{% include "rows/record_by_memory.wgsl" %}{% endif %}
{% include "rows/contract.wgsl" %}
{% include "rows/head.wgsl" %}
{% include "rows/linear_head.wgsl" %}
{% if shuffled %}{% include "rows/weights_by_subgroup.wgsl" %}{% else %}{% include "rows/weights_by_memory.wgsl" %}{% endif %}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;

// The logits lie where their gradient will: loops over a private array would be unrolled, which takes long to compile.
fn item(at: Place, c: u32) -> f32 {
  return dlogits[at.start + c];
}

fn rows_of(group: u32, thread: u32) {
  let row = group * ROWS + thread;
  let inside = row < params.m;
  var sums: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) { sums[c] = 0.0; }
  let start = min(row, params.m - 1u) * params.k; // behind the end the last row again, and nothing is written
  for (var first = 0u; first < params.k; first += AHEAD) {
    let ahead = weights_ahead(first);
    for (var s = 0u; s < min(AHEAD, params.k - first); s++) {
      let factor = x[start + first + s];
      for (var c = 0u; c < CLASSES; c++) { sums[c] = fma(factor, one_ahead(ahead[c], s), sums[c]); }
    }
  }
  if inside {
    for (var c = 0u; c < CLASSES; c++) { dlogits[row * CLASSES + c] = sums[c] + bias[c]; }
  }
  row_work(Place(group, row, row * params.n, select(0u, params.n, inside), inside, 0u, vec2(0u, thread)));
}
