// row_weights: out[r] = samples[r] * weights[targets[r]], and 0 for a row that is ignored. A weighted mean divides by the sum of
//   these weights.
//   targets: a class id a row; weights: one a class where weighted, else 1; samples: rows x 1 where sampled, else 1; out:
//   rows x 1, `count` elements. Element by element (elements.wgsl).
{% include "elements/elements.wgsl" %}
{% include "rows/masses.wgsl" %}

struct Params {
  loss: LossParameters,
  count: u32,
  classes: u32,
}

@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(3) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(4) var<storage, read> divisor: array<f32>; // any buffer: nothing is divided here
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

fn element(i: u32) {
  let class_id = targets[i];
  if class_id < params.classes && !is_ignored(class_id, params.classes) {
    out[i] = row_weight(i) * weight(class_id);
  } else {
    out[i] = 0.0;
  }
}
