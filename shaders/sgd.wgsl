// sgd: w -= learning_rate * dw, in place
//   w: `count` parameters; dw: their gradients, segment by segment as segments.wgsl finds them.
//   Element by element, as elements.wgsl hands them out.

struct Params {
  segments: array<Segment, SEGMENTS>,
  count: u32,
  learning_rate: f32,
}

@group(0) @binding(1) var<storage, read_write> w: array<f32>;
@group(0) @binding(2) var<storage, read> dw: array<f32>;

fn element(i: u32) {
  w[i] -= params.learning_rate * gradient(i);
}
