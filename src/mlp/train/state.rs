//! The state of a training: everything that later epochs depend on, except the model's parameters.

use super::history::{Epoch, History};
use super::options::FitOptions;
use crate::error::Result;
use crate::layers::parameters::Parameters;
use crate::optim::OptimizerState;
use crate::schedule::ScheduleState;

/// The state of a training, without the model's parameters.
#[derive(Clone, Debug)]
pub(in crate::mlp) struct TrainingState {
    pub optimizer: OptimizerState,
    pub schedule: ScheduleState,
    pub history: History,
    /// The best value so far of the quantity that early stopping monitors; less is better.
    pub best_value: Option<f64>,
    /// The parameters of the best epoch, if early stopping is to restore them.
    pub best_parameters: Option<Vec<Parameters>>,
    /// The number of epochs since the best one.
    pub waited: usize,
}

/// The numbers of rows of a training, over all ranks.
#[derive(Clone, Copy, Debug)]
pub(in crate::mlp) struct RowCounts {
    pub all: usize,
    /// The number of rows to train on: all rows, less those that are held back for the validation.
    pub trained: usize,
    /// Whether there are rows to validate on, either held back or in a validation set.
    pub validated: bool,
}

impl TrainingState {
    /// The state before the first step on a model with `depth` layers.
    pub fn new(options: &FitOptions, depth: usize) -> Result<Self> {
        Ok(TrainingState {
            optimizer: options.optimizer_state(depth),
            schedule: options.schedule_state()?,
            history: History::default(),
            best_value: None,
            best_parameters: None,
            waited: 0,
        })
    }

    /// Replaces the learning rate, schedule, penalties and clipping by those of these options. The progress stays.
    pub fn with_options(self, options: &FitOptions, depth: usize) -> Result<Self> {
        let optimizer = options.complete(self.optimizer, depth);
        let schedule = options.schedule_state()?.with_progress(self.schedule.progress());
        Ok(TrainingState { optimizer, schedule, ..self })
    }

    /// Records an epoch in the schedule and the history. Returns whether the epoch is the best so far and the caller should keep
    /// its parameters in [`TrainingState::best_parameters`].
    pub fn record_epoch(&mut self, epoch: Epoch, options: &FitOptions) -> bool {
        self.schedule.end_of_epoch(epoch.validation_loss.unwrap_or(epoch.loss));
        let stopping = options.early_stopping.unwrap_or_default();
        let value = stopping.monitor.value(&epoch);
        // NaN is never the best.
        let is_best = !value.is_nan() && self.best_value.is_none_or(|best| value < best - stopping.min_delta);
        if is_best {
            (self.best_value, self.waited) = (Some(value), 0);
            self.history.best_epoch = Some(epoch.index);
            // Parameters of an earlier best epoch, which may come from a checkpoint, are dropped.
            self.best_parameters = None;
        } else {
            self.waited += 1;
        }
        self.history.epochs.push(epoch);
        is_best && options.early_stopping.is_some_and(|stopping| stopping.restore_best)
    }
}
