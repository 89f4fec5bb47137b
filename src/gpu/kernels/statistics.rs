//! The kernel of statistics. Other kernels make records of losses and hits; this one joins them until few are left.

use bytemuck::{Pod, Zeroable};

use super::constants::BY_ROW;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Operand, RowLaunch, Window};
use crate::statistics::Statistics;

pub(super) static KERNEL: Kernel = Kernel {
    name: "statistics",
    file: "rows/statistics.wgsl",
    forms: Form::BY_LANES,
    params: size_of::<Window>(),
    buffers: &[Access::Read, Access::Write],
    overrides: BY_ROW,
    sizes: &[],
};

/// The statistics of a run of rows: `Record` in `shaders/rows/records.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Record {
    loss: f32,
    weight: f32,
    correct: u32,
    rows: u32,
    non_finite: u32,
    first_bad: u32,
}

impl Record {
    /// Four-byte words of a record: a buffer of records has this many columns.
    pub const WORDS: usize = size_of::<Record>() / 4;
}

impl From<Record> for Statistics {
    fn from(record: Record) -> Self {
        Statistics {
            loss_sum: record.loss.into(),
            weight_sum: record.weight.into(),
            correct: record.correct.into(),
            rows: record.rows.into(),
            non_finite_rows: record.non_finite.into(),
            first_bad_row: (record.non_finite > 0).then_some(record.first_bad.into()),
        }
    }
}

/// The most records that are left for the host to join. Reading them takes less time than one more launch.
const MOST_RECORDS: usize = 1024;

/// The statistics of all rows, joined from the records of runs of rows, in their order.
pub(crate) fn joined(records: Vec<Record>) -> Statistics {
    records.into_iter().map(Statistics::from).fold(Statistics::default(), |total, next| total.join(next, 0))
}

/// Joins `count` records on the device until at most [`MOST_RECORDS`] are left, which the host joins as it reads them.
pub(super) fn reduce(gpu: &Context, op: &'static str, records: Buffer, count: usize) -> Result<Buffer> {
    let (mut records, mut count) = (records, count);
    while count > MOST_RECORDS {
        let split = gpu.split_records(op, count)?;
        let out = gpu.buffer(op, split.groups(), Record::WORDS)?;
        let launch = RowLaunch {
            kernel: &KERNEL,
            inputs: 1,
            constants: &split.constants(),
            operands: &[Operand::PerRow(&records, Record::WORDS), Operand::PerGroup(&out, Record::WORDS)],
        };
        split.launch(gpu, &launch, |window| window)?;
        (records, count) = (out, split.groups());
    }
    Ok(records)
}
