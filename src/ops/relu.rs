//! relu, its mask, and its gradient.

use super::operands::computed;
use super::same_shape;
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
    computed("relu", [x], x.shape(), |[x]| cpu::relu(x), kernels::relu)
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
    computed("relu_mask", [x], x.shape(), |[x]| cpu::relu_mask(x), kernels::relu_mask)
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
    computed("relu_backward", [x, dy], x.shape(), |[x, dy]| cpu::relu_backward(x, dy), kernels::relu_backward)
}
