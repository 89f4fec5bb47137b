//! Streaming: the rows go through a model batch by batch, with two batches in flight.

use std::ops::Range;

use super::model::Mlp;
use crate::error::{Error, Result};
use crate::matrix::Matrix;
use crate::waiting::{Arrive, Waiting};

/// The approximate number of values of a batch in the widest layer.
const BATCH_VALUES: usize = 1 << 22;

/// A batch in flight: its results have not arrived from the device.
pub(super) struct InFlight<R> {
    results: R,
    /// The batch's features. They are kept until the results arrive: if they were freed earlier, the pool would give their buffer
    /// to the next batch, and two batches in flight would share it.
    _input: Matrix,
}

impl<R> InFlight<R> {
    pub fn new(results: R, input: Matrix) -> Self {
        InFlight { results, _input: input }
    }
}

impl Mlp {
    /// Streams the rows in batches. Two batches are in flight: while the device works on one, the next is uploaded.
    ///
    /// `start` records a batch of rows. Its results are put into `values`, in the order of the rows. Then `arrived` is called
    /// with the values and with the number of rows in the batch. When the device's memory runs out, the batch before is finished
    /// first. If that does not help, batches become half as long.
    pub(super) async fn stream<R: Arrive>(
        &self,
        waiting: Waiting,
        rows: usize,
        mut start: impl FnMut(Range<usize>) -> Result<InFlight<R>>,
        values: &mut R::Values,
        mut arrived: impl FnMut(&mut R::Values, usize),
    ) -> Result<()> {
        let mut in_flight: Option<(InFlight<R>, usize)> = None;
        let (mut first, mut batch) = (0, self.batch_rows());
        while first < rows || in_flight.is_some() {
            let range = first..rows.min(first.saturating_add(batch));
            if !range.is_empty() {
                self.device.make_room(waiting).await?;
            }
            let before = match (!range.is_empty()).then(|| start(range.clone())).transpose() {
                Ok(started) => {
                    first = range.end;
                    std::mem::replace(&mut in_flight, started.map(|started| (started, range.len())))
                }
                Err(Error::OutOfMemory { .. }) if in_flight.is_some() => in_flight.take(),
                Err(Error::OutOfMemory { .. }) if range.len() > 1 => {
                    batch = range.len() / 2;
                    log::warn!("out of device memory: going on with batches of {batch} rows");
                    None
                }
                Err(error) => return Err(error),
            };
            if let Some((InFlight { results, _input }, rows)) = before {
                results.arrive(waiting, values).await?;
                arrived(values, rows);
            }
        }
        Ok(())
    }

    /// The number of rows in a batch. It is chosen so that the widest layer holds about [`BATCH_VALUES`] values.
    pub(crate) fn batch_rows(&self) -> usize {
        let widest = self.layers.iter().map(|layer| layer.weights().cols()).fold(self.inputs(), usize::max);
        (BATCH_VALUES / widest).max(1)
    }
}
