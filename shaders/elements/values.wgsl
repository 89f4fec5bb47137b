// values: the types Value and Cell. A Value is the unit that a kernel works on: one f32, or a vector of four (`fours`), which
//   devices load and store faster; it needs counts that are multiples of four. A Cell is a Value in memory. With `longs`, for
//   software drivers, a Cell is two 64-bit words, because these drivers check the address of each word, whatever its length.
//   A kernel sets `long_words` to get the functions for 64-bit words in any form, and `only_long_words` to get only these.
{% include "common.wgsl" %}
{% if only_long_words is undefined %}
{% if fours %}

alias Value = vec4<f32>;
alias Bits = vec4<u32>;
alias Bools = vec4<bool>;

// The ith value. Its words with the number `end` or above become 0.
fn masked_tail(x: Value, i: u32, end: u32) -> Value {
  return select(Value(0.0), x, Bits(4u * i) + Bits(0u, 1u, 2u, 3u) < Bits(end));
}

// The sum of a value's words.
fn sum_of_words(x: Value) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}
{% else %}

alias Value = f32;
alias Bits = u32;
alias Bools = bool;

// The ith value, or 0 if i, the number of its only word, is `end` or above.
fn masked_tail(x: Value, i: u32, end: u32) -> Value {
  return select(0.0, x, i < end);
}

// The sum of a value's words.
fn sum_of_words(x: Value) -> f32 {
  return x;
}
{% endif %}
{% if longs %}

alias Cell = vec2<u64>;

fn from_cell(cell: Cell) -> Value {
  return from_longs(cell);
}

fn to_cell(value: Value) -> Cell {
  return to_longs(value);
}
{% else %}

alias Cell = Value;

fn from_cell(cell: Cell) -> Value {
  return cell;
}

fn to_cell(value: Value) -> Cell {
  return value;
}
{% endif %}

fn are_nan(x: Value) -> Bools {
  return (bitcast<Bits>(x) & Bits(~SIGN_BIT)) > Bits(INFINITY_BITS);
}

// Whether x > 0, decided by its bits, so that NaN is not.
fn are_positive(x: Value) -> Bools {
  let bits = bitcast<Bits>(x);
  return (bits != Bits(0u)) & (bits <= Bits(INFINITY_BITS));
}

// max(x, 0), NaN stays NaN.
fn relu(x: Value) -> Value {
  return select(Value(0.0), x, are_positive(x) | are_nan(x));
}

// The gradient of a ReLU's input: `gradient`, which is that of its output, if the output is positive, else 0.
fn relu_gradient(gradient: Value, output: Value) -> Value {
  return select(Value(0.0), gradient, are_positive(output));
}
{% endif %}
{% if long_words is defined or only_long_words is defined or longs %}

// Four words from two 64-bit words, and back.
fn from_longs(x: vec2<u64>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(u32(x.x), u32(x.x >> 32u), u32(x.y), u32(x.y >> 32u)));
}

fn to_longs(x: vec4<f32>) -> vec2<u64> {
  let words = bitcast<vec4<u32>>(x);
  return vec2<u64>(u64(words.x) | (u64(words.y) << 32u), u64(words.z) | (u64(words.w) << 32u));
}
{% endif %}

