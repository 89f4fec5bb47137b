// updates: what the update rules share: their parameters, and the gradient as they use it.
//   w: `count` parameters, in place; dw: their gradients, segment by segment as segments.wgsl finds them; scale: one value.
//   A rule's file has `fn element(i: u32)` for one value, as elements.wgsl hands them out: single ones or fours, counted as
//   such.

struct Params {
  segments: array<Segment, SEGMENTS>,
  count: u32,
  clipped: u32,       // whether gradients are multiplied by `scale`
  nesterov: u32,
  learning_rate: f32,
  decay1: f32,        // of what follows the gradients
  decay2: f32,        // of what follows their squares
  rest1: f32,         // 1 - decay1
  rest2: f32,
  unbias1: f32,       // 1 / (1 - decay1^step)
  unbias2: f32,
  epsilon: f32,
  keep: f32,          // 1 - learning_rate * weight_decay
}

@group(0) @binding(1) var<storage, read_write> w: array<Cell>;
@group(0) @binding(2) var<storage, read> dw: array<Cell>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;

// -1, 0 or 1, by the bits; NaN stays NaN.
fn signs(x: Value) -> Value {
  let none = (bitcast<Bits>(x) & Bits(~SIGN_BIT)) == Bits(0u);
  return select(select(Value(-1.0), Value(1.0), are_positive(x)), x, none | are_nan(x));
}

// The gradient, scaled where it is clipped, and what penalties add. Without them nothing is added: 0 * w is not always 0.
fn gradient(i: u32) -> Value {
  let segment = segment_of(i);
  var slope = raw_gradient(i, segment);
  if params.clipped != 0u { slope *= scale[0]; }
  if segment.l1 > 0.0 { slope += segment.l1 * signs(opened(w[i])); }
  if segment.l2 > 0.0 { slope += segment.l2 * opened(w[i]); }
  return slope;
}

