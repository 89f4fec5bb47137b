// scale: the power of two that scales a line of a factor: 2^(14 - e), for the exponent e of the line's largest number, which then
//   lies below 2^15.
{% include "common.wgsl" %}

// Exponents as f32 has them in its bits, from bit EXPONENT_AT on. ONE: that of 1. BOTH: the sum of a power's exponent and its line's
// largest, 14 over twice that of 1. LARGEST_FACTOR: the largest exponent of a power.
const EXPONENT_AT: u32 = 23u;
const ONE: i32 = 127;
const BOTH: u32 = 268u;
const LARGEST_FACTOR: u32 = 253u;
// The number by which a low half is multiplied when a number is cut.
const REST: f32 = 2048.0;

// The power of two for a line whose largest magnitude has these bits; NaN where that is NaN or infinity.
fn factor(largest: u32) -> f32 {
  let power = min(BOTH - (largest >> EXPONENT_AT), LARGEST_FACTOR) << EXPONENT_AT;
  return bitcast<f32>(select(power, largest | ~SIGN_BIT, largest >= INFINITY_BITS));
}
