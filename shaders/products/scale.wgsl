// scale: the power of two that scales a line of a factor, 2^(14 - the exponent of its largest number), so that this lies below 2^15.
{% include "common.wgsl" %}

// Exponents as f32 has them in its bits: that of 1; the sum of a factor's and its largest number's, 14 over twice that of 1; the
// largest one of a factor.
const EXPONENT_AT: u32 = 23u;
const ONE: i32 = 127;
const BOTH: u32 = 268u;
const LARGEST_FACTOR: u32 = 253u;
// What the rest of a number is multiplied by when it is cut.
const REST: f32 = 2048.0;

// NaN where there is NaN or infinity.
fn factor(largest: u32) -> f32 {
  let power = min(BOTH - (largest >> EXPONENT_AT), LARGEST_FACTOR) << EXPONENT_AT;
  return bitcast<f32>(select(power, largest | ~SIGN_BIT, largest >= INFINITY_BITS));
}
