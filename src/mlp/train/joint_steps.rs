//! Steps of a training over ranks: each computes the gradients of its own rows, and all update by their sum.

use super::batches::Batch;
use super::callback::Step;
use super::callback_list::CallbackList;
use super::feed::Feed;
use super::flat::arrays;
use super::joint::{Joint, Word};
use super::non_finite::{Origin, StepPosition, first_of};
use super::state::TrainingState;
use super::step_shape::StepShape;
use super::steps::Snapshot;
use super::training::Training;
use crate::distributed::Call;
use crate::error::{Error, Result};
use crate::mlp::Mlp;
use crate::ops::bank::{self, Gradient};
use crate::ops::{CrossEntropy, Pending, Reduction};
use crate::statistics::Statistics;
use crate::waiting::Waiting;

/// The bytes of gradients that are read together; longer ones are read matrix by matrix, so that no buffer is too long.
const READ_TOGETHER: usize = 1 << 28;

/// This rank's rows of a step: their numbers in the source, and their places in the batch.
struct Share {
    rows: Vec<usize>,
    places: Vec<u64>,
}

/// What this rank has computed of a step.
struct Own {
    /// None where no row of the batch is this rank's.
    batch: Option<Batch>,
    statistics: Statistics,
    /// The gradients of all parameters, one behind the other, of the sum of the rows' losses.
    gradients: Vec<f32>,
    /// The finite check of the update before, if one was recorded.
    check: Option<f32>,
}

