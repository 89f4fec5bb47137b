//! column_sum: the gradient of a bias, and every other sum over rows.

use super::{On, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;

/// The sum of each column, Σ_r X, as one row. It is the gradient of a bias.
///
/// The rows are added along a fixed tree, in which only short runs are added one by one. The error is at most
/// (16 + log₂ rows) u Σ_r |x| with u = 2⁻²³, and 2⁻¹²⁶ for each row, since a sum or a term below that may come out as 0.
///
/// # Errors
/// None of its own.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_array(&Device::cpu(), array![[1., 2.], [3., 4.], [5., 6.]].view())?;
/// assert_eq!(ops::column_sum(&x)?.to_array()?, array![[9., 12.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn column_sum(x: &Matrix) -> Result<Matrix> {
    match on("column_sum", [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::column_sum(values))),
        On::Gpu(gpu, [values]) => {
            Ok(Matrix::on_gpu(x.device(), 1, x.cols(), kernels::column_sum(gpu, "column_sum", values, x.shape())?))
        }
    }
}
