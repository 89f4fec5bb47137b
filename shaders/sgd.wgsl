// sgd: w -= learning_rate * dw, in place
//   w: `count` parameters; dw: their gradients, segment by segment as segments.wgsl finds them.
//   Value by value, as elements.wgsl hands them out: single ones or fours, counted as such.

struct Params {
  segments: array<Segment, SEGMENTS>,
  count: u32,
  learning_rate: f32,
}

@group(0) @binding(1) var<storage, read_write> w: array<Value>;
@group(0) @binding(2) var<storage, read> dw: array<Value>;

fn element(i: u32) {
  w[i] -= params.learning_rate * gradient(i);
}
