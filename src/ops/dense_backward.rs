//! dense_backward: what a hidden dense layer's backward pass gives, in one launch where that pays.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::gradients::Gradients;
#[cfg(doc)]
use super::linear_backward::linear_backward;
use crate::error::Result;
use crate::gpu::kernels::software::PlainGrid;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, View};
use crate::matrix::Matrix;

const OP: &str = "dense_backward";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "software/dense_backward.wgsl",
    forms: Form::PLAIN,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Read, Access::Write, Access::Write],
    overrides: &["THREADS"],
    sizes: &[],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    inputs: u32,
    outputs: u32,
    sums_at: u32,
}

/// dW = Xᵀ dY, db = Σ_r dY, and dX = dY Wᵀ where X is positive, else 0, for X `rows x inputs`, dY `rows x outputs` and W
/// `inputs x outputs`: [`linear_gradients`](super::linear_gradients) and [`linear_backward`] in one call, and where the layer
/// is small and the device a software driver in one launch.
///
/// Error: those ops'.
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
    let mut gradients = Gradients::new(x.device(), x.rows(), &[(x.cols(), dy.cols())])?;
    let dx = gradients.set_and_go_back(0, x, dy, weights)?;
    let (dweights, dbiases) = gradients.of_pair(x.device(), 0)?;
    Ok((dweights, dbiases, dx))
}

/// Records all three in one launch: dW and, `sums_at` words behind its start, db go to `parameters`; gives dX.
pub(super) fn record(
    gpu: &Context,
    [x, dy, weights]: [&Buffer; 3],
    [rows, inputs, outputs]: [usize; 3],
    parameters: &Arc<Buffer>,
    sums_at: usize,
) -> Result<Buffer> {
    let dx = gpu.buffer(OP, rows, inputs)?;
    let params = Params { rows: rows as u32, inputs: inputs as u32, outputs: outputs as u32, sums_at: sums_at as u32 };
    gpu.launch(Launch {
        kernel: &KERNEL,
        constants: &PlainGrid::constants(),
        params,
        buffers: &[x, dy, weights, parameters, &dx].map(View::from),
        groups: PlainGrid::groups(PlainGrid::blocks(inputs, outputs) + PlainGrid::blocks(rows, inputs)),
    })?;
    Ok(dx)
}
