//! Floats of safetensors files, decoded to f32.

use half::{bf16, f16};
use safetensors::Dtype;

use crate::source::Number;

/// The rule that tensors of other types than floats break.
pub(super) const RULE: &str = "must be of type F32, F64, F16 or BF16";

/// Whether [`decode`] can decode this type.
pub(super) fn is_known(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16)
}

/// Decodes the values in these bytes to f32. Values of F64 are rounded. Returns `None` for a type that is not a float.
pub(super) fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(converted(bytes, f32::from_le_bytes)),
        Dtype::F64 => Some(converted(bytes, f64::from_le_bytes)),
        Dtype::F16 => Some(converted(bytes, f16::from_le_bytes)),
        Dtype::BF16 => Some(converted(bytes, bf16::from_le_bytes)),
        _ => None,
    }
}

/// The numbers in these bytes as f32. `number` makes a number of its bytes.
fn converted<T: Number, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| number(*bytes).to_f32()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

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
