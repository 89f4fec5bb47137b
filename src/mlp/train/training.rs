//! Training: the data and options that all its epochs and steps share.

use super::batches::LabelledRows;
use super::options::FitOptions;
use super::step_options::StepOptions;
use crate::waiting::Waiting;

/// The data and options of a training, which do not change while it runs.
pub(super) struct Training<'a> {
    pub options: &'a FitOptions,
    pub rows: LabelledRows<'a>,
    /// The numbers of the rows to train on.
    pub train: Vec<usize>,
    /// The rows to validate on, and their numbers.
    pub validation: Option<(LabelledRows<'a>, Vec<usize>)>,
    pub step_options: StepOptions,
    pub waiting: Waiting,
}
