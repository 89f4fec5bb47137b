// linear_cross_entropy_direct: linear_cross_entropy.wgsl for software drivers: each thread computes the logits of its row
//   by itself.
//   x: m x k, w: k x n, bias: 1 x n; targets: a class id a row, or m x n; dlogits: m x n; losses: m x 1; records: one a
//   workgroup; matrices row-major. LANES is 1. The host defines the constants CLASSES = n and AHEAD.
//   All threads use the same weights. Either each thread reads all of them (AHEAD is 1), or, if the workgroup is one subgroup
//   (shuffled), each lane reads the weights of one of AHEAD steps, and the other lanes take them from it.
{% set records_by_subgroup = shuffled %}
{% include "rows/softmax_cross_entropy.wgsl" %}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;

// The logits are stored in the buffer of their gradient. In a private array they would need loops that drivers unroll, which take
// long to compile.
fn x_of(at: RowThread, c: u32) -> f32 {
  return dlogits[at.start + c];
}

{% if shuffled %}
var<private> subgroup_lane: u32;

// The weights that a lane reads, of one of the AHEAD steps from `first` on. AHEAD is at most the lanes of a subgroup. Lanes behind
// the last step read it again, and no lane uses these weights.
fn weights_ahead(first: u32) -> array<f32, CLASSES> {
  let s = min(first + subgroup_lane % AHEAD, params.k - 1u);
  var ahead: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) { ahead[c] = w[s * CLASSES + c]; }
  return ahead;
}

fn one_ahead(weight: f32, s: u32) -> f32 {
  return subgroupShuffle(weight, s);
}
{% else %}
fn weights_ahead(s: u32) -> array<f32, CLASSES> {
  var ahead: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) { ahead[c] = w[s * CLASSES + c]; }
  return ahead;
}

fn one_ahead(weight: f32, s: u32) -> f32 {
  return weight;
}
{% endif %}

fn rows_of(group: u32, thread: u32) {
  let row = group * ROWS + thread;
  let inside = row < params.m;
  var sums: array<f32, CLASSES>;
  for (var c = 0u; c < CLASSES; c++) { sums[c] = 0.0; }
  let start = min(row, params.m - 1u) * params.k; // threads behind the last row read it again, and write nothing
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
  row_work(RowThread(group, row, row * params.n, select(0u, params.n, inside), inside, 0u, vec2(0u, thread)));
}

@compute @workgroup_size(ROWS)
fn main(
  @builtin(workgroup_id) id: vec3<u32>,
  @builtin(num_workgroups) count: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
{% if shuffled %}
  @builtin(subgroup_invocation_id) lane: u32,
{% endif %}
) {
{% if shuffled %}
  subgroup_lane = lane;
{% endif %}
  rows_of(flat(id, count), thread);
}
