// adam: m = decay1 m + rest1 dw;  v = decay2 v + rest2 dw^2;
//       w = keep w - learning_rate * (m unbias1) / (sqrt(v unbias2) + epsilon)
//   m, v: the moments, `count` values each, in place. Source: Kingma and Ba, 2015, algorithm 1; keep: Loshchilov and
//   Hutter, 2019.
{% include "updates/updates.wgsl" %}

@group(0) @binding(4) var<storage, read_write> m: array<Cell>;
@group(0) @binding(5) var<storage, read_write> v: array<Cell>;

fn element(i: u32) {
  let slope = gradient(i);
  let mean = params.decay1 * from_cell(m[i]) + params.rest1 * slope;
  let square = params.decay2 * from_cell(v[i]) + params.rest2 * slope * slope;
  m[i] = to_cell(mean);
  v[i] = to_cell(square);
  let step = params.learning_rate * (mean * params.unbias1) / (sqrt(square * params.unbias2) + params.epsilon);
  w[i] = to_cell(params.keep * from_cell(w[i]) - step);
}
