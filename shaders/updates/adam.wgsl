// adam: m = decay1 m + rest1 dw;  v = decay2 v + rest2 dw^2;
//       w = keep w - learning_rate * (m unbias1) / (sqrt(v unbias2) + epsilon)
//   m, v: the moments, `count` values each, in place. Source: Kingma and Ba, 2015, algorithm 1; keep: Loshchilov and
//   Hutter, 2019.
{% include "updates/updates.wgsl" %}

@group(0) @binding(4) var<storage, read_write> m: array<Cell>;
@group(0) @binding(5) var<storage, read_write> v: array<Cell>;

fn element(i: u32) {
  let slope = gradient(i);
  let mean = params.decay1 * opened(m[i]) + params.rest1 * slope;
  let square = params.decay2 * opened(v[i]) + params.rest2 * slope * slope;
  m[i] = closed(mean);
  v[i] = closed(square);
  let step = params.learning_rate * (mean * params.unbias1) / (sqrt(square * params.unbias2) + params.epsilon);
  w[i] = closed(params.keep * opened(w[i]) - step);
}
