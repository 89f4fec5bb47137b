//! The kernels of nll and nll_backward.

use bytemuck::{Pod, Zeroable};

use super::constants::{BY_ROW_AND_TARGETS, row_constants};
use super::loss_parameters::{LossInputs, LossParameters};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, ElementLaunch, Form, Kernel, LinearGrid, Operand, RowLaunch, Window};

static NLL: Kernel = Kernel {
    name: "nll",
    file: "rows/nll.wgsl",
    forms: Form::BY_LANES,
    params: size_of::<Params>(),
    buffers: BUFFERS,
    overrides: BY_ROW_AND_TARGETS,
    sizes: &[],
};
static NLL_BACKWARD: Kernel = Kernel {
    name: "nll_backward",
    file: "rows/nll_backward.wgsl",
    forms: Form::FOURS,
    params: size_of::<BackwardParams>(),
    buffers: BUFFERS,
    overrides: &["THREADS", "PER_THREAD", "DISTRIBUTIONS"],
    sizes: &[],
};
const BUFFERS: &[Access] = &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Read, Access::Write];
#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 2] = [&NLL, &NLL_BACKWARD];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    window: Window,
    loss: LossParameters,
    low: f32,
    high: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct BackwardParams {
    loss: LossParameters,
    count: u32,
    classes: u32,
    low: f32,
    high: f32,
    nan: f32,
}

/// The rows' losses; probabilities are clipped to `[low, high]`.
pub(crate) fn nll(gpu: &Context, probs: &Buffer, loss: &LossInputs<'_>, [low, high]: [f32; 2]) -> Result<Buffer> {
    let op = NLL.name;
    // With class ids and without smoothing a row reads a single probability, for which one lane is enough.
    let whole = loss.targets.are_distributions() || loss.label_smoothing > 0.0;
    let split = gpu.split_rows(op, loss.rows, loss.classes, if whole { loss.classes } else { 1 })?;
    let out = gpu.buffer(op, loss.rows, 1)?;
    let [weights, samples, divisor] = loss.operands(None, &Operand::Matrix(probs));
    let launch = RowLaunch {
        kernel: &NLL,
        inputs: 1,
        constants: &row_constants(&split, "DISTRIBUTIONS", loss.targets.are_distributions()),
        operands: &[
            Operand::Matrix(probs),
            loss.targets.operand(),
            weights,
            samples,
            divisor,
            Operand::PerRow(&out, 1),
        ],
    };
    let parameters = loss.parameters(false);
    split.launch(gpu, &launch, |window| Params { window, loss: parameters, low, high })?;
    Ok(out)
}

/// The gradient of the probabilities, which are clipped as in [`nll`].
pub(crate) fn nll_backward(
    gpu: &Context,
    probs: &Buffer,
    loss: &LossInputs<'_>,
    [low, high]: [f32; 2],
) -> Result<Buffer> {
    let op = NLL_BACKWARD.name;
    let split = gpu.split_whole_rows(op, loss.rows, loss.classes)?;
    let divisor = loss.divisor(gpu, op)?;
    let out = gpu.buffer(op, loss.rows, loss.classes)?;
    let [threads, per_thread] = LinearGrid::constants();
    let parameters = loss.parameters(divisor.is_some());
    let [weights, samples, divisor] = loss.operands(divisor.as_ref(), &Operand::Matrix(probs));
    let launch = ElementLaunch {
        kernel: &NLL_BACKWARD,
        constants: &[threads, per_thread, loss.distributions()],
        operands: &[Operand::Matrix(probs), loss.targets.operand(), weights, samples, divisor, Operand::Matrix(&out)],
    };
    gpu.launch_elements(split, &launch, |block, width| BackwardParams {
        loss: parameters,
        count: block.words() / width,
        classes: loss.classes as u32,
        low,
        high,
        nan: f32::NAN,
    })?;
    Ok(out)
}
