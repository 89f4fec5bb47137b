//! Decoders: the bytes of numbers become f32, f64 or i64. Bytes may lie at any address.

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};

use super::dtype::Dtype;

/// How many halves are converted at a time.
const HALVES: usize = 256;

/// A decoder's signature: it writes as many numbers as both the bytes and the place have.
pub(super) type Decoder<T> = fn(Dtype, &[u8], &mut [T]);

/// Decodes numbers to f32: those of f64 and integers are rounded to the nearest one.
pub(super) fn floats(dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
    match (dtype.kind, dtype.size) {
        (b'f', 2) => halves(dtype, bytes, into, |bits, into| {
            bits.reinterpret_cast::<f16>().convert_to_f32_slice(into);
        }),
        (b'V', _) => halves(dtype, bytes, into, |bits, into| {
            bits.reinterpret_cast::<bf16>().convert_to_f32_slice(into);
        }),
        _ => others(dtype, bytes, into),
    }
}

/// Decodes halves as the crate half converts slices: with the processor's own instructions where it has them.
fn halves(dtype: Dtype, bytes: &[u8], into: &mut [f32], convert: impl Fn(&[u16], &mut [f32])) {
    let mut room = [0u16; HALVES];
    let bytes = bytes.as_chunks().0;
    for (bytes, into) in bytes.chunks(HALVES).zip(into.chunks_mut(HALVES)) {
        let count = bytes.len().min(into.len());
        let bits = &mut room[..count];
        let ordered = bits.iter_mut().zip(bytes);
        match dtype.big_endian {
            true => ordered.for_each(|(bits, bytes)| *bits = u16::from_be_bytes(*bytes)),
            false => ordered.for_each(|(bits, bytes)| *bits = u16::from_le_bytes(*bytes)),
        }
        convert(bits, &mut into[..count]);
    }
}

/// Decodes numbers of one type in their byte order. Each order has a loop of its own, since the compiler vectorises
/// those.
macro_rules! each {
    ($dtype:ident, $bytes:ident, $into:ident, $type:ty, |$number:ident| $converted:expr) => {{
        let numbers = $into.iter_mut().zip($bytes.as_chunks::<{ size_of::<$type>() }>().0);
        let convert = |$number: $type| $converted;
        match $dtype.big_endian {
            true => numbers.for_each(|(into, bytes)| *into = convert(<$type>::from_be_bytes(*bytes))),
            false => numbers.for_each(|(into, bytes)| *into = convert(<$type>::from_le_bytes(*bytes))),
        }
    }};
}

/// Defines a decoder to one type, into which each number is cast by `as`.
macro_rules! decoder {
    ($(#[$doc:meta])* $visible:vis $name:ident, $to:ty) => {
        $(#[$doc])*
        $visible fn $name(dtype: Dtype, bytes: &[u8], into: &mut [$to]) {
            match (dtype.kind, dtype.size) {
                (b'f', 2) => each!(dtype, bytes, into, f16, |number| number.to_f32() as $to),
                (b'f', 4) => each!(dtype, bytes, into, f32, |number| number as $to),
                (b'f', 8) => each!(dtype, bytes, into, f64, |number| number as $to),
                (b'V', _) => each!(dtype, bytes, into, bf16, |number| number.to_f32() as $to),
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
    /// Decodes numbers to f32, one by one.
    others, f32
}
decoder! {
    /// Decodes numbers to f64, which floats are exactly.
    pub(super) doubles, f64
}
decoder! {
    /// Decodes integers to i64. Those of u64 that i64 does not have become negative.
    pub(super) integers, i64
}
