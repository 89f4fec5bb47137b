//! The kernels of softmax, log_softmax and softmax_backward.

use super::constants::{BY_ROW, row_constants};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Operand, RowLaunch, Window};

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
pub(crate) fn softmax(gpu: &Context, logits: &Buffer, shape: (usize, usize)) -> Result<Buffer> {
    forward(gpu, &SOFTMAX, false, logits, shape)
}

/// The logarithms of the probabilities of logits, of the logits' shape.
pub(crate) fn log_softmax(gpu: &Context, logits: &Buffer, shape: (usize, usize)) -> Result<Buffer> {
    forward(gpu, &LOG_SOFTMAX, true, logits, shape)
}

fn forward(
    gpu: &Context,
    kernel: &'static Kernel,
    log: bool,
    logits: &Buffer,
    (rows, cols): (usize, usize),
) -> Result<Buffer> {
    let split = gpu.split_rows(kernel.name, rows, cols, cols)?;
    let out = gpu.buffer(kernel.name, rows, cols)?;
    let launch = RowLaunch {
        kernel,
        inputs: 1,
        constants: &row_constants(&split, "LOG", log),
        operands: &[Operand::Matrix(logits), Operand::Matrix(&out)],
    };
    split.launch(gpu, &launch, |window| window)?;
    Ok(out)
}

/// The gradient of the logits, from the probabilities and their gradient; all three have one shape.
pub(crate) fn softmax_backward(
    gpu: &Context,
    [probs, dprobs]: [&Buffer; 2],
    (rows, cols): (usize, usize),
) -> Result<Buffer> {
    let split = gpu.split_rows(SOFTMAX_BACKWARD.name, rows, cols, cols)?;
    let out = gpu.buffer(SOFTMAX_BACKWARD.name, rows, cols)?;
    let launch = RowLaunch {
        kernel: &SOFTMAX_BACKWARD,
        inputs: 2,
        constants: &split.constants(),
        operands: &[Operand::Matrix(probs), Operand::Matrix(dprobs), Operand::Matrix(&out)],
    };
    split.launch(gpu, &launch, |window| window)?;
    Ok(out)
}
