// nll_backward: dprobs[r,c] = -q[c] / clip(probs[r,c], low, high) * scale, q the row's masses (targets.wgsl);
//                                                                  scale: 1, or 1 / the mean's divisor
//   probs, dprobs: rows x cols, row-major, `count` elements; targets: a class id a row, or rows x cols; weights: 1 x cols,
//   where weighted; samples: rows x 1, where sampled; divisor: 1 x 1, where divided.
//   A class id out of range makes its row NaN; a row that is ignored gives 0. Element by element, as elements.wgsl hands
//   them out.
{% include "elements/elements.wgsl" %}
{% include "rows/targets.wgsl" %}

struct Params {
  contract: Contract,
  count: u32,
  cols: u32,
  first_col: u32, // the number of the first column, where a row comes in pieces
  classes: u32,
  low: f32,
  high: f32,
  nan: f32,
}

@group(0) @binding(1) var<storage, read> probs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>; // any buffer where not weighted
@group(0) @binding(4) var<storage, read> samples: array<f32>; // any buffer where not sampled
@group(0) @binding(5) var<storage, read> divisor: array<f32>; // any buffer where not divided
@group(0) @binding(6) var<storage, read_write> dprobs: array<f32>;

fn element(i: u32) {
  let row = i / params.cols;
  let c = i % params.cols;
  var class_id = 0u;
  if !DISTRIBUTIONS { class_id = targets[row]; }
  let q = row_weight(row) * class_mass(class_id, i - c, c, params.first_col);
  let p = probs[i];
  let slope = -q / clamp(p, params.low, params.high) * gradient_scale();
  // 0 where the class has no mass, whatever p is; NaN where it has one and p is NaN.
  var value = select(0.0, select(slope, params.nan, is_nan(p)), q != 0.0);
  if !DISTRIBUTIONS {
    value = select(select(params.nan, value, class_id < params.classes), 0.0, is_ignored(class_id, params.classes));
  }
  dprobs[i] = value;
}
