//! exp: the exponential in f32, written so that the compiler turns a loop over it into vector instructions. The standard library's
//! exponential would be a call for each element.

/// 1.5 · 2²³. If a small number is added to it, the sum is rounded to an integer, whose bits are the lowest bits of the sum.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has few enough bits that its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// The polynomial for (e^r - 1 - r) / r², |r| <= ln 2 / 2, lowest power first. The coefficients are those of Cephes' `expf`.
const SERIES: [f32; 6] = [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_2e-3, 1.987_569_1e-4];

/// The exponential e^x within one unit in the last place: e^x = 2^n e^r, n = round(x / ln 2).
///
/// It is exactly 1 at 0, exactly 0 at -inf, and infinity from 88.73 on. NaN stays NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Both comparisons let NaN through.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let whole = rounded - ROUND;
    let r = (x - whole * LN_2[0]) - whole * LN_2[1];
    // The terms are joined in pairs, which makes a shorter chain of operations than Horner's scheme.
    let square = r * r;
    let low = SERIES[0] + SERIES[1] * r;
    let middle = SERIES[2] + SERIES[3] * r;
    let high = SERIES[4] + SERIES[5] * r;
    let power = (((high * square + middle) * square + low) * square + r) + 1.0;
    // 2^n in two factors, since it may be too small or too large for a normal f32.
    let half = n >> 1;
    power * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// 2^n for a normal result.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error in units in the last place.
    fn ulps(got: f32, want: f64) -> f64 {
        let nearest = (want as f32).abs().max(f32::MIN_POSITIVE);
        let ulp = f64::from(f32::from_bits(nearest.to_bits() + 1)) - f64::from(nearest);
        (f64::from(got) - want).abs() / ulp
    }

    #[test]
    fn is_within_one_unit_in_the_last_place() {
        // Every 401st f32 of either sign up to where the result is infinite or 0.
        for (sign, end) in [(0u32, 88.722_84f32), (1 << 31, 104.0)] {
            for bits in (0..end.to_bits()).step_by(401) {
                let x = f32::from_bits(sign | bits);
                let error = ulps(exp(x), f64::from(x).exp());
                assert!(error <= 1.0, "exp({x:e}) = {:e} is off by {error} ulp", exp(x));
            }
        }
    }

    #[test]
    fn has_its_special_values() {
        for (x, want) in [
            (0.0, 1.0),
            (-0.0, 1.0),
            (f32::from_bits(1), 1.0),
            (f32::NEG_INFINITY, 0.0),
            (f32::MIN, 0.0),
            (-104.0, 0.0),
            (88.73, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
            (f32::INFINITY, f32::INFINITY),
        ] {
            assert_eq!(exp(x), want, "exp({x:e})");
        }
        for bits in [f32::NAN.to_bits(), 0x7f80_0001, 0xffff_ffff, 0x7fab_cdef] {
            assert!(exp(f32::from_bits(bits)).is_nan(), "{bits:x}");
        }
        assert!(exp(-103.0) > 0.0, "results below the smallest normal number are kept");
    }
}
