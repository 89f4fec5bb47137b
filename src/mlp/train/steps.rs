//! Steps of an epoch: they run without waiting, their losses are read from time to time, and a step with a non-finite value is
//! undone.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use web_time::Instant;

use super::batches::Batch;
use super::callback::Step;
use super::callback_list::CallbackList;
use super::feed::Feed;
use super::non_finite::{Origin, StepPosition, first_of};
use super::read_ahead::Part;
use super::row_numbers::RowNumbers;
use super::state::TrainingState;
use super::step_shape::StepShape;
use super::training::Training;
use crate::error::{Error, Result};
use crate::mlp::Mlp;
use crate::ops::{CrossEntropy, Pending};
use crate::optim::OptimizerState;
use crate::schedule::ScheduleState;
use crate::statistics::Statistics;
use crate::waiting::Waiting;

/// Losses are read after at most this many steps, so that the number of unread records on the device stays small.
const STEPS_PER_READ: usize = 1024;
/// The interval at which losses are read if a callback watches steps.
const READ_INTERVAL: Duration = Duration::from_millis(100);

/// A snapshot of model, optimizer and schedule.
#[derive(Clone)]
pub(super) struct Snapshot(Mlp, OptimizerState, ScheduleState);

impl Snapshot {
    pub fn of(model: &Mlp, state: &TrainingState) -> Self {
        Snapshot(model.clone(), state.optimizer.clone(), state.schedule)
    }

    pub fn restore(self, model: &mut Mlp, state: &mut TrainingState) {
        (*model, state.optimizer, state.schedule) = (self.0, self.1, self.2);
    }
}

/// The steps of an epoch.
pub(super) struct Steps<'a> {
    pub epoch: usize,
    /// The caller's numbers for the epoch's rows, in the order in which the steps use them. Over ranks, the rows of all ranks are
    /// counted in the order of the ranks.
    pub order: &'a RowNumbers,
    /// The number of rows of each step except the last.
    pub batch: usize,
}

impl Steps<'_> {
    pub fn len(&self) -> usize {
        self.order.len().div_ceil(self.batch)
    }

    /// The number of rows of a step. The last step may have fewer rows than the others.
    fn rows(&self, step: usize) -> usize {
        self.batch.min(self.order.len().saturating_sub(step * self.batch))
    }

    /// The caller's numbers for a step's rows.
    pub fn numbers(&self, step: usize) -> Vec<usize> {
        self.order.among(step * self.batch..(step + 1) * self.batch)
    }
}

