//! linear_backward: the gradient of a dense layer's input, through the ReLU whose output this input is.

use super::{On, fits, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels::products;
use crate::host_memory::host_room;
use crate::matrix::Matrix;

const OP: &str = "linear_backward";

/// The gradient of a linear layer's input, with the mask of the ReLU before the layer: dY Wᵀ where X is positive, else 0. dY is
/// `rows x outputs`, W `inputs x outputs` and X `rows x inputs`. X is the layer's input and the ReLU's output, so the result is the
/// gradient of the ReLU's input. One pass computes the product and applies the mask.
///
/// Error: that of [`matmul_nt`](super::matmul_nt). The gradient at 0 is 0.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless dY has as many columns as W, and X has the shape of dY Wᵀ.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let dy = Matrix::from_array(&device, array![[1., 10.]].view())?;
/// let w = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let x = Matrix::from_array(&device, array![[0.5, 0.]].view())?;
/// assert_eq!(ops::linear_backward(&dy, &w, &x)?.to_array()?, array![[21., 0.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn linear_backward(dy: &Matrix, weights: &Matrix, x: &Matrix) -> Result<Matrix> {
    let (m, n, k) = (dy.rows(), weights.rows(), dy.cols());
    fits(OP, "gradient columns must equal weight columns", dy, weights, k == weights.cols())?;
    fits(OP, "the input must have the gradient's rows", dy, x, x.rows() == m)?;
    fits(OP, "input columns must equal weight rows", x, weights, x.cols() == n)?;
    match on(OP, [dy, weights, x])? {
        On::Cpu([dy_values, w, input]) => {
            host_room::<f32>(OP, m, n)?;
            Ok(Matrix::on_cpu(dy.device(), cpu::linear_backward(dy_values, w, input)))
        }
        On::Gpu(gpu, [gradient, w, input]) => {
            let out = products::linear_backward(gpu, [gradient, w, input], [m, n, k])?;
            Ok(Matrix::on_gpu(dy.device(), m, n, out))
        }
    }
}
