// by_one: kernels that take values one by one.

alias Value = f32;
alias Bits = u32;
alias Truth = bool;

// The value where its only word, number i, comes before `end`; else 0.
fn filled(x: Value, i: u32, end: u32) -> Value {
  return select(0.0, x, i < end);
}

// The sum of a value's words.
fn added(x: Value) -> f32 {
  return x;
}

