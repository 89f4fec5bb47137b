//! dense_backward: the gradients of a hidden dense layer, of its parameters and of its input.

use super::gradients::{GradientRoom, InputGradient};
#[cfg(doc)]
use super::linear_backward::linear_backward;
use crate::error::Result;
use crate::matrix::Matrix;

/// All gradients of a dense layer's backward pass: dW = Xᵀ dY, db = Σ_r dY, and dX = dY Wᵀ where X is positive, else 0. X is
/// `rows x inputs`, dY `rows x outputs` and W `inputs x outputs`. These are [`linear_gradients`](super::linear_gradients) and
/// [`linear_backward`] in one call. For a small layer on a software driver they are one dispatch.
///
/// Error: as in [`linear_gradients`](super::linear_gradients) and [`linear_backward`].
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless X and dY have as many rows, and W a row for each column of X and a column for
/// each of dY.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 0.], [3., 4.]].view())?;
/// let dy = Matrix::from_array(&device, array![[1.], [10.]].view())?;
/// let w = Matrix::from_array(&device, array![[2.], [5.]].view())?;
/// let (dweights, dbiases, dx) = ops::dense_backward(&x, &dy, &w)?;
/// assert_eq!(dweights.to_array()?, array![[31.], [40.]]);
/// assert_eq!(dbiases.to_array()?, array![[11.]]);
/// assert_eq!(dx.to_array()?, array![[2., 0.], [20., 50.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn dense_backward(x: &Matrix, dy: &Matrix, weights: &Matrix) -> Result<(Matrix, Matrix, Matrix)> {
    let room = GradientRoom::of_layer(x.device(), x.rows(), (x.cols(), dy.cols()))?;
    let (gradients, dx) = room.all(x, dy, InputGradient::ThroughRelu(weights), |_| Ok(()))?;
    let (dweights, dbiases) = room.whole(&gradients)?;
    Ok((dweights, dbiases, dx))
}
