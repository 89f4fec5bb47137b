//! The kernels of relu, relu_mask and relu_backward.

use bytemuck::{Pod, Zeroable};

use super::constants::{ELEMENTWISE, flag};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Constant, Context, ElementLaunch, Form, Kernel, LinearGrid, Operand};

/// The kernels of relu and relu_mask, which share a template; `MASK` tells them apart.
const fn forward_kernel(name: &'static str) -> Kernel {
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

static RELU: Kernel = forward_kernel("relu");
static RELU_MASK: Kernel = forward_kernel("relu_mask");
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

/// ReLU: max(X, 0), of X's shape.
pub(crate) fn relu(gpu: &Context, x: [&Buffer; 1], shape: (usize, usize)) -> Result<Buffer> {
    launch(gpu, &RELU, &[("MASK", flag(false))], &x, shape)
}

/// The mask of ReLU: 1 where X > 0, else 0, of X's shape.
pub(crate) fn relu_mask(gpu: &Context, x: [&Buffer; 1], shape: (usize, usize)) -> Result<Buffer> {
    launch(gpu, &RELU_MASK, &[("MASK", flag(true))], &x, shape)
}

/// The gradient of X, from X and the gradient of its ReLU; all three have one shape.
pub(crate) fn relu_backward(gpu: &Context, [x, dy]: [&Buffer; 2], shape: (usize, usize)) -> Result<Buffer> {
    launch(gpu, &RELU_BACKWARD, &[], &[x, dy], shape)
}

fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    flags: &[Constant],
    inputs: &[&Buffer],
    (rows, cols): (usize, usize),
) -> Result<Buffer> {
    let out = gpu.buffer(kernel.name, rows, cols)?;
    let launch = ElementLaunch {
        kernel,
        constants: &[&LinearGrid::constants(), flags].concat(),
        operands: &inputs.iter().copied().chain([&out]).map(Operand::Matrix).collect::<Vec<_>>(),
    };
    let split = gpu.split_flat(rows as u64 * cols as u64);
    gpu.launch_elements(split, &launch, |block, width| Params { count: block.words() / width })?;
    Ok(out)
}
