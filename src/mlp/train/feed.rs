//! Feed: provides the batches of an epoch or a validation one after another. Their rows are read ahead, or when a batch is asked
//! for. It also measures how long the device waited for rows.

use std::sync::Arc;
use std::time::Duration;

use web_time::Instant;

use super::batches::{Batch, LabelledRows};
use super::read_ahead::{Part, ReadAhead};
use super::row_numbers::RowNumbers;
use super::training::Training;
use crate::device::Device;
use crate::error::Result;
use crate::gathered::is_idle;
use crate::matrix::Matrix;
use crate::source::name_of;
use crate::waiting::Waiting;

/// The reading time after which the device is asked whether it is idle. Shorter reads are added up until they reach this time.
/// Short reads of rows that are in memory do not count.
const LEAST_READ: Duration = Duration::from_millis(1);
/// An epoch shorter than this is too short to judge the source.
const LEAST_EPOCH: Duration = Duration::from_millis(100);
/// The share of an epoch that the device may wait for rows. If it waits longer, the log says that the source is slow.
const MOST_WAITED: f64 = 0.25;

/// The batches of an epoch, or of the validation after it.
pub(super) struct Feed<'a> {
    part: Part,
    rows: LabelledRows<'a>,
    ahead: Option<&'a ReadAhead<'a>>,
    /// The number of threads that read a batch when it is asked for.
    threads: usize,
    begun: Instant,
    /// The time spent reading rows since the device was last asked whether it is idle.
    unasked: Duration,
    /// The time spent reading rows while the device was idle.
    waited: Duration,
}

impl<'a> Feed<'a> {
    /// Begins an epoch or a validation in batches of these numbers of rows. `order` is called only if rows are read ahead.
    pub fn begin(
        training: &Training<'a>,
        part: Part,
        order: impl FnOnce() -> Arc<RowNumbers>,
        batches: impl Iterator<Item = usize>,
    ) -> Self {
        let (options, ahead) = (training.options, training.ahead);
        if let Some(ahead) = ahead {
            ahead.begin(part, order(), batches);
        }
        let threads = if training.waiting == Waiting::Yielding { options.workers } else { 1 };
        let (rows, none) = (training.rows_of(part), Duration::ZERO);
        Feed { part, rows, ahead, threads, begun: Instant::now(), unasked: none, waited: none }
    }

    /// Stops reading ahead: from here on rows are read when a batch is asked for, since other batches may be asked for than were
    /// planned.
    pub fn read_now(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            ahead.stop();
        }
    }

    /// The next batch, which consists of these rows.
    pub fn batch(&mut self, device: &Device, rows: &[usize], classes: usize) -> Result<Batch> {
        let begun = Instant::now();
        let wanted = self.rows.features(rows, self.threads);
        let features = match self.ahead {
            Some(ahead) => Matrix::from_pieces(device, (rows.len(), wanted.cols), ahead.next_batch(rows.len()))?,
            None => Matrix::from_rows(device, wanted)?,
        };
        self.unasked += begun.elapsed();
        if self.unasked >= LEAST_READ {
            let read = std::mem::take(&mut self.unasked);
            if is_idle(device) {
                self.waited += read;
            }
        } else if wanted.is_in_memory() {
            // A short copy is not a wait. The CPU path is always idle when it is asked, so without this rule its whole epoch
            // would count as waiting.
            self.unasked = Duration::ZERO;
        }
        self.rows.batch_with(device, rows, classes, features)
    }

    /// Ends the epoch or the validation. Logs a warning if the device waited long for the rows.
    pub fn end(&mut self, epoch: usize, workers: usize) {
        // Reading ahead is stopped, which frees the memory for the order of the rows.
        self.read_now();
        let (all, waited) = (self.begun.elapsed(), self.waited.as_secs_f64());
        let share = waited / all.as_secs_f64().max(f64::MIN_POSITIVE);
        if all >= LEAST_EPOCH && share > MOST_WAITED {
            let (source, percent) = (name_of(self.rows.x), 100.0 * share);
            let advice = if workers == 0 { "; FitOptions::workers reads ahead" } else { "" };
            let part = if self.part == Part::Validation { "the validation of epoch" } else { "epoch" };
            log::warn!(
                "fit: in {part} {epoch} the device waited up to {percent:.0} % of the time for rows of {source}, with {workers} \
                 workers{advice}"
            );
        }
    }
}
