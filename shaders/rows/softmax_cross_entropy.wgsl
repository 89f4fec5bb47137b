// softmax_cross_entropy: for each row r with logits x, p = softmax(x), q its masses (contract.wgsl), C = cols,
//   losses[r]    = sum_c q[c] * -ln p[c]
//   dlogits[r,c] = (p[c] * sum_j q[j] - q[c]) * scale     scale: 1, or 1 / the mean's divisor
//   logits, dlogits: rows x cols, row-major; targets: a class id a row, or rows x cols; weights: 1 x cols, where weighted;
//   samples: rows x 1, where sampled; divisor: 1 x 1, where divided; losses: rows x 1; records: one a workgroup.
//   LANES threads share a row, each taking every LANES-th column; ROWS rows share a workgroup and its record.
//   A row that is ignored gives 0 and is not counted; a row without a softmax gives NaN and is.
{% include "common.wgsl" %}
{% include "rows/rows.wgsl" %}
{% include "rows/place.wgsl" %}
{% if subgroups %}{% include "rows/each_row_by_subgroup.wgsl" %}{% else %}{% include "rows/each_row.wgsl" %}{% endif %}
{% if subgroups %}{% include "rows/lanes_by_subgroup.wgsl" %}{% else %}{% include "rows/lanes_by_memory.wgsl" %}{% endif %}
{% include "rows/targets.wgsl" %}
{% include "rows/row_class.wgsl" %}
{% include "rows/record.wgsl" %}
{% include "rows/record_by_memory.wgsl" %}
{% include "rows/contract.wgsl" %}
{% include "rows/bound_weights.wgsl" %}
{% include "rows/head.wgsl" %}

struct Params {
  window: Window,
  contract: Contract,
}

@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(5) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(6) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(7) var<storage, read_write> losses: array<f32>;
@group(0) @binding(8) var<storage, read_write> records: array<Record>;

fn item(at: Place, c: u32) -> f32 {
  return logits[at.start + c];
}
