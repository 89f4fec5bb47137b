//! relu, its mask, and its gradient.

use bytemuck::{Pod, Zeroable};

use super::{ELEMENTWISE, On, flag, on, same_shape};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, ElementLaunch, Form, Kernel, LinearGrid, Operand};
use crate::matrix::Matrix;

const fn family(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "elements/relu.wgsl",
        forms: Form::BY_FOUR,
        params: size_of::<Params>(),
        buffers: &[Access::Read, Access::Write],
        overrides: &["THREADS", "PER_THREAD", "MASK"],
        sizes: &[],
    }
}

static RELU: Kernel = family("relu");
static RELU_MASK: Kernel = family("relu_mask");
static RELU_BACKWARD: Kernel = Kernel {
    name: "relu_backward",
    file: "elements/relu.wgsl",
    forms: Form::BY_FOUR,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &[],
};
#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 3] = [&RELU, &RELU_MASK, &RELU_BACKWARD];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
}

/// max(X, 0), element by element; NaN stays NaN, as in NumPy's `maximum`. Exact.
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
        On::Gpu(gpu, [values]) => record(gpu, &RELU, Some(false), x, &[values]),
    }
}

/// 1 where X > 0, else 0, also at NaN: what [`relu`]'s gradient multiplies with. Exact.
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
        On::Gpu(gpu, [values]) => record(gpu, &RELU_MASK, Some(true), x, &[values]),
    }
}

/// dY where X > 0, else 0: the gradient of [`relu`] at its input X, taken as 0 at X = 0. Exact.
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
        On::Gpu(gpu, [values, dy]) => record(gpu, &RELU_BACKWARD, None, x, &[values, dy]),
    }
}

/// Records one of the three kernels; the result has the shape of `x`.
fn record(
    gpu: &Context,
    kernel: &'static Kernel,
    mask: Option<bool>,
    x: &Matrix,
    inputs: &[&Buffer],
) -> Result<Matrix> {
    let out = gpu.buffer(kernel.name, x.rows(), x.cols())?;
    let mut constants = LinearGrid::constants().to_vec();
    constants.extend(mask.map(|mask| ("MASK", flag(mask))));
    gpu.launch_elements(
        gpu.split_flat(x.elements()),
        &ElementLaunch {
            kernel,
            constants: &constants,
            operands: &inputs.iter().copied().chain([&out]).map(Operand::Matrix).collect::<Vec<_>>(),
        },
        |block, width| Params { count: block.words() / width },
    )?;
    Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), out))
}
