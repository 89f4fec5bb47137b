//! Feed: the batches of an epoch one after another, read ahead or when their turn comes, and how long the device waited.

use std::sync::Arc;
use std::time::Duration;

use web_time::Instant;

use super::batches::{Batch, LabelledRows};
use super::read_ahead::ReadAhead;
use super::row_numbers::RowNumbers;
use super::training::Training;
use crate::device::Device;
use crate::error::Result;
use crate::gathered::is_idle;
use crate::matrix::Matrix;
use crate::waiting::Waiting;

/// A read that is shorter than this is not worth the question whether the device waits for it.
const LEAST_READ: Duration = Duration::from_millis(1);
/// An epoch that is shorter than this says nothing about the source.
const LEAST_EPOCH: Duration = Duration::from_millis(100);
/// The share of an epoch that the device may wait before the source is called slow.
const MOST_WAITED: f64 = 0.25;

/// The batches of an epoch.
pub(super) struct Feed<'a> {
    rows: LabelledRows<'a>,
    ahead: Option<&'a ReadAhead<'a>>,
    /// The number of threads that read a batch when its turn comes.
    threads: usize,
    begun: Instant,
    /// The time for which rows were read while the device had nothing to do.
    waited: Duration,
}

impl<'a> Feed<'a> {
    /// Begins an epoch with the rows in this order, which is asked for where they are read ahead, in batches of so many rows each.
    pub fn begin(
        training: &Training<'a>,
        order: impl FnOnce() -> Arc<RowNumbers>,
        batches: impl Iterator<Item = usize>,
    ) -> Self {
        let (options, ahead) = (training.options, training.ahead);
        if let Some(ahead) = ahead {
            ahead.begin(order(), batches);
        }
        let threads = if training.waiting == Waiting::Yielding { options.workers } else { 1 };
        Feed { rows: training.rows, ahead, threads, begun: Instant::now(), waited: Duration::ZERO }
    }

    /// The next batch, which are these rows.
    pub fn batch(&mut self, device: &Device, rows: &[usize], classes: usize) -> Result<Batch> {
        let begun = Instant::now();
        let wanted = self.rows.features(rows, self.threads);
        let features = match self.ahead {
            Some(ahead) => Matrix::from_pieces(device, (rows.len(), wanted.cols), ahead.next_batch(rows.len()))?,
            None => Matrix::from_rows(device, wanted)?,
        };
        let took = begun.elapsed();
        if took >= LEAST_READ && is_idle(device) {
            self.waited += took;
        }
        self.rows.batch_with(device, rows, classes, features)
    }

    /// Tells the log if the device waited long for the rows of this epoch.
    pub fn end(&self, epoch: usize, workers: usize) {
        let (all, waited) = (self.begun.elapsed(), self.waited.as_secs_f64());
        let share = waited / all.as_secs_f64().max(f64::MIN_POSITIVE);
        if all >= LEAST_EPOCH && share > MOST_WAITED {
            let (source, percent) = (self.rows.x.name(), 100.0 * share);
            let advice = if workers == 0 { "; FitOptions::workers reads ahead" } else { "" };
            log::warn!(
                "fit: in epoch {epoch} the device waited up to {percent:.0} % of the time for rows of {source}, with {workers} \
                 workers{advice}"
            );
        }
    }
}
