//! Number types that arrays of features may have, and their conversion to f32.

use half::{bf16, f16};

/// A number type that an array of features may have: [f32], [f64], [`struct@f16`], [`bf16`] and [u8].
///
/// An f64 is rounded to the nearest f32. Numbers of the other types are converted exactly.
pub trait Number: Copy + Send + Sync + sealed::Sealed {
    /// The number as f32.
    fn to_f32(self) -> f32;

    /// Converts numbers to f32. Both slices must have the same length.
    #[doc(hidden)]
    fn convert(from: &[Self], into: &mut [f32]) {
        pulp::Arch::new().dispatch(|| {
            for (into, from) in into.iter_mut().zip(from) {
                *into = from.to_f32();
            }
        });
    }

    /// The numbers without a conversion, if they are already f32.
    #[doc(hidden)]
    fn as_values(_: &[Self]) -> Option<&[f32]> {
        None
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! numbers {
    ($($number:ty, |$value:ident| $converted:expr, { $($more:tt)* })*) => {$(
        impl sealed::Sealed for $number {}

        impl Number for $number {
            #[inline(always)]
            fn to_f32(self) -> f32 {
                let $value = self;
                $converted
            }

            $($more)*
        }
    )*};
}

numbers! {
    f32, |value| value, {
        fn as_values(values: &[f32]) -> Option<&[f32]> {
            Some(values)
        }
    }
    f64, |value| value as f32, {}
    u8, |value| f32::from(value), {}
    f16, |value| f16_to_f32(value.to_bits()), {}
    bf16, |value| bf16_to_f32(value.to_bits()), {}
}

/// Converts the bits of an f16 to f32. The compiler can vectorise this, unlike the conversion of the crate half. The result has
/// the same bits on every processor, also for NaN.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, exponent, moved) = ((bits & 0x8000) << 16, bits & 0x7c00, (bits & 0x7fff) << 13);
    // Subnormal numbers are multiples of 2^-24.
    let subnormal = ((bits & 0x3ff) as i32 as f32 * SMALLEST_F16).to_bits();
    let magnitude = match exponent {
        0 => subnormal,
        0x7c00 => moved | 0x7f80_0000,
        _ => moved + 0x3800_0000,
    };
    f32::from_bits(sign | magnitude)
}

/// The smallest positive f16, 2^-24.
const SMALLEST_F16: f32 = f32::from_bits(0x3380_0000);

/// Converts the bits of a bf16 to f32: they are its upper half.
#[inline(always)]
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_halves_become_their_f32() {
        for bits in 0..=u16::MAX {
            let pairs = [
                (f16_to_f32(bits), f16::from_bits(bits).to_f32()),
                (bf16_to_f32(bits), bf16::from_bits(bits).to_f32()),
            ];
            for (found, wanted) in pairs {
                assert!(found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan()), "{bits:x}");
            }
        }
        let (from, mut into) =
            ([f16::ONE, f16::NEG_ONE, f16::MAX, f16::MIN_POSITIVE_SUBNORMAL, f16::INFINITY], [0.0; 5]);
        f16::convert(&from, &mut into);
        assert_eq!(into, [1.0, -1.0, 65504.0, 1.0 / 16_777_216.0, f32::INFINITY]);
    }
}
