//! The kernel of dense_backward: all gradients of a small dense layer in one launch.

use bytemuck::{Pod, Zeroable};

use super::plain::PlainGrid;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, View};

pub(in crate::gpu::kernels) static KERNEL: Kernel = Kernel {
    name: "dense_backward",
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

/// Writes dW to `parameters`, and db `sums_at` words behind the start of dW. Returns dX.
pub(crate) fn dense_backward(
    gpu: &Context,
    [x, dy, weights]: [&Buffer; 3],
    [rows, inputs, outputs]: [usize; 3],
    parameters: &Buffer,
    sums_at: usize,
) -> Result<Buffer> {
    let dx = gpu.buffer(KERNEL.name, rows, inputs)?;
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
