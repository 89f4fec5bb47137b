//! Statistics that are read later: a device computes them while the host goes on.

use ndarray::Array2;

use super::matrix_reading::append;
use crate::error::Result;
use crate::gpu::kernels;
use crate::gpu::{Buffer, Reading};
use crate::matrix::Matrix;
use crate::statistics::Statistics;
use crate::waiting::{Arrive, Waiting, blocking_and_async};

/// Statistics that the device may still be computing.
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

impl Default for Pending {
    /// The statistics of no rows.
    fn default() -> Self {
        Pending::ready(Statistics::default())
    }
}

#[derive(Debug)]
enum State {
    Ready(Statistics),
    Recorded(Buffer),
}

impl Pending {
    /// Statistics that the host has.
    pub(crate) fn ready(statistics: Statistics) -> Self {
        Pending(State::Ready(statistics))
    }

    /// Statistics that are records on a device, in the order of the rows.
    pub(crate) fn recorded(records: Buffer) -> Self {
        Pending(State::Recorded(records))
    }

    blocking_and_async! {
        /// Waits for the statistics.
        ///
        /// # Errors
        /// As [`Matrix::to_array`](crate::Matrix::to_array).
        pub fn read, read_async(&self) -> Result<Statistics> = |waiting| {
            self.read_by(waiting).await
        }
    }

    pub(crate) async fn read_by(&self, waiting: Waiting) -> Result<Statistics> {
        match &self.0 {
            State::Ready(statistics) => Ok(*statistics),
            State::Recorded(buffer) => Ok(kernels::joined(buffer.context().read(waiting, buffer).await?)),
        }
    }

    /// Starts to read the statistics without waiting for them.
    pub(crate) fn read_later(self) -> Result<PendingRead> {
        match self.0 {
            State::Ready(statistics) => Ok(PendingRead::Ready(statistics)),
            State::Recorded(buffer) => Ok(PendingRead::Reading(buffer.context().read_later(&buffer)?)),
        }
    }

    /// Reads several statistics and the values of some matrices with a single wait. All must be on one device.
    pub(crate) async fn read_all(
        waiting: Waiting,
        all: &[Pending],
        beside: &[Matrix],
    ) -> Result<(Vec<Statistics>, Vec<Vec<f32>>)> {
        let mut statistics = Vec::with_capacity(all.len());
        let mut buffers = Vec::new();
        for pending in all {
            match &pending.0 {
                State::Ready(ready) => statistics.push(*ready),
                State::Recorded(buffer) => buffers.push(buffer),
            }
        }
        let flat = |array: &Array2<f32>| {
            let mut values = Vec::with_capacity(array.len());
            append(array, &mut values);
            values
        };
        let mut values: Vec<_> = beside.iter().filter_map(|beside| beside.storage().cpu()).map(flat).collect();
        let recorded = buffers.len();
        buffers.extend(beside.iter().filter_map(|beside| beside.storage().gpu()));
        if let Some(buffer) = buffers.first() {
            let mut words: Vec<Vec<u32>> = buffer.context().read_each(waiting, &buffers).await?;
            let floats = |words: Vec<u32>| words.into_iter().map(f32::from_bits).collect();
            values.extend(words.split_off(recorded).into_iter().map(floats));
            statistics.extend(words.into_iter().map(|words| kernels::joined(bytemuck::pod_collect_to_vec(&words))));
        }
        Ok((statistics, values))
    }
}

/// Statistics that the host has, or that a device is sending.
pub(crate) enum PendingRead {
    Ready(Statistics),
    Reading(Reading<kernels::Record>),
}

impl Arrive for PendingRead {
    type Values = Statistics;

    async fn arrive(self, waiting: Waiting, values: &mut Statistics) -> Result<()> {
        *values = match self {
            PendingRead::Ready(statistics) => statistics,
            PendingRead::Reading(reading) => {
                let mut records = Vec::new();
                reading.arrive_into(waiting, &mut records).await?;
                kernels::joined(records)
            }
        };
        Ok(())
    }
}
