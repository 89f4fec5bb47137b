//! The kernel of accuracy, which counts the rows whose first maximum is in the column of the target's class.

use super::constants::{BY_ROW_AND_TARGETS, row_constants};
use super::statistics::{self, Record};
use super::target_buffer::TargetBuffer;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Operand, RowLaunch, Window};

const OP: &str = "accuracy";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "rows/accuracy.wgsl",
    forms: Form::BY_LANES_ALONG,
    params: size_of::<Window>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: BY_ROW_AND_TARGETS,
    sizes: &["HELD"],
};

/// The number of hits and the number of rows, as records of statistics.
pub(crate) fn hits(
    gpu: &Context,
    scores: &Buffer,
    targets: TargetBuffer<'_>,
    (rows, cols): (usize, usize),
) -> Result<Buffer> {
    let split = gpu.split_rows(OP, rows, cols, cols)?;
    let records = gpu.buffer(OP, split.groups(), Record::WORDS)?;
    let launch = RowLaunch {
        kernel: &KERNEL,
        inputs: 1,
        constants: &row_constants(&split, "DISTRIBUTIONS", targets.are_distributions()),
        operands: &[Operand::Matrix(scores), targets.operand(), Operand::PerGroup(&records, Record::WORDS)],
    };
    split.launch(gpu, &launch, |window| window)?;
    statistics::reduce(gpu, OP, records, split.groups())
}
