//! Floats of safetensors files, decoded to f32.

use safetensors::Dtype;

/// The rule that tensors of other types than floats break.
pub(super) const RULE: &str = "must be of type F32, F64, F16 or BF16";

/// Whether [`decode`] can decode this type.
pub(super) fn is_known(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16)
}

/// Decodes the values in these bytes to f32. Values of F64 are rounded. Returns `None` for a type that is not a float.
pub(super) fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let pairs = || bytes.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        Dtype::F64 => Some(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()),
        Dtype::F16 => Some(pairs().map(half).collect()),
        Dtype::BF16 => Some(pairs().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect()),
        _ => None,
    }
}

/// Converts a binary16 number of IEEE 754, given as bits, to f32. It has a sign, 5 bits of exponent and 10 bits of fraction.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let (exponent, fraction) = (u32::from(bits >> 10 & 0x1f), u32::from(bits & 0x3ff));
    match exponent {
        // A subnormal number is a multiple of 2^-24.
        0 => f32::from_bits(sign | (fraction as f32 * f32::from_bits(103 << 23)).to_bits()),
        0x1f => f32::from_bits(sign | 0xff << 23 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn halves_are_what_ieee_754_says() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3bff, 0.999_511_7),
            (0x3c00, 1.0),
            (0x3c01, 1.000_976_6),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:#06x}");
            assert_eq!(half(bits | 0x8000).to_bits(), (-value).to_bits(), "{bits:#06x}");
        }
        assert!(half(0x7e00).is_nan() && half(0xfc01).is_nan());
    }

    #[test]
    fn every_type_gives_the_same_values() {
        let values = [1.0f32, -2.5, 0.0, 65280.0];
        let decoded = |dtype, bytes: Vec<u8>| decode(dtype, &bytes).unwrap();
        let high = values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes());
        assert_eq!(decoded(Dtype::BF16, high.collect()), values);
        assert_eq!(decoded(Dtype::F64, values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect()), values);
        assert_eq!(decoded(Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()), values);
        let halves = [0x3c00u16, 0xc100, 0x0000, 0x7bf8];
        assert_eq!(decoded(Dtype::F16, halves.iter().flat_map(|half| half.to_le_bytes()).collect()), values);
        assert!(decode(Dtype::I32, &[0; 4]).is_none());
        assert!(!is_known(Dtype::I32) && is_known(Dtype::BF16));
    }
}
