// adam: m = decay1 m + rest1 dw;  v = decay2 v + rest2 dw^2;
//       w = keep w - learning_rate * (m unbias1) / (sqrt(v unbias2) + epsilon)
//   m, v: the moments, `count` values each, in place. Source: Kingma and Ba, 2015, algorithm 1; keep: Loshchilov and
//   Hutter, 2019.

@group(0) @binding(4) var<storage, read_write> m: array<Value>;
@group(0) @binding(5) var<storage, read_write> v: array<Value>;

fn element(i: u32) {
  let slope = gradient(i);
  let mean = params.decay1 * m[i] + params.rest1 * slope;
  let square = params.decay2 * v[i] + params.rest2 * slope * slope;
  m[i] = mean;
  v[i] = square;
  let step = params.learning_rate * (mean * params.unbias1) / (sqrt(square * params.unbias2) + params.epsilon);
  w[i] = params.keep * w[i] - step;
}
