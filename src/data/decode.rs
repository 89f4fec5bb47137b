//! Decoders: they convert the bytes of numbers to f32, f64 or i64. The bytes need not be aligned.

use super::dtype::Dtype;
use crate::source::{bf16_to_f32, f16_to_f32};

/// The signature of a decoder. It writes as many numbers as there are in the bytes and places in the slice.
pub(super) type Decoder<T> = fn(Dtype, &[u8], &mut [T]);

/// Decodes numbers of one type in their byte order. Each byte order has its own loop. The loop is compiled for every width of
/// vector registers, and the widest one that the processor has is used. All of them give the same bits.
macro_rules! each {
    ($dtype:ident, $bytes:ident, $into:ident, $type:ty, |$number:ident| $converted:expr) => {{
        let numbers = $into.iter_mut().zip($bytes.as_chunks::<{ size_of::<$type>() }>().0);
        match $dtype.big_endian {
            true => pulp::Arch::new().dispatch(|| {
                for (into, bytes) in numbers {
                    let $number = <$type>::from_be_bytes(*bytes);
                    *into = $converted;
                }
            }),
            false => pulp::Arch::new().dispatch(|| {
                for (into, bytes) in numbers {
                    let $number = <$type>::from_le_bytes(*bytes);
                    *into = $converted;
                }
            }),
        }
    }};
}

/// Defines a decoder to one type. Each number is cast to it by `as`.
macro_rules! decoder {
    ($(#[$doc:meta])* $visible:vis $name:ident, $to:ty) => {
        $(#[$doc])*
        $visible fn $name(dtype: Dtype, bytes: &[u8], into: &mut [$to]) {
            match (dtype.kind, dtype.size) {
                (b'f', 2) => each!(dtype, bytes, into, u16, |bits| f16_to_f32(bits) as $to),
                (b'f', 4) => each!(dtype, bytes, into, f32, |number| number as $to),
                (b'f', 8) => each!(dtype, bytes, into, f64, |number| number as $to),
                (b'V', _) => each!(dtype, bytes, into, u16, |bits| bf16_to_f32(bits) as $to),
                (b'i', 1) => each!(dtype, bytes, into, i8, |number| number as $to),
                (b'i', 2) => each!(dtype, bytes, into, i16, |number| number as $to),
                (b'i', 4) => each!(dtype, bytes, into, i32, |number| number as $to),
                (b'i', 8) => each!(dtype, bytes, into, i64, |number| number as $to),
                (b'u', 1) => each!(dtype, bytes, into, u8, |number| number as $to),
                (b'u', 2) => each!(dtype, bytes, into, u16, |number| number as $to),
                (b'u', 4) => each!(dtype, bytes, into, u32, |number| number as $to),
                (b'u', 8) => each!(dtype, bytes, into, u64, |number| number as $to),
                _ => each!(dtype, bytes, into, u8, |byte| u8::from(byte != 0) as $to),
            }
        }
    };
}
decoder! {
    /// Decodes numbers to f32. Numbers of f64 and integers are rounded to the nearest f32.
    pub(super) floats, f32
}
decoder! {
    /// Decodes numbers to f64. Floats are converted exactly.
    pub(super) doubles, f64
}
decoder! {
    /// Decodes integers to i64. A u64 that is too large for i64 becomes negative.
    pub(super) integers, i64
}
