// updates: the part that all update rules share: the parameters of the kernel, and the gradient after clipping and penalties.
//   w: `count` parameters, in place; dw: their gradients, range by range; scale: one value. Parameters of several layers
//   come in one launch: a range says where the gradient of a run of them lies. Everything but `filled` is counted in values.
//   A rule's file has `fn element(i: u32)` for one value of elements.wgsl, a single word or a vector of four.
//   squared_norm uses only the ranges of this file. RANGES is a constant that the host puts in front.
{% if kernel != "squared_norm" %}{% include "elements/elements.wgsl" %}{% endif %}
{% include "elements/values.wgsl" %}

// A run of neighbouring parameters. Its gradient is the sum of `slices` partial ones.
struct ParameterRange {
  end: u32,      // the parameter behind the last; that of the last range is no less than the number of parameters
  gradient: u32, // the offset from a parameter's number to its gradient's; wraps
  stride: u32,   // values from one slice to the next
  slices: u32,
  filled: u32,   // the word behind the last; padding comes behind it
  l1: f32,       // penalties add l1 * sign(w) + l2 * w to the gradient
  l2: f32,
  spare: u32,
}

// The parameter's range. The first often has most parameters: by its literal number compilers see that
// all threads read the same.
fn range_of(i: u32) -> ParameterRange {
  var range = params.ranges[0];
  for (var number = 1u; i >= range.end; number++) { range = params.ranges[number]; }
  return range;
}

// The gradient as the backward pass left it.
fn raw_gradient(i: u32, range: ParameterRange) -> Value {
  let first = i + range.gradient;
  var sum = from_cell(dw[first]);
  for (var s = 1u; s < range.slices; s++) { sum += from_cell(dw[first + s * range.stride]); }
  return sum;
}
{% if kernel != "squared_norm" %}

struct Params {
  ranges: array<ParameterRange, RANGES>,
  count: u32,
  clipped: u32,       // whether gradients are multiplied by `scale`
  nesterov: u32,
  learning_rate: f32,
  decay1: f32,        // the decay of the mean of the gradients, or of the velocity
  decay2: f32,        // the decay of the mean of their squares
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

// The gradient after clipping, with the gradients of the penalties added. Without penalties nothing is added: 0 * w is not always 0.
fn gradient(i: u32) -> Value {
  let range = range_of(i);
  var slope = raw_gradient(i, range);
  if params.clipped != 0u { slope *= scale[0]; }
  if range.l1 > 0.0 { slope += range.l1 * signs(from_cell(w[i])); }
  if range.l2 > 0.0 { slope += range.l2 * from_cell(w[i]); }
  return slope;
}
{% endif %}

