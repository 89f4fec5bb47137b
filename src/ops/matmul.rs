//! matmul, matmul_tn, matmul_nt: products of two matrices, one of which may be transposed.

use ndarray::{Array2, ArrayView2};

use super::{On, fits, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels::products;
use crate::gpu::{Buffer, Context};
use crate::host_memory::host_room;
use crate::matrix::Matrix;

/// The product A B, for A `m x k` and B `k x n`: the forward pass of a dense layer.
///
/// Error of each element against exact arithmetic: at most (k / 2 + 2) u (|A||B|), typically below √k u (|A||B|), u = 2⁻²³. Where
/// [matrix units](crate::guide::matrix_units) are turned on, numbers that are small compared with the largest of their row or column
/// lose more. Products of small integers are exact. A device may take terms below 2⁻¹²⁶ for 0, which adds up to k 2⁻¹²⁶.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless A has as many columns as B rows.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let a = Matrix::from_array(&device, array![[1., 2., 3.], [4., 5., 6.]].view())?;
/// let b = Matrix::from_array(&device, array![[1.], [0.], [-1.]].view())?;
/// assert_eq!(ops::matmul(&a, &b)?.to_array()?, array![[-2.], [-2.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn matmul(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    fits("matmul", "left columns must equal right rows", a, b, a.cols() == b.rows())?;
    product("matmul", [a, b], [a.rows(), b.cols(), a.cols()], cpu::matmul, products::matmul)
}

/// The product Aᵀ B, for A `k x m` and B `k x n`: the gradient of a dense layer's weights, dW = Xᵀ dY.
///
/// Error: that of [`matmul`]. On a GPU a long k is cut into slices, whose partial products are added along a fixed tree.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless A and B have as many rows.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let dy = Matrix::from_array(&device, array![[1.], [10.]].view())?;
/// assert_eq!(ops::matmul_tn(&x, &dy)?.to_array()?, array![[31.], [42.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn matmul_tn(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    fits("matmul_tn", "left rows must equal right rows", a, b, a.rows() == b.rows())?;
    product("matmul_tn", [a, b], [a.cols(), b.cols(), a.rows()], cpu::matmul_tn, products::matmul_tn)
}

/// The product A Bᵀ, for A `m x k` and B `n x k`: the gradient of a dense layer's input, dX = dY Wᵀ.
///
/// Error: that of [`matmul`].
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless A and B have as many columns.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let dy = Matrix::from_array(&device, array![[1., 10.]].view())?;
/// let w = Matrix::from_array(&device, array![[1., 2.], [3., 4.], [5., 6.]].view())?;
/// assert_eq!(ops::matmul_nt(&dy, &w)?.to_array()?, array![[21., 43., 65.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn matmul_nt(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    fits("matmul_nt", "left columns must equal right columns", a, b, a.cols() == b.cols())?;
    product("matmul_nt", [a, b], [a.rows(), b.rows(), a.cols()], cpu::matmul_nt, products::matmul_nt)
}

/// The product of two matrices that fit each other, `m x n` over k.
fn product(
    op: &'static str,
    operands: [&Matrix; 2],
    [m, n, k]: [usize; 3],
    on_cpu: impl FnOnce(ArrayView2<'_, f32>, ArrayView2<'_, f32>) -> Array2<f32>,
    on_gpu: impl FnOnce(&Context, &Buffer, &Buffer, [usize; 3]) -> Result<Buffer>,
) -> Result<Matrix> {
    let device = operands[0].device();
    match on(op, operands)? {
        On::Cpu([a, b]) => {
            host_room::<f32>(op, m, n)?;
            Ok(Matrix::on_cpu(device, on_cpu(a, b)))
        }
        On::Gpu(gpu, [a, b]) => Ok(Matrix::on_gpu(device, m, n, on_gpu(gpu, a, b, [m, n, k])?)),
    }
}
