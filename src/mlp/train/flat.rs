//! All parameters or gradients of a model in one list, in which form ranks exchange them.

use ndarray::ArrayView2;

use crate::error::{Error, Result, Shape};
use crate::layers::parameters::Parameters;

/// Views of matrices with these shapes, whose values lie one after the other.
pub(super) fn arrays<'a>(shapes: &[(usize, usize)], values: &'a [f32]) -> Result<Vec<ArrayView2<'a, f32>>> {
    let mut rest = values;
    let array = |(rows, cols): &(usize, usize)| {
        let wrong = || Error::Length { op: "fit", shape: Shape { rows: *rows, cols: *cols }, values: values.len() };
        let (own, others) = rest.split_at_checked(rows * cols).ok_or_else(wrong)?;
        rest = others;
        ArrayView2::from_shape((*rows, *cols), own).map_err(|_| wrong())
    };
    shapes.iter().map(array).collect()
}

/// The parameters of these layers as one list: for each layer its weights, then its biases.
pub(super) fn flattened(layers: &[Parameters]) -> Vec<f32> {
    layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases)).copied().collect()
}

/// The parameters of layers with these shapes, from one list of values.
pub(super) fn unflattened(shapes: &[(usize, usize)], values: &[f32]) -> Result<Vec<Parameters>> {
    let mut matrices = arrays(shapes, values)?.into_iter();
    let mut layers = Vec::new();
    while let (Some(weights), Some(biases)) = (matrices.next(), matrices.next()) {
        layers.push(Parameters { weights: weights.to_owned(), biases: biases.to_owned() });
    }
    Ok(layers)
}