impl Training<'_> {
    /// Runs the steps of an epoch with the rows in this order. Returns the statistics and the number of steps done.
    pub(super) async fn run_epoch_steps(
        &self,
        epoch: usize,
        order: &Arc<RowNumbers>,
        model: &mut Mlp,
        state: &mut TrainingState,
        callbacks: &mut CallbackList<'_>,
    ) -> Result<(Statistics, usize)> {
        if let Some(joint) = &self.joint {
            return self.run_joint_steps(joint, epoch, order, model, state, callbacks).await;
        }
        let steps = Steps { epoch, order, batch: self.options.batch };
        // The last step may have fewer rows than the others.
        self.prepare([0, steps.len().saturating_sub(1)].map(|step| steps.rows(step)), model, state);
        let mut feed = Feed::begin(self, Part::Train, || order.clone(), (0..steps.len()).map(|step| steps.rows(step)));
        let mut total = Statistics::default();
        let mut first = 0;
        while first < steps.len() && !callbacks.stopped {
            let before = self.options.stop_on_non_finite.then(|| Snapshot::of(model, state));
            let (pending, failed) =
                self.run_steps(&mut feed, &steps, first, model, state, callbacks.watches_steps()).await?;
            let check = before.is_some().then(|| model.record_finite_check(&state.optimizer)).transpose()?;
            let (read, check) = Pending::read_all(self.waiting, &pending, check.as_slice()).await?;
            let bad = read.iter().position(|statistics| statistics.non_finite_rows > 0).filter(|_| before.is_some());
            let mut told = None;
            for (step, statistics) in (first..).zip(&read[..bad.unwrap_or(read.len())]) {
                total = total.join(*statistics, (step * self.options.batch) as u64);
                told = callbacks.on_step(&self.step_report(&steps, step, &total)).err();
                if told.is_some() {
                    break;
                }
            }
            if let Some(before) = before {
                let bad_row = bad.map(|step| (first + step, read[step].first_bad_row));
                if bad_row.is_some()
                    || model.non_finite_state(self.waiting, first_of(&check), &state.optimizer).await?.is_some()
                {
                    let end = bad_row.unwrap_or((first + read.len(), None));
                    let error = self.undo(&steps, first, end, before, model, state).await;
                    return Err(told.unwrap_or(error));
                }
            }
            first += read.len();
            // The error is returned only here, when the steps before the failed one have been checked.
            if let Some(error) = told.or(failed.filter(|_| !callbacks.stopped)) {
                return Err(error);
            }
        }
        feed.end(epoch, self.options.workers);
        callbacks.shortened = first < steps.len();
        Ok((total, first))
    }

    /// Compiles the kernels of steps with these numbers of rows, unless that would block an executor.
    pub(super) fn prepare(&self, rows: impl IntoIterator<Item = usize>, model: &mut Mlp, state: &TrainingState) {
        if self.waiting == Waiting::Yielding {
            return;
        }
        let (weighted, checked) = (self.rows.weights.is_some(), self.options.stop_on_non_finite);
        for rows in rows {
            let shape = StepShape { rows, weighted, distributed: false, checked, over_ranks: self.joint.is_some() };
            model.prepare(shape, &self.step_options, &state.optimizer);
        }
    }

    /// Runs steps from `first` on without waiting, until it is time to read their losses. If a step cannot be recorded, this
    /// stops and returns the error with the steps before it.
    async fn run_steps(
        &self,
        feed: &mut Feed<'_>,
        steps: &Steps<'_>,
        first: usize,
        model: &mut Mlp,
        state: &mut TrainingState,
        watched: bool,
    ) -> Result<(Vec<Pending>, Option<Error>)> {
        let (mut pending, since) = (Vec::new(), Instant::now());
        for step in (first..steps.len()).take(STEPS_PER_READ) {
            // The only wait is before a step, so a dropped future never stops in the middle of one.
            model.device.make_room(self.waiting).await?;
            let batch = match feed.batch(&model.device, &steps.numbers(step), model.classes()) {
                Ok(batch) => batch,
                Err(error) => return Ok((pending, Some(error))),
            };
            match self.run_step(batch, model, state) {
                Ok(step) => pending.push(step),
                Err(error) => return Ok((pending, Some(error))),
            }
            if watched && since.elapsed() >= READ_INTERVAL {
                break;
            }
        }
        Ok((pending, None))
    }

    /// The report about a step for callbacks, with the statistics of the epoch up to this step.
    pub(super) fn step_report(&self, steps: &Steps<'_>, step: usize, total: &Statistics) -> Step {
        Step {
            epoch: steps.epoch,
            step,
            steps: steps.len(),
            rows: step * steps.batch + steps.rows(step),
            loss: total.mean_loss(),
            accuracy: total.accuracy(),
        }
    }

    /// Reads these rows again, and runs a step on them.
    async fn repeat_step(&self, rows: &[usize], model: &mut Mlp, state: &mut TrainingState) -> Result<Pending> {
        model.device.make_room(self.waiting).await?;
        let batch = self.rows.batch(&model.device, rows, model.classes())?;
        self.run_step(batch, model, state)
    }

    /// Runs one step on a batch.
    fn run_step(&self, batch: Batch, model: &mut Mlp, state: &mut TrainingState) -> Result<Pending> {
        state.optimizer.set_learning_rate(state.schedule.rate());
        let mut options = self.step_options.clone();
        options.loss = CrossEntropy { sample_weights: batch.weights, ..options.loss };
        let step = model.record_step(&batch.x, &batch.targets, &options, &mut state.optimizer)?;
        state.schedule.end_of_step();
        Ok(step)
    }

    /// Undoes the first step since the snapshot that left a non-finite value, and all steps after it. Returns the error to
    /// report.
    async fn undo(
        &self,
        steps: &Steps<'_>,
        first: usize,
        end: (usize, Option<u64>),
        before: Snapshot,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Error {
        let again = before.clone();
        match self.rewind(steps, first, end, before, model, state).await {
            Ok(error) => {
                log::warn!("{error}: the step is undone");
                error
            }
            // Rows of these steps could not be read a second time, so all steps since the snapshot are undone.
            Err(error) => {
                again.restore(model, state);
                error
            }
        }
    }

    /// Replays the steps since the snapshot to find the first one that failed. Leaves model and state as they were before that
    /// step, and returns the error to report.
    ///
    /// The failed step is the first whose update left a non-finite value in the parameters or the optimizer's state. If there is
    /// none before step `end`, step `end` failed: its loss is not finite, first in row `bad_row`.
    async fn rewind(
        &self,
        steps: &Steps<'_>,
        first: usize,
        (end, bad_row): (usize, Option<u64>),
        before: Snapshot,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Result<Error> {
        let again = before.clone();
        before.restore(model, state);
        for step in first..end {
            self.repeat_step(&steps.numbers(step), model, state).await?;
        }
        let layer = model.layers.len().saturating_sub(1);
        let row = bad_row.and_then(|row| usize::try_from(row).ok());
        let (mut step, mut origin) = (end.min(steps.len() - 1), Origin { op: "softmax_cross_entropy", layer, row });
        if model.non_finite_state_now(self.waiting, &state.optimizer).await?.is_some() {
            again.restore(model, state);
            if let Some(found) = self.replay_to_bad_update(steps, first..end, model, state).await? {
                (step, origin) = found;
            }
        }
        let rows = &steps.numbers(step);
        let batch = self.rows.batch(&model.device, rows, model.classes())?;
        model.non_finite_error(self.waiting, &batch, StepPosition { epoch: steps.epoch, step, rows }, origin).await
    }

    /// Replays these steps one by one until an update leaves a non-finite value. Undoes that update, and returns its step and
    /// origin.
    async fn replay_to_bad_update(
        &self,
        steps: &Steps<'_>,
        range: Range<usize>,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Result<Option<(usize, Origin)>> {
        for step in range {
            let before = Snapshot::of(model, state);
            self.repeat_step(&steps.numbers(step), model, state).await?;
            if let Some(origin) = model.non_finite_state_now(self.waiting, &state.optimizer).await? {
                before.restore(model, state);
                return Ok(Some((step, origin)));
            }
        }
        Ok(None)
    }
}
