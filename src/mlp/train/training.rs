//! The data and options that all epochs and steps of a training share.

use std::sync::Arc;

use super::batches::LabelledRows;
use super::joint::Joint;
use super::options::FitOptions;
use super::read_ahead::{Part, ReadAhead};
use super::row_numbers::RowNumbers;
use super::state::RowCounts;
use super::step_options::StepOptions;
use crate::device::Device;
use crate::waiting::Waiting;

/// The data and options of a training. They do not change while it runs.
pub(super) struct Training<'a> {
    pub options: &'a FitOptions,
    pub rows: LabelledRows<'a>,
    /// The numbers of the rows to train on. Over ranks, the rows of all ranks are counted in the order of the ranks.
    pub train: Arc<RowNumbers>,
    /// The rows to validate on, and their numbers.
    pub validation: Option<(LabelledRows<'a>, Arc<RowNumbers>)>,
    pub step_options: StepOptions,
    pub waiting: Waiting,
    /// The reader that reads rows ahead, if there are workers.
    pub ahead: Option<&'a ReadAhead<'a>>,
    /// The ranks that train together, if there are several.
    pub joint: Option<Joint<'a>>,
}

impl<'a> Training<'a> {
    /// The number of all rows, the number of rows to train on, and whether there are rows to validate on.
    pub fn row_counts(&self) -> RowCounts {
        let all = self.joint.as_ref().map_or(self.rows.ids.len(), |joint| joint.rows);
        RowCounts { all, trained: self.train.len(), validated: self.validation.is_some() }
    }

    /// The rows of this part. If there are no rows to validate on, the rows to train on are returned.
    pub fn rows_of(&self, part: Part) -> LabelledRows<'a> {
        let held = self.validation.as_ref().filter(|_| part == Part::Validation);
        held.map_or(self.rows, |(rows, _)| *rows)
    }

    /// Runs the training with workers that read its rows ahead. The options give their number.
    pub fn reading_ahead<T>(self, device: &Device, run: impl FnOnce(&Training<'_>) -> T) -> T {
        let rows = [Part::Train, Part::Validation].map(|part| self.rows_of(part));
        ReadAhead::run(device, rows, self.options.workers, |ahead| run(&Training { ahead, ..self }))
    }
}
