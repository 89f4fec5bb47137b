//! All parameters or gradients of a model in one list, in which form ranks exchange them, and the checksum of parameters.

use ndarray::ArrayView2;

use crate::error::{Error, Result, Shape};
use crate::layers::parameters::Parameters;

/// The two constants of the hash FNV-1a with 64 bits.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Views of matrices with these shapes, whose values lie one after the other, in one part or in several. No matrix lies in two
/// parts.
pub(super) fn arrays<'a>(
    shapes: &[(usize, usize)],
    parts: impl IntoIterator<Item = &'a [f32]>,
) -> Result<Vec<ArrayView2<'a, f32>>> {
    let (mut parts, mut rest) = (parts.into_iter(), &[][..]);
    let array = |(rows, cols): &(usize, usize)| {
        if rest.is_empty() {
            rest = parts.next().unwrap_or_default();
        }
        let wrong = || Error::Length { op: "fit", shape: Shape { rows: *rows, cols: *cols }, values: rest.len() };
        let (own, others) = rest.split_at_checked(rows * cols).ok_or_else(wrong)?;
        rest = others;
        ArrayView2::from_shape((*rows, *cols), own).map_err(|_| wrong())
    };
    shapes.iter().map(array).collect()
}

/// The parameters of these layers as one list: for each layer its weights, then its biases.
pub(super) fn flattened(layers: &[Parameters]) -> Vec<f32> {
    values(layers).copied().collect()
}

/// A checksum of the parameters' bits: FNV-1a, with a parameter in place of a byte. Ranks compare it, so it must not depend on the
/// machine or on the compiler, as a hash of the standard library may.
pub(in crate::mlp) fn checksum(layers: &[Parameters]) -> u64 {
    values(layers).fold(FNV_OFFSET, |hash, value| (hash ^ u64::from(value.to_bits())).wrapping_mul(FNV_PRIME))
}

/// The parameters of these layers, one by one: of each layer the weights, then the biases.
fn values(layers: &[Parameters]) -> impl Iterator<Item = &f32> {
    layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases))
}

/// The parameters of layers with these shapes, from one list of values.
pub(super) fn unflattened(shapes: &[(usize, usize)], values: &[f32]) -> Result<Vec<Parameters>> {
    let mut matrices = arrays(shapes, [values])?.into_iter();
    let mut layers = Vec::new();
    while let (Some(weights), Some(biases)) = (matrices.next(), matrices.next()) {
        layers.push(Parameters { weights: weights.to_owned(), biases: biases.to_owned() });
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn every_bit_and_every_place_changes_the_checksum() {
        let layer = || Parameters { weights: array![[1.0f32, 2.0], [-0.5, 0.25]], biases: array![[0.0f32, 3.0]] };
        let whole = checksum(&[layer(), layer()]);
        assert_eq!(whole, checksum(&[layer(), layer()]));
        let mut others = vec![checksum(&[layer()])];
        for bit in 0..u32::BITS {
            let mut last_bias = layer();
            last_bias.biases[[0, 1]] = f32::from_bits(3.0f32.to_bits() ^ (1 << bit));
            others.push(checksum(&[layer(), last_bias]));
            let mut first_weight = layer();
            first_weight.weights[[0, 0]] = f32::from_bits(1.0f32.to_bits() ^ (1 << bit));
            others.push(checksum(&[first_weight, layer()]));
        }
        let mut swapped = layer();
        swapped.weights.swap([0, 0], [1, 1]);
        others.push(checksum(&[layer(), swapped]));
        assert!(!others.contains(&whole));
    }

    #[test]
    fn the_checksum_is_the_same_on_every_machine() {
        // Of a single 0 the hash is the offset times the prime.
        let zero = Parameters { weights: array![[0.0f32]], biases: ndarray::Array2::zeros((0, 0)) };
        assert_eq!(checksum(&[zero]), 0xaf63_bd4c_8601_b7df);
    }
}
