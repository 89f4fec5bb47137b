//! linear: a dense layer's forward pass in one kernel.

use super::{On, fits, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels::products;
use crate::host_memory::host_room;
use crate::matrix::Matrix;
use crate::options::Activation;

/// A linear layer with an activation: act(X W + b), for X `rows x inputs`, W `inputs x outputs` and b `1 x outputs`, in one pass.
///
/// Error: that of [`matmul`](super::matmul), and at most u |X W + b| for the sum with the bias, u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless X has as many columns as W rows, and b is one row as wide as W.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.]].view())?;
/// let w = Matrix::from_array(&device, array![[1., -1.], [1., -1.]].view())?;
/// let b = Matrix::from_array(&device, array![[0.5, 0.5]].view())?;
/// assert_eq!(ops::linear(&x, &w, &b, ops::Activation::Relu)?.to_array()?, array![[3.5, 0.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn linear(x: &Matrix, weights: &Matrix, bias: &Matrix, activation: Activation) -> Result<Matrix> {
    fits("linear", "input columns must equal weight rows", x, weights, x.cols() == weights.rows())?;
    let rule = "the bias must be one row with a value for each weight column";
    fits("linear", rule, weights, bias, bias.shape() == (1, weights.cols()))?;
    match on("linear", [x, weights, bias])? {
        On::Cpu([input, w, b]) => {
            host_room::<f32>("linear", x.rows(), weights.cols())?;
            Ok(Matrix::on_cpu(x.device(), cpu::linear(input, w, b.row(0), activation == Activation::Relu)))
        }
        On::Gpu(gpu, [input, w, b]) => {
            let (m, n, k) = (x.rows(), weights.cols(), x.cols());
            let out = products::linear(gpu, [input, w, b], activation, [m, n, k])?;
            Ok(Matrix::on_gpu(x.device(), m, n, out))
        }
    }
}
