//! The kernels of softmax, log_softmax and softmax_backward.

use super::constants::{BY_ROW, flag};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Constant, Context, Form, Kernel, Operand, RowLaunch, Window};

/// The kernels of softmax and log_softmax, which share a template; `LOG` tells them apart.
const fn forward_kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "rows/softmax.wgsl",
        forms: Form::BY_LANES_ALONG,
        params: size_of::<Window>(),
        buffers: &[Access::Read, Access::Write],
        overrides: &["LANES", "ROWS", "FAN", "LOG"],
        sizes: &["HELD"],
    }
}

static SOFTMAX: Kernel = forward_kernel("softmax");
static LOG_SOFTMAX: Kernel = forward_kernel("log_softmax");
static SOFTMAX_BACKWARD: Kernel = Kernel {
    name: "softmax_backward",
    file: "rows/softmax_backward.wgsl",
    forms: Form::BY_LANES_ALONG,
    params: size_of::<Window>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: BY_ROW,
    sizes: &["HELD"],
};
#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 3] = [&SOFTMAX, &LOG_SOFTMAX, &SOFTMAX_BACKWARD];

/// The probabilities of logits, of the logits' shape.
pub(crate) fn softmax(gpu: &Context, logits: [&Buffer; 1], shape: (usize, usize)) -> Result<Buffer> {
    launch(gpu, &SOFTMAX, &[("LOG", flag(false))], &logits, shape)
}

/// The logarithms of the probabilities of logits, of the logits' shape.
pub(crate) fn log_softmax(gpu: &Context, logits: [&Buffer; 1], shape: (usize, usize)) -> Result<Buffer> {
    launch(gpu, &LOG_SOFTMAX, &[("LOG", flag(true))], &logits, shape)
}

/// The gradient of the logits, from the probabilities and their gradient; all three have one shape.
pub(crate) fn softmax_backward(gpu: &Context, [probs, dprobs]: [&Buffer; 2], shape: (usize, usize)) -> Result<Buffer> {
    launch(gpu, &SOFTMAX_BACKWARD, &[], &[probs, dprobs], shape)
}

fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    flags: &[Constant],
    inputs: &[&Buffer],
    (rows, cols): (usize, usize),
) -> Result<Buffer> {
    let split = gpu.split_rows(kernel.name, rows, cols, cols)?;
    let out = gpu.buffer(kernel.name, rows, cols)?;
    let launch = RowLaunch {
        kernel,
        inputs: inputs.len() as u32,
        constants: &[&split.constants(), flags].concat(),
        operands: &inputs.iter().copied().chain([&out]).map(Operand::Matrix).collect::<Vec<_>>(),
    };
    split.launch(gpu, &launch, |window| window)?;
    Ok(out)
}
