// adam: m = beta1 m + rest1 dw;  v = beta2 v + rest2 dw^2;  w -= learning_rate * (m unbias1) / (sqrt(v unbias2) + epsilon)
//   rest = 1 - beta; unbias = 1 / (1 - beta^step). Source: Kingma and Ba, 2015, algorithm 1.
//   w, m, v: `count` parameters and their moments, in place; dw: the gradients, segment by segment as segments.wgsl finds
//   them.
//   Value by value, as elements.wgsl hands them out: single ones or fours, counted as such.

struct Params {
  segments: array<Segment, SEGMENTS>,
  count: u32,
  learning_rate: f32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  unbias1: f32,
  unbias2: f32,
  epsilon: f32,
}

@group(0) @binding(1) var<storage, read_write> w: array<Value>;
@group(0) @binding(2) var<storage, read> dw: array<Value>;
@group(0) @binding(3) var<storage, read_write> m: array<Value>;
@group(0) @binding(4) var<storage, read_write> v: array<Value>;

fn element(i: u32) {
  let slope = gradient(i);
  let mean = params.beta1 * m[i] + params.rest1 * slope;
  let square = params.beta2 * v[i] + params.rest2 * slope * slope;
  m[i] = mean;
  v[i] = square;
  w[i] -= params.learning_rate * (mean * params.unbias1) / (sqrt(square * params.unbias2) + params.epsilon);
}
