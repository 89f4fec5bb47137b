//! Epochs of a training: their steps, the validation after each, early stopping, and checkpoints.

use std::mem::take;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use web_time::Instant;

use super::callback::Run;
use super::callback_list::CallbackList;
use super::checkpoints::Checkpoints;
use super::feed::Feed;
use super::history::Epoch;
use super::joint::Word;
use super::read_ahead::Part;
use super::state::TrainingState;
use super::training::Training;
use crate::distributed::Call;
use crate::error::{Error, Result};
use crate::files::GIVEN_BYTES;
use crate::mlp::Mlp;
use crate::mlp::file::checkpoint;
use crate::ops::CrossEntropy;
use crate::statistics::Statistics;

/// Parameters are copied to the host after an epoch if the last copy is older than this.
const COPY_INTERVAL: Duration = Duration::from_secs(1);

impl Training<'_> {
    /// Runs all epochs that are left.
    pub(super) async fn run(
        &self,
        model: &mut Mlp,
        state: &mut TrainingState,
        callbacks: &mut CallbackList<'_>,
        checkpoints: &mut Checkpoints<'_>,
    ) -> Result<()> {
        let options = self.options;
        let first_epoch = self.start(model, state, callbacks)?;
        let patience = options.early_stopping.map_or(usize::MAX, |stopping| stopping.patience);
        let mut copied = Instant::now();
        for index in first_epoch..options.epochs {
            if state.waited >= patience {
                log::info!("fit: early stopping: no better for {} epochs", state.waited);
                break;
            }
            let (epoch, failed) = self.run_epoch(index, model, state, callbacks).await?;
            let copies = failed.is_some() || copied.elapsed() >= COPY_INTERVAL;
            let is_best = state.record_epoch(epoch, options);
            // Devices of different kinds may round differently, so their parameters are not compared.
            let compared = self.joint.as_ref().filter(|joint| !joint.mixed);
            let mut alike = self.joint.is_none();
            if copies || is_best || compared.is_some() {
                // They are read once, for all that need them.
                let mut parameters = model.parameters_by(self.waiting).await?;
                if let Some(joint) = compared {
                    alike = joint.are_alike(index, &parameters)?;
                }
                if is_best {
                    state.best_parameters = Some(if copies { parameters.clone() } else { take(&mut parameters) });
                }
                if copies {
                    (model.copy, copied) = (parameters.into(), Instant::now());
                }
            }
            if !alike {
                self.unify(model, state).await?;
            }
            if !callbacks.shortened {
                checkpoints.write(self.waiting, model, state, options, self.row_counts()).await?;
            }
            let flow = match state.history.epochs.last() {
                Some(epoch) => callbacks.on_epoch(model, epoch)?,
                None => ControlFlow::Continue(()),
            };
            // If the validation failed, the training ends only here: the parameters of the epoch are valid, so the checkpoint is
            // kept first.
            if let Some(error) = failed {
                return Err(error);
            }
            let stops = flow.is_break() || callbacks.stopped;
            if self.joint.as_ref().map_or(Ok(stops), |joint| joint.any(Call::Epoch, stops))? {
                log::info!("fit: a callback ended the training in epoch {index}");
                break;
            }
        }
        self.finish(model, state).await?;
        callbacks.on_end(&state.history)
    }

    /// Tells the callbacks and the log that the training starts, with the numbers of rows of all ranks. Returns the number of the
    /// first epoch.
    fn start(&self, model: &Mlp, state: &TrainingState, callbacks: &mut CallbackList<'_>) -> Result<usize> {
        let run = Run {
            epochs: self.options.epochs,
            rows: self.train.len(),
            batch: self.options.batch,
            steps_per_epoch: self.train.len().div_ceil(self.options.batch),
            first_epoch: state.history.epochs.len(),
        };
        let own = self.validation.as_ref().map(|(_, held)| held.len() as u64);
        let held: u64 = match (own, &self.joint) {
            (Some(own), Some(joint)) => joint.sum_counts(&[own])?.iter().sum(),
            (own, _) => own.unwrap_or(0),
        };
        log::info!("fit: {} rows in {} steps an epoch, {held} rows to validate on", run.rows, run.steps_per_epoch);
        let dropout = self.options.dropout;
        if dropout > 0.0 && model.layers.len() == 1 {
            log::warn!("fit: a dropout of {dropout} has no effect, since the model has no hidden layers");
        }
        callbacks.on_start(&run)?;
        Ok(run.first_epoch)
    }

    /// Puts the parameters that the training ends with into the model, on the device and on the host.
    async fn finish(&self, model: &mut Mlp, state: &mut TrainingState) -> Result<()> {
        let restore = self.options.early_stopping.is_some_and(|stopping| stopping.restore_best);
        if let Some(best) = state.best_parameters.take_if(|_| restore) {
            model.replace_parameters(best)?;
        } else {
            model.copy = model.parameters_by(self.waiting).await?.into();
        }
        let history = &state.history;
        log::info!("fit: ended after {} epochs; best: {:?}", history.epochs.len(), history.best_epoch);
        Ok(())
    }

    /// Gives all ranks the model and state of rank 0.
    async fn unify(&self, model: &mut Mlp, state: &mut TrainingState) -> Result<()> {
        let Some(joint) = &self.joint else { return Ok(()) };
        let rows = self.row_counts();
        let own = match joint.ranks.rank() {
            0 => checkpoint::bytes(self.waiting, Path::new(GIVEN_BYTES), model, state, self.options, rows).await?,
            _ => Vec::new(),
        };
        let all = joint.ranks.gather(Call::Epoch, &own)?;
        if joint.ranks.rank() > 0 {
            *state = checkpoint::load(Some(&all[0]), Path::new(GIVEN_BYTES), model, self.options, rows)?;
        }
        Ok(())
    }

    /// Runs the steps of an epoch and the validation after them. The second value is an error that only the validation met; the
    /// epoch itself is still valid.
    pub(super) async fn run_epoch(
        &self,
        index: usize,
        model: &mut Mlp,
        state: &mut TrainingState,
        callbacks: &mut CallbackList<'_>,
    ) -> Result<(Epoch, Option<Error>)> {
        let (options, start) = (self.options, Instant::now());
        let train = &self.train;
        let order = if options.shuffle { Arc::new(train.shuffled(options.seed, index)) } else { train.clone() };
        let learning_rate = state.schedule.rate();
        let (total, steps) = self.run_epoch_steps(index, &order, model, state, callbacks).await?;
        let (held, failed) = self.validate(index, steps, model).await?.unzip();
        let epoch = Epoch {
            index,
            loss: total.mean_loss(),
            accuracy: total.accuracy(),
            validation_loss: held.map(|held| held.mean_loss()),
            validation_accuracy: held.map(|held| held.accuracy()),
            learning_rate,
            rows: total.rows,
            non_finite_rows: total.non_finite_rows,
            seconds: start.elapsed().as_secs_f64(),
        };
        log::debug!("fit: {epoch:?}");
        Ok((epoch, failed.flatten()))
    }

    /// Validates the model after this number of steps of the epoch: computes loss and accuracy on the validation rows, with the
    /// rows' weights, but without class weights and label smoothing. The second value is the error for a loss that is not finite,
    /// if that is to end the training.
    async fn validate(&self, epoch: usize, steps: usize, model: &Mlp) -> Result<Option<(Statistics, Option<Error>)>> {
        let Some((_, held)) = &self.validation else { return Ok(None) };
        let (rows, mut next) = (model.batch_rows(), 0);
        let lengths = (0..held.len()).step_by(rows).map(|first| rows.min(held.len() - first));
        let mut feed = Feed::begin(self, Part::Validation, || held.clone(), lengths);
        let batch = |range: Range<usize>| {
            // When the device's memory has run out, the same batch or half of it is asked for again.
            if range.start != next {
                feed.read_now();
            }
            next = range.end;
            let batch = feed.batch(&model.device, &held.among(range), model.classes())?;
            let loss = CrossEntropy { sample_weights: batch.weights, ..Default::default() };
            Ok((batch.x, batch.targets, loss))
        };
        let statistics = model.losses(self.waiting, held.len(), batch).await?;
        feed.end(epoch, self.options.workers);
        let own = statistics;
        let statistics = match &self.joint {
            Some(joint) => joint.agree(Call::Validation, Word { statistics, ..Default::default() })?.statistics,
            None => statistics,
        };
        let bad_row = own.first_bad_row.filter(|_| self.options.stop_on_non_finite);
        let failed = bad_row.map(|row| {
            let row = usize::try_from(row).ok().filter(|row| *row < held.len()).map(|row| held.at(row));
            let (layer, step) = (model.layers.len().saturating_sub(1), steps.saturating_sub(1));
            Error::NonFinite { op: "validation", layer, row, epoch, step }
        });
        Ok(Some((statistics, failed)))
    }
}
