//! Steps of a training over ranks: each rank computes the gradients of its own rows, and all ranks update by the sum.

use std::sync::Arc;

use super::batches::Batch;
use super::callback_list::CallbackList;
use super::early_sums::EarlySums;
use super::feed::Feed;
use super::flat::arrays;
use super::joint::{Joint, Word};
use super::non_finite::{Origin, StepPosition, first_of};
use super::read_ahead::Part;
use super::row_numbers::RowNumbers;
use super::state::TrainingState;
use super::steps::{Snapshot, Steps};
use super::training::Training;
use crate::distributed::Call;
use crate::error::{Error, Result};
use crate::mlp::Mlp;
use crate::ops::bank::{self, Gradient};
use crate::ops::{GradientRoom, Pending};
use crate::statistics::Statistics;

/// This rank's rows of a step: their numbers in the source, and their places in the batch.
#[derive(Default)]
struct Share {
    rows: Vec<usize>,
    places: Vec<u64>,
}

/// This rank's results of a step.
#[derive(Default)]
struct Own {
    /// The batch; `None` if none of its rows belongs to this rank.
    batch: Option<Batch>,
    statistics: Statistics,
    /// The gradients of the sum of the rows' losses, for all parameters whose gradients are not added early, one after the other.
    gradients: Vec<f32>,
    /// The result of the finite check of the last update, if one was recorded.
    check: Option<f32>,
}

impl Training<'_> {
    /// Runs the steps of an epoch on all ranks' rows, in this order. Returns the statistics and the number of steps done.
    pub(super) async fn run_joint_steps(
        &self,
        joint: &Joint<'_>,
        epoch: usize,
        order: &Arc<RowNumbers>,
        model: &mut Mlp,
        state: &mut TrainingState,
        callbacks: &mut CallbackList<'_>,
    ) -> Result<(Statistics, usize)> {
        let steps = Steps { epoch, order, batch: self.options.batch };
        let mut joint_steps = JointSteps { training: self, joint, steps, before: None };
        let own_rows: Vec<_> = (0..joint_steps.steps.len()).map(|step| joint_steps.own_of(step).count()).collect();
        // Steps that are neither the largest nor the last have about as many rows, and mostly need the same kernels.
        let prepared = [own_rows.iter().max(), own_rows.last()].into_iter().flatten().copied();
        self.prepare(prepared.filter(|rows| *rows > 0), model, state);
        let outcome = joint_steps.run(&own_rows, model, state, callbacks).await;
        if outcome.is_err() {
            joint_steps.settle(model, state).await;
        }
        outcome
    }
}

/// The steps of an epoch.
struct JointSteps<'a> {
    training: &'a Training<'a>,
    joint: &'a Joint<'a>,
    /// The steps of all ranks.
    steps: Steps<'a>,
    /// The state before the last update. It is kept until that update has been checked.
    before: Option<Snapshot>,
}

