//! linear_gradients: the gradients of a dense layer's parameters.

use super::gradients::GradientRoom;
#[cfg(doc)]
use super::matmul::matmul_tn;
use crate::error::Result;
use crate::matrix::Matrix;

/// The gradients of a linear layer's parameters: dW = Xᵀ dY and db = Σ_r dY, for X `rows x inputs` and dY `rows x outputs`, in one
/// pass over dY where that is possible.
///
/// Error: that of [`matmul_tn`] for dW, and at most (rows / 2 + 2) u Σ_r |dY| for db, u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless X and dY have as many rows.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let dy = Matrix::from_array(&device, array![[1.], [10.]].view())?;
/// let (dweights, dbiases) = ops::linear_gradients(&x, &dy)?;
/// assert_eq!(dweights.to_array()?, array![[31.], [42.]]);
/// assert_eq!(dbiases.to_array()?, array![[11.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn linear_gradients(x: &Matrix, dy: &Matrix) -> Result<(Matrix, Matrix)> {
    let room = GradientRoom::of_layer(x.device(), x.rows(), (x.cols(), dy.cols()))?;
    room.whole(&room.parameters(x, dy)?)
}
