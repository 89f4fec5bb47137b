//! relu, its mask, and its gradient.

use super::{On, on, same_shape};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;

/// ReLU of each element: max(X, 0). NaN stays NaN, as in NumPy's `maximum`. Exact.
///
/// # Errors
/// None of its own.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_array(&Device::cpu(), array![[-1., 0., 2.]].view())?;
/// assert_eq!(ops::relu(&x)?.to_array()?, array![[0., 0., 2.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn relu(x: &Matrix) -> Result<Matrix> {
    match on("relu", [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::relu(values))),
        On::Gpu(gpu, [values]) => {
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), kernels::relu(gpu, values, x.shape())?))
        }
    }
}

/// The mask of [`relu`], 1\[X > 0\]: 1 where X > 0, else 0, also where X is NaN. The gradient is multiplied by it. Exact.
///
/// # Errors
/// None of its own.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_array(&Device::cpu(), array![[-1., 0., 2.]].view())?;
/// assert_eq!(ops::relu_mask(&x)?.to_array()?, array![[0., 0., 1.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn relu_mask(x: &Matrix) -> Result<Matrix> {
    match on("relu_mask", [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::relu_mask(values))),
        On::Gpu(gpu, [values]) => {
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), kernels::relu_mask(gpu, values, x.shape())?))
        }
    }
}

/// The gradient of [`relu`]'s input X: dY where X > 0, else 0, also at X = 0. Exact.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless X and dY have one shape.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[-1., 0., 2.]].view())?;
/// let dy = Matrix::from_array(&device, array![[5., 6., 7.]].view())?;
/// assert_eq!(ops::relu_backward(&x, &dy)?.to_array()?, array![[0., 0., 7.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn relu_backward(x: &Matrix, dy: &Matrix) -> Result<Matrix> {
    same_shape("relu_backward", x, dy)?;
    match on("relu_backward", [x, dy])? {
        On::Cpu([values, dy]) => Ok(Matrix::on_cpu(x.device(), cpu::relu_backward(values, dy))),
        On::Gpu(gpu, operands) => {
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), kernels::relu_backward(gpu, operands, x.shape())?))
        }
    }
}
