// by_four: kernels that take values by fours: the device moves them faster. The host does so where their number allows it.

alias Value = vec4<f32>;
alias Bits = vec4<u32>;
alias Truth = vec4<bool>;

// The ith value's words as far as they come before `end`; else 0.
fn filled(x: Value, i: u32, end: u32) -> Value {
  return select(Value(0.0), x, Bits(4u * i) + Bits(0u, 1u, 2u, 3u) < Bits(end));
}

// The sum of a value's words.
fn added(x: Value) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}

