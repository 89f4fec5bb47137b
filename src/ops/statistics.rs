//! Statistics: what a batch adds up to, made on the device and read when somebody asks.

use bytemuck::{Pod, Zeroable};

use super::BY_ROW;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Operand, Reading, RowLaunch, Window};
use crate::matrix::Matrix;
use crate::statistics::Statistics;
use crate::waiting::{Arrive, Waiting, at_once};

pub(super) static KERNEL: Kernel = Kernel {
    name: "statistics",
    file: "rows/statistics.wgsl",
    forms: Form::BY_LANES,
    params: size_of::<Window>(),
    buffers: &[Access::Read, Access::Write],
    overrides: BY_ROW,
    sizes: &[],
};

/// `Record` in `shaders/rows/statistics.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Record {
    pub loss: f32,
    pub weight: f32,
    pub correct: u32,
    pub rows: u32,
    pub non_finite: u32,
    pub first_bad: u32,
}

impl Record {
    /// Four-byte words in a record: a buffer of records has this many columns.
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

/// Statistics that the device may still be busy with.
///
/// ```
/// # use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Targets};
/// # let device = Device::cpu();
/// # let mut model = Mlp::new(&device, &[4, 3], 0)?;
/// # let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
/// # let (x, y) = (Matrix::zeros(&device, 2, 4)?, Targets::classes(&device, &[0u8, 2], 3)?);
/// let steps = [model.train_step(&x, &y, &mut optimizer)?, model.train_step(&x, &y, &mut optimizer)?];
/// // Nothing has waited so far.
/// println!("loss {:.3}", steps[1].read()?.mean_loss());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Debug)]
pub struct Pending(State);

#[derive(Debug)]
enum State {
    Ready(Statistics),
    Recorded(Buffer),
}

impl Pending {
    pub(crate) fn ready(statistics: Statistics) -> Self {
        Pending(State::Ready(statistics))
    }

    /// Made of records, in the order of the rows.
    pub(crate) fn recorded(records: Buffer) -> Self {
        Pending(State::Recorded(records))
    }

    /// Waits for them.
    ///
    /// # Errors
    /// As [`Matrix::to_array`](crate::Matrix::to_array).
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Targets};
    /// # let device = Device::cpu();
    /// # let mut model = Mlp::new(&device, &[4, 3], 0)?;
    /// # let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// # let (x, y) = (Matrix::zeros(&device, 2, 4)?, Targets::classes(&device, &[0u8, 2], 3)?);
    /// let step = model.train_step(&x, &y, &mut optimizer)?;
    /// assert_eq!(step.read()?.rows, 2);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn read(&self) -> Result<Statistics> {
        at_once(self.read_by(Waiting::Blocking))
    }

    /// [`Pending::read`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Matrix::to_array`](crate::Matrix::to_array).
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Targets};
    /// # let device = Device::cpu();
    /// # let mut model = Mlp::new(&device, &[4, 3], 0)?;
    /// # let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// # let (x, y) = (Matrix::zeros(&device, 2, 4)?, Targets::classes(&device, &[0u8, 2], 3)?);
    /// let step = model.train_step(&x, &y, &mut optimizer)?;
    /// assert_eq!(pollster::block_on(step.read_async())?.rows, 2);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn read_async(&self) -> Result<Statistics> {
        self.read_by(Waiting::Yielding).await
    }

    pub(crate) async fn read_by(&self, waiting: Waiting) -> Result<Statistics> {
        match &self.0 {
            State::Ready(statistics) => Ok(*statistics),
            State::Recorded(buffer) => Ok(joined(buffer.context().read(waiting, buffer).await?)),
        }
    }

    /// Starts to bring one back, and does not wait for it.
    pub(crate) fn read_later(self) -> Result<PendingRead> {
        match self.0 {
            State::Ready(statistics) => Ok(PendingRead::Ready(statistics)),
            State::Recorded(buffer) => Ok(PendingRead::Reading(buffer.context().read_later(&buffer)?)),
        }
    }

    /// Waits once for all of them, and for a single value beside them; all come from one device.
    pub(crate) async fn read_all(
        waiting: Waiting,
        all: &[Pending],
        beside: Option<&Matrix>,
    ) -> Result<(Vec<Statistics>, Option<f32>)> {
        let mut statistics = Vec::with_capacity(all.len());
        let mut buffers = Vec::new();
        for pending in all {
            match &pending.0 {
                State::Ready(ready) => statistics.push(*ready),
                State::Recorded(buffer) => buffers.push(buffer),
            }
        }
        let mut value = beside.and_then(|beside| beside.storage().cpu()).map(|beside| beside[[0, 0]]);
        let beside = beside.and_then(|beside| beside.storage().gpu());
        buffers.extend(beside);
        if let Some(buffer) = buffers.first() {
            let mut words: Vec<Vec<u32>> = buffer.context().read_each(waiting, &buffers).await?;
            if beside.is_some() {
                value = words.pop().and_then(|word| word.first().copied()).map(f32::from_bits);
            }
            statistics.extend(words.into_iter().map(|words| joined(bytemuck::pod_collect_to_vec(&words))));
        }
        Ok((statistics, value))
    }
}

/// Statistics that are here, or on their way from a device.
pub(crate) enum PendingRead {
    Ready(Statistics),
    Reading(Reading<Record>),
}

impl Arrive for PendingRead {
    type Values = Statistics;

    async fn arrive(self, waiting: Waiting, values: &mut Statistics) -> Result<()> {
        *values = match self {
            PendingRead::Ready(statistics) => statistics,
            PendingRead::Reading(reading) => {
                let mut records = Vec::new();
                reading.arrive_into(waiting, &mut records).await?;
                joined(records)
            }
        };
        Ok(())
    }
}

/// Records that the host joins by itself: a launch more would cost the device more than reading them does.
const MOST_RECORDS: usize = 1024;

/// What records of runs of rows, in order, add up to.
fn joined(records: Vec<Record>) -> Statistics {
    records.into_iter().map(Statistics::from).fold(Statistics::default(), |total, next| total.join(next, 0))
}

/// Joins records on the device until so few are left that the host can join them as it reads them.
pub(super) fn reduce(gpu: &Context, op: &'static str, records: Buffer, count: usize) -> Result<Buffer> {
    let (mut records, mut count) = (records, count);
    while count > MOST_RECORDS {
        let split = gpu.split_records(op, count)?;
        let out = gpu.buffer(op, split.groups(), Record::WORDS)?;
        split.launch(
            gpu,
            &RowLaunch {
                kernel: &KERNEL,
                inputs: 1,
                constants: &split.constants(),
                operands: &[Operand::PerRow(&records, Record::WORDS), Operand::PerGroup(&out, Record::WORDS)],
            },
            |window| window,
        )?;
        (records, count) = (out, split.groups());
    }
    Ok(records)
}
