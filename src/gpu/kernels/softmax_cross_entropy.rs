//! The kernel of softmax_cross_entropy.

use bytemuck::{Pod, Zeroable};

use super::loss_parameters::{LossInputs, LossParameters};
use super::statistics::{self, Record};
use crate::error::Result;
use crate::gpu::Access::{Read, Write};
use crate::gpu::{Buffer, Context, Form, Kernel, Operand, RowLaunch, Window};

const OP: &str = "softmax_cross_entropy";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "rows/softmax_cross_entropy.wgsl",
    forms: Form::BY_LANES_ALONG,
    params: size_of::<Params>(),
    buffers: &[Read, Read, Read, Read, Read, Write, Write, Write],
    overrides: &["LANES", "ROWS", "FAN", "DISTRIBUTIONS", "SPREAD"],
    sizes: &["HELD"],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    window: Window,
    loss: LossParameters,
}

/// The results of a kernel of losses.
#[derive(Debug)]
pub(crate) struct LossBuffers {
    /// The loss of each row.
    pub losses: Buffer,
    /// The gradient of the logits.
    pub dlogits: Buffer,
    /// Records of statistics, in the order of the rows.
    pub records: Buffer,
}

/// The losses of logits, their gradient and statistics.
pub(crate) fn softmax_cross_entropy(gpu: &Context, logits: &Buffer, loss: &LossInputs<'_>) -> Result<LossBuffers> {
    let split = gpu.split_rows(OP, loss.rows, loss.classes, loss.classes)?;
    let divisor = loss.divisor(gpu, OP)?;
    let dlogits = gpu.buffer(OP, loss.rows, loss.classes)?;
    let losses = gpu.buffer(OP, loss.rows, 1)?;
    let records = gpu.buffer(OP, split.groups(), Record::WORDS)?;
    let parameters = loss.parameters(divisor.is_some());
    let [weights, samples, divisor] = loss.operands(divisor.as_ref(), &Operand::Matrix(logits));
    let [lanes, rows, fan] = split.constants();
    let launch = RowLaunch {
        kernel: &KERNEL,
        inputs: 1,
        constants: &[lanes, rows, fan, loss.distributions(), loss.spread()],
        operands: &[
            Operand::Matrix(logits),
            loss.targets.operand(),
            weights,
            samples,
            divisor,
            Operand::Matrix(&dlogits),
            Operand::PerRow(&losses, 1),
            Operand::PerGroup(&records, Record::WORDS),
        ],
    };
    split.launch(gpu, &launch, |window| Params { window, loss: parameters })?;
    Ok(LossBuffers { losses, dlogits, records: statistics::reduce(gpu, OP, records, split.groups())? })
}
