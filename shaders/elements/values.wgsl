// values: tools for the values of by_one.wgsl or by_four.wgsl.

fn are_nan(x: Value) -> Truth {
  return (bitcast<Bits>(x) & Bits(~SIGN_BIT)) > Bits(INFINITY_BITS);
}

// x > 0, false for NaN, by its bits.
fn are_positive(x: Value) -> Truth {
  let bits = bitcast<Bits>(x);
  return (bits != Bits(0u)) & (bits <= Bits(INFINITY_BITS));
}

// max(x, 0), NaN stays NaN.
fn rectified(x: Value) -> Value {
  return select(Value(0.0), x, are_positive(x) | are_nan(x));
}

// What goes back through a ReLU: the gradient where its output is positive.
fn passed(gradient: Value, output: Value) -> Value {
  return select(Value(0.0), gradient, are_positive(output));
}

