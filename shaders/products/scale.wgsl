// scale: the power of two that scales a line (a row of a, or a column of b): 2^(14 - e), where e is the exponent of the line's
//   largest number. After scaling, all numbers of the line are below 2^15.
{% include "common.wgsl" %}

// Exponents as they stand in the bits of an f32, from bit EXPONENT_AT on. ONE: the exponent of 1. BOTH: the exponent of a power
// plus that of its line's largest number, which is always twice ONE plus 14. LARGEST_FACTOR: the largest exponent of a power.
const EXPONENT_AT: u32 = 23u;
const ONE: i32 = 127;
const BOTH: u32 = 268u;
const LARGEST_FACTOR: u32 = 253u;
// The number by which a low half is multiplied when a number is cut.
const REST: f32 = 2048.0;

// The power of two for a line, from the bits of its largest magnitude; NaN if that is NaN or infinity.
fn factor(largest: u32) -> f32 {
  let power = min(BOTH - (largest >> EXPONENT_AT), LARGEST_FACTOR) << EXPONENT_AT;
  return bitcast<f32>(select(power, largest | ~SIGN_BIT, largest >= INFINITY_BITS));
}
