//! bias_add: a bias for each column, added to every row.

use super::fits;
use super::operands::computed;
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;

/// Adds a bias to every row: X + b, for X `rows x cols` and b `1 x cols`.
///
/// Error: one rounding, at most u |x + b| / 2 with u = 2⁻²³, and 2⁻¹²⁶ for each of x and b, since smaller numbers may count as 0.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless b is one row as wide as X.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let b = Matrix::from_array(&device, array![[10., 20.]].view())?;
/// assert_eq!(ops::bias_add(&x, &b)?.to_array()?, array![[11., 22.], [13., 24.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn bias_add(x: &Matrix, bias: &Matrix) -> Result<Matrix> {
    let rule = "the bias must be one row with a value for each column";
    fits("bias_add", rule, x, bias, bias.shape() == (1, x.cols()))?;
    computed("bias_add", [x, bias], x.shape(), |[x, bias]| cpu::bias_add(x, bias.row(0)), kernels::bias_add)
}