impl JointSteps<'_> {
    /// This rank's rows of a step, each with its place in the batch.
    fn own_of(&self, step: usize) -> impl Iterator<Item = (usize, u64)> {
        let Steps { order, batch, .. } = self.steps;
        let places = step * batch..order.len().min((step + 1) * batch);
        self.joint.own_of(places.map(move |place| order.at(place)))
    }

    /// The numbers of this rank's rows in the order in which the epoch uses them.
    fn own_order(&self) -> Arc<RowNumbers> {
        let numbers = self.joint.own_of(self.steps.order.iter()).map(|(row, _)| row);
        Arc::new(RowNumbers::collect(numbers, self.joint.own.len()))
    }

    /// Runs the steps. `own_rows` has the number of this rank's rows in each of them.
    async fn run(
        &mut self,
        own_rows: &[usize],
        model: &mut Mlp,
        state: &mut TrainingState,
        callbacks: &mut CallbackList<'_>,
    ) -> Result<(Statistics, usize)> {
        let mut early = EarlySums::begin(self.joint.ranks, model.widths())?;
        let mut feed = Feed::begin(self.training, Part::Train, || self.own_order(), own_rows.iter().copied());
        let (mut total, mut done, checked) = (Statistics::default(), 0, self.training.options.stop_on_non_finite);
        for step in 0..own_rows.len() {
            // After a callback has ended the training, no gradients are computed. All ranks are told before they stop.
            let (rows, places) = if callbacks.stopped { Default::default() } else { self.own_of(step).unzip() };
            let share = &Share { rows, places };
            let own = self.own_gradients(&mut feed, share, model, state, &mut early).await;
            let (own, sums) = early.take(own)?;
            let all = self.agree(&own, callbacks.stopped, done, model, state).await?;
            if all.stopped {
                break;
            }
            if checked && all.statistics.non_finite_rows > 0 {
                return Err(self.bad_loss(done, share, own, model).await?);
            }
            self.before = checked.then(|| Snapshot::of(model, state));
            self.update((own.gradients, sums), all.statistics.weight_sum, model, state)?;
            total = total.join(all.statistics, 0);
            done += 1;
            callbacks.on_step(&self.training.step_report(&self.steps, step, &total))?;
        }
        let last = Own { check: self.last_check(model, state).await?, ..Own::default() };
        self.agree(&last, false, done, model, state).await?;
        feed.end(self.steps.epoch, self.training.options.workers);
        callbacks.shortened = done < own_rows.len();
        Ok((total, done))
    }

    /// Sends this rank's report of a step to all ranks, and receives theirs. If the last update left a value that is not finite
    /// on any rank, it is undone and an error is returned.
    async fn agree(
        &mut self,
        own: &Own,
        stopped: bool,
        done: usize,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Result<Word> {
        let origin = match own.check {
            Some(check) => model.non_finite_state(self.training.waiting, Some(check), &state.optimizer).await?,
            None => None,
        };
        let word = Word { statistics: own.statistics, stopped, broken: origin.is_some() };
        let all = self.joint.agree(Call::Step, word)?;
        if all.broken {
            return Err(self.undo(done, origin, model, state));
        }
        self.before = None;
        Ok(all)
    }

    /// The result of the finite check of the last update, if one was recorded that has not been read.
    async fn last_check(&self, model: &Mlp, state: &TrainingState) -> Result<Option<f32>> {
        let check = self.before.is_some().then(|| model.record_finite_check(&state.optimizer)).transpose()?;
        Ok(first_of(&Pending::read_all(self.training.waiting, &[], check.as_slice()).await?.1))
    }

    /// Computes the gradients of this rank's rows and reads them, or hands them over to be added early. The finite check of the
    /// last update is read with them, if it has not been read.
    async fn own_gradients(
        &self,
        feed: &mut Feed<'_>,
        share: &Share,
        model: &Mlp,
        state: &TrainingState,
        early: &mut EarlySums,
    ) -> Result<Own> {
        let (waiting, layers) = (self.training.waiting, early.layers_left());
        let values = model.parameter_shapes()[..2 * layers].iter().map(|(rows, cols)| rows * cols).sum();
        let mut gradients = self.joint.ranks.room_to_sum("fit", values)?;
        if share.rows.is_empty() {
            early.hand_over_zeros()?;
            gradients.resize(values, 0.0);
            return Ok(Own { gradients, check: self.last_check(model, state).await?, ..Own::default() });
        }
        let check = self.before.is_some().then(|| model.record_finite_check(&state.optimizer)).transpose()?;
        model.device.make_room(waiting).await?;
        let batch = feed.batch(&model.device, &share.rows, model.classes())?;
        let mut options = self.training.step_options.clone();
        options.loss.sample_weights = batch.weights.clone();
        let (rows, step) = ((&batch.x, &share.places[..]), state.optimizer.steps());
        let mut after_layer = |layer: usize, room: &GradientRoom, gradients: &[Gradient; 2]| match layer < layers {
            true => Ok(()),
            false => early.after_layer(layer, room.whole(gradients)?),
        };
        let recorded = model.record_share(rows, &batch.targets, &options, step, &mut after_layer)?;
        let mut wanted = recorded.whole(layers)?;
        let count = wanted.len();
        wanted.extend(check);
        if layers < model.layers.len() {
            // The device computes the last gradients while the host copies those that are handed over.
            model.device.flush()?;
        }
        early.hand_over(waiting).await?;
        let (statistics, mut beside) = Pending::read_all(waiting, &[recorded.pending], &wanted).await?;
        let check = first_of(&beside.split_off(count));
        let statistics = statistics.first().copied().unwrap_or_default();
        beside.iter().for_each(|values| gradients.extend_from_slice(values));
        Ok(Own { batch: Some(batch), statistics, gradients, check })
    }

    /// Updates the parameters by the gradient of the loss over all rows of the batch: the ranks' sum divided by the sum of the
    /// weights of all rows. `sums` has the parts that were added early, the last layers first.
    fn update(
        &self,
        (mut first, mut sums): (Vec<f32>, Vec<Vec<f32>>),
        weight_sum: f64,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Result<()> {
        self.joint.ranks.sum_after_a_round(&mut first)?;
        sums.push(first);
        // A mean over weights whose sum is 0 has a gradient of 0. The sum of the gradients may still differ from 0: with label
        // smoothing, a row of a class without weight takes part in the losses of other classes.
        let factor = if weight_sum == 0.0 { 0.0 } else { 1.0 / weight_sum };
        sums.iter_mut().flatten().for_each(|gradient| *gradient = (f64::from(*gradient) * factor) as f32);
        state.optimizer.set_learning_rate(state.schedule.rate());
        let arrays = arrays(&model.parameter_shapes(), sums.iter().rev().map(Vec::as_slice))?;
        let matrices = bank::from_arrays(&model.device, "gradients", &arrays)?;
        model.record_update_by(matrices, &mut state.optimizer)?;
        state.schedule.end_of_step();
        Ok(())
    }

    /// Undoes the last update, which left a value that is not finite on this rank or on another one. Returns the error to report.
    fn undo(&mut self, done: usize, origin: Option<Origin>, model: &mut Mlp, state: &mut TrainingState) -> Error {
        if let Some(before) = self.before.take() {
            before.restore(model, state);
        }
        let position = StepPosition { epoch: self.steps.epoch, step: done.saturating_sub(1), rows: &[] };
        origin.map_or_else(|| self.joint.told(), |origin| position.error(origin))
    }

    /// Makes sure, after an error, that the model has finite parameters, if the options ask for that: the last update may not
    /// have been checked.
    async fn settle(&mut self, model: &mut Mlp, state: &mut TrainingState) {
        let waiting = self.training.waiting;
        if let Some(before) = self.before.take()
            && !matches!(model.non_finite_state_now(waiting, &state.optimizer).await, Ok(None))
        {
            before.restore(model, state);
        }
    }

    /// The error for a step whose loss is not finite and whose update was not made. Ranks with such a row find its cause; the
    /// others receive their error.
    async fn bad_loss(&self, step: usize, share: &Share, own: Own, model: &Mlp) -> Result<Error> {
        let (Some(batch), Some(row)) = (own.batch, own.statistics.first_bad_row) else { return Ok(self.joint.told()) };
        let (layer, row) = (model.layers.len().saturating_sub(1), usize::try_from(row).ok());
        let otherwise = Origin { op: "softmax_cross_entropy", layer, row };
        let position = StepPosition { epoch: self.steps.epoch, step, rows: &share.rows };
        model.non_finite_error(self.training.waiting, &batch, position, otherwise).await
    }
}
