//! Numbers that arrays of features may hold, and their conversion to f32.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A number that an array of features may hold: [f32], [f64], [`struct@f16`], [`bf16`] and [u8].
///
/// f64 is rounded to the nearest f32; all others are f32 exactly.
pub trait Number: Copy + Send + Sync + sealed::Sealed {
    /// The number as f32.
    fn to_f32(self) -> f32;

    /// Converts numbers to f32. Both slices must have one length.
    #[doc(hidden)]
    fn convert(from: &[Self], into: &mut [f32]) {
        into.iter_mut().zip(from).for_each(|(into, from)| *into = from.to_f32());
    }

    /// The numbers themselves, where they are f32 already.
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
    // The crate half converts slices with the processor's own instructions where it has them.
    f16, |value| value.to_f32(), {
        fn convert(from: &[f16], into: &mut [f32]) {
            from.convert_to_f32_slice(into);
        }
    }
    bf16, |value| value.to_f32(), {
        fn convert(from: &[bf16], into: &mut [f32]) {
            from.convert_to_f32_slice(into);
        }
    }
}