impl Training<'_> {
    /// Runs the steps of an epoch, with all ranks' rows in this order. Returns the statistics and the number of steps done.
    pub(super) async fn run_joint_steps(
        &self,
        joint: &Joint<'_>,
        epoch: usize,
        order: &[usize],
        model: &mut Mlp,
        state: &mut TrainingState,
        callbacks: &mut CallbackList<'_>,
    ) -> Result<(Statistics, usize)> {
        let share = |rows: &[usize]| {
            let (rows, places) = joint.own_of(rows);
            Share { rows, places }
        };
        let shares: Vec<_> = order.chunks(self.options.batch).map(share).collect();
        if self.waiting == Waiting::Blocking {
            self.prepare_joint(&shares, model, state);
        }
        let own_order: Vec<_> = shares.iter().flat_map(|share| share.rows.iter().copied()).collect();
        let mut feed = Feed::begin(self, &own_order, shares.iter().map(|share| share.rows.len()));
        let (mut total, mut before, mut done) = (Statistics::default(), None, 0);
        for share in &shares {
            let own = self.own_gradients(&mut feed, share, model, state, before.is_some()).await?;
            let origin = self.origin_of_break(own.check.filter(|_| before.is_some()), model, state).await?;
            let word = Word { statistics: own.statistics, stopped: callbacks.stopped, broken: origin.is_some() };
            let all = joint.agree(Call::Step, word)?;
            if all.broken {
                return Err(self.undo(joint, (epoch, done), origin, before, model, state).await?);
            }
            callbacks.stopped = all.stopped;
            if all.stopped {
                break;
            }
            if self.options.stop_on_non_finite && all.statistics.non_finite_rows > 0 {
                return Err(self.bad_loss(joint, (epoch, done), share, own, model).await?);
            }
            before = self.options.stop_on_non_finite.then(|| Snapshot::of(model, state));
            self.joint_update(joint, own.gradients, all.statistics.weight_sum, model, state)?;
            total = total.join(all.statistics, 0);
            done += 1;
            callbacks.on_step(&self.joint_report(epoch, done, (shares.len(), order.len()), &total))?;
        }
        let check = before.is_some().then(|| model.record_finite_check(&state.optimizer)).transpose()?;
        let (_, check) = Pending::read_all(self.waiting, &[], check.as_slice()).await?;
        let origin = self.origin_of_break(first_of(&check), model, state).await?;
        if joint.agree(Call::Step, Word { broken: origin.is_some(), ..Default::default() })?.broken {
            return Err(self.undo(joint, (epoch, done), origin, before, model, state).await?);
        }
        feed.end(epoch, self.options.workers);
        callbacks.shortened = done < shares.len();
        Ok((total, done))
    }

    /// Compiles the kernels of the longest and of the last step. Others have as many rows, about, and mostly the same kernels.
    fn prepare_joint(&self, shares: &[Share], model: &mut Mlp, state: &TrainingState) {
        let (weighted, checked) = (self.rows.weights.is_some(), self.options.stop_on_non_finite);
        let lengths = [shares.iter().map(|share| share.rows.len()).max(), shares.last().map(|share| share.rows.len())];
        for rows in lengths.into_iter().flatten().filter(|rows| *rows > 0) {
            let shape = StepShape { rows, weighted, distributed: false, checked };
            model.prepare(shape, &self.step_options, &state.optimizer);
        }
    }

    /// Computes the gradients of this rank's rows and reads them, with the finite check of the update before if that is wanted.
    async fn own_gradients(
        &self,
        feed: &mut Feed<'_>,
        share: &Share,
        model: &Mlp,
        state: &TrainingState,
        checked: bool,
    ) -> Result<Own> {
        let check = checked.then(|| model.record_finite_check(&state.optimizer)).transpose()?;
        let shapes = model.parameter_shapes();
        let values = shapes.iter().map(|(rows, cols)| rows * cols).sum();
        if share.rows.is_empty() {
            let (_, check) = Pending::read_all(self.waiting, &[], check.as_slice()).await?;
            let (statistics, gradients) = (Statistics::default(), vec![0.0; values]);
            return Ok(Own { batch: None, statistics, gradients, check: first_of(&check) });
        }
        model.device.make_room(self.waiting).await?;
        let batch = feed.batch(&model.device, &share.rows, model.classes())?;
        let mut options = self.step_options.clone();
        let (sample_weights, reduction) = (batch.weights.clone(), Reduction::Sum);
        options.loss = CrossEntropy { sample_weights, reduction, ..options.loss };
        let rows = (&batch.x, Some(&share.places[..]));
        let recorded = model.record_gradients(rows, &batch.targets, &options, state.optimizer.steps())?;
        let mut wanted = recorded.whole()?;
        let (count, together) = (wanted.len(), size_of::<f32>() * values <= READ_TOGETHER);
        let apart = if together { Vec::new() } else { std::mem::take(&mut wanted) };
        wanted.extend(check);
        let (statistics, mut beside) = Pending::read_all(self.waiting, &[recorded.pending], &wanted).await?;
        let check = first_of(&beside.split_off(if together { count } else { 0 }));
        let mut gradients = beside.concat();
        for matrix in &apart {
            gradients.extend(matrix.to_array_by(self.waiting).await?);
        }
        let statistics = statistics.first().copied().unwrap_or_default();
        Ok(Own { batch: Some(batch), statistics, gradients, check })
    }

    /// Updates the parameters by the gradient of the loss over all rows of the batch: the sum over the ranks, divided by the weights of all
    /// rows.
    fn joint_update(
        &self,
        joint: &Joint<'_>,
        mut gradients: Vec<f32>,
        weight_sum: f64,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Result<()> {
        joint.ranks.sum(&mut gradients)?;
        // Over rows that do not count, gradients are 0 and stay so.
        let scale = if weight_sum == 0.0 { 0.0 } else { (1.0 / weight_sum) as f32 };
        gradients.iter_mut().for_each(|gradient| *gradient *= scale);
        state.optimizer.set_learning_rate(state.schedule.rate());
        let matrices = bank::from_arrays(&model.device, "gradients", &arrays(&model.parameter_shapes(), &gradients)?)?;
        let gradients: Vec<_> = matrices.into_iter().map(Gradient::whole_in_bank).collect();
        model.record_update(&gradients, &mut state.optimizer)?;
        state.schedule.end_of_step();
        Ok(())
    }

    /// What an update left that is not finite, given its check.
    async fn origin_of_break(&self, check: Option<f32>, model: &Mlp, state: &TrainingState) -> Result<Option<Origin>> {
        match check {
            Some(check) => model.non_finite_state(self.waiting, Some(check), &state.optimizer).await,
            None => Ok(None),
        }
    }

    /// Undoes the last update, which left a value that is not finite here or on another rank, and returns the error to report.
    async fn undo(
        &self,
        joint: &Joint<'_>,
        (epoch, step): (usize, usize),
        origin: Option<Origin>,
        before: Option<Snapshot>,
        model: &mut Mlp,
        state: &mut TrainingState,
    ) -> Result<Error> {
        if let Some(before) = before {
            before.restore(model, state);
        }
        model.copy = model.parameters_by(self.waiting).await?.into();
        let position = StepPosition { epoch, step: step.saturating_sub(1), rows: &[] };
        Ok(origin.map_or_else(|| joint.told(), |origin| position.error(origin)))
    }

    /// The error of a step whose loss is not finite; its update was not made. The ranks that have such a row find what is wrong with it.
    async fn bad_loss(
        &self,
        joint: &Joint<'_>,
        (epoch, step): (usize, usize),
        share: &Share,
        own: Own,
        model: &mut Mlp,
    ) -> Result<Error> {
        model.copy = model.parameters_by(self.waiting).await?.into();
        let (Some(batch), Some(row)) = (own.batch, own.statistics.first_bad_row) else { return Ok(joint.told()) };
        let (layer, row) = (model.layers.len().saturating_sub(1), usize::try_from(row).ok());
        let otherwise = Origin { op: "softmax_cross_entropy", layer, row };
        model.non_finite_error(self.waiting, &batch, StepPosition { epoch, step, rows: &share.rows }, otherwise).await
    }

    /// The report of the step that was done last, of so many steps and rows.
    fn joint_report(&self, epoch: usize, done: usize, (steps, rows): (usize, usize), total: &Statistics) -> Step {
        let (loss, accuracy) = (Some(total.mean_loss()), Some(total.accuracy()));
        Step { epoch, step: done - 1, steps, rows: rows.min(done * self.options.batch), loss, accuracy }
    }
}
