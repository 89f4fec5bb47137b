//! softmax, log_softmax and softmax_backward: probabilities, row by row.

use super::operands::computed;
use super::same_shape;
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;

/// Softmax of each row: p = exp(x - m) / Σ_j exp(x_j - m), with m the row's maximum.
///
/// -inf is a legal logit with probability 0. A row that contains NaN or +inf, or only -inf, has NaN in every column. Error: at most
/// u p (30 + 3 |x - m| + 2 log₂ C + C / 64) for C columns, u = 2⁻²³ (derived in the guide's page
/// [`numerics`](crate::guide::numerics)). Results below 2⁻¹²⁶ may come out as 0.
///
/// # Errors
/// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let logits = Matrix::from_slice(&Device::cpu(), 1, 3, &[4.8, 1.21, 2.385])?;
/// let probs = ops::softmax(&logits)?.to_array()?;
/// assert!((probs[[0, 0]] - 0.89528266).abs() < 1e-6);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn softmax(logits: &Matrix) -> Result<Matrix> {
    computed("softmax", [logits], logits.shape(), |[x]| cpu::softmax(x), kernels::softmax)
}

/// The logarithm of softmax: ln p = x - m - ln Σ_j exp(x_j - m), with m the row's maximum. It is finite where [`softmax`]
/// underflows.
///
/// -inf stays -inf. Rows for which [`softmax`] gives NaN are NaN here too. Error: at most
/// 2⁻²¹ + u (23 + 2 log₂ C + C / 64) + 4u (|m| + |x| + |ln p|) for C columns, u = 2⁻²³.
///
/// # Errors
/// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let logits = Matrix::from_slice(&Device::cpu(), 1, 2, &[1000.0, 0.0])?;
/// assert_eq!(ops::log_softmax(&logits)?.to_array()?[[0, 1]], -1000.0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn log_softmax(logits: &Matrix) -> Result<Matrix> {
    computed("log_softmax", [logits], logits.shape(), |[x]| cpu::log_softmax(x), kernels::log_softmax)
}

/// The gradient of softmax's logits: dlogits = p · (dp - Σ_j dp_j p_j). This is the product of dp and softmax's Jacobian, which is
/// never formed.
///
/// `probs` is the result of [`softmax`], and `dprobs` the gradient with respect to it.
/// Error: at most u |p| (3 |dp| + (20 + C / 64) Σ_j |dp_j p_j|) over C columns, u = 2⁻²³. A device may take terms below 2⁻¹²⁶ for
/// 0, which adds up to |p| (C + 1) 2⁻¹²⁶, and 2⁻¹²⁶ for a result.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless both have one shape; [`Error::Limit`](crate::Error::Limit) for rows that are
/// longer than a GPU's binding.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 1, 2, &[0.25, 0.75])?;
/// let dprobs = Matrix::from_slice(&device, 1, 2, &[1.0, 0.0])?;
/// assert_eq!(ops::softmax_backward(&probs, &dprobs)?.to_array()?[[0, 0]], 0.1875);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn softmax_backward(probs: &Matrix, dprobs: &Matrix) -> Result<Matrix> {
    let op = "softmax_backward";
    same_shape(op, probs, dprobs)?;
    computed(op, [probs, dprobs], probs.shape(), |[p, dp]| cpu::softmax_backward(p, dp), kernels::softmax_backward)
}
