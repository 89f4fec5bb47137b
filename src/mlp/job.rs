//! A training itself: epochs, each with its validation, and what they come to.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::time::Instant;

use super::Mlp;
use super::callback::{Callback, Run};
use super::checkpoint::{self, Course};
use super::history::Epoch;
use super::options::{FitOptions, Monitor};
use super::passes::{COPY_INTERVAL, Watchers};
use super::rows::{Rows, order};
use super::step::StepOptions;
use crate::error::{Error, Result};
use crate::ops::{CrossEntropy, Statistics};
use crate::waiting::Waiting;

/// What a training works on; none of it changes.
pub(super) struct Job<'a> {
    pub options: &'a FitOptions,
    pub rows: Rows<'a>,
    pub train: Vec<usize>,
    pub held: Option<(Rows<'a>, Vec<usize>)>,
    pub step_options: StepOptions,
    pub waiting: Waiting,
}

impl Job<'_> {
    /// All epochs that are left.
    pub(super) async fn run<C: Callback + ?Sized>(
        &self,
        model: &mut Mlp,
        course: &mut Course,
        watchers: &mut Watchers<'_, C>,
        checkpoint: Option<&Path>,
    ) -> Result<()> {
        let options = self.options;
        let run = Run {
            epochs: options.epochs,
            rows: self.train.len(),
            batch: options.batch,
            steps_per_epoch: self.train.len().div_ceil(options.batch),
            first_epoch: course.history.epochs.len(),
        };
        let held = self.held.as_ref().map_or(0, |(_, held)| held.len());
        log::info!("fit: {} rows in {} steps an epoch, {held} rows to validate on", run.rows, run.steps_per_epoch);
        watchers.start(&run)?;
        let mut copied = Instant::now();
        for index in run.first_epoch..options.epochs {
            if course.waited >= options.early_stopping.map_or(usize::MAX, |stopping| stopping.patience) {
                log::info!("fit: early stopping: no better for {} epochs", course.waited);
                break;
            }
            let (epoch, failed) = self.epoch(index, model, course, watchers).await?;
            if failed.is_some() || copied.elapsed() >= COPY_INTERVAL {
                model.copy = model.parameters_by(self.waiting).await?.into();
                copied = Instant::now();
            }
            course.note(epoch, options, model, self.waiting).await?;
            if let Some(path) = checkpoint.filter(|_| !watchers.cut) {
                checkpoint::save(self.waiting, path, model, course, options, self.rows.labels.len()).await?;
                log::debug!("fit: wrote {}", path.display());
            }
            let flow = match course.history.epochs.last() {
                Some(epoch) => watchers.epoch(model, epoch)?,
                None => ControlFlow::Continue(()),
            };
            // The parameters are those of a good epoch, which everything above has kept.
            if let Some(error) = failed {
                return Err(error);
            }
            if flow.is_break() || watchers.stopped {
                log::info!("fit: a callback ended the training in epoch {index}");
                break;
            }
        }
        if let Some(best) = course.best_parameters.take_if(|_| options.early_stopping.is_some_and(|s| s.restore_best)) {
            *model = Mlp::from_host(&model.device.clone(), best)?;
        } else {
            model.copy = model.parameters_by(self.waiting).await?.into();
        }
        log::info!("fit: ended after {} epochs; best: {:?}", course.history.epochs.len(), course.history.best_epoch);
        watchers.end(&course.history)
    }

    /// One pass over the rows, and the validation behind it, with the error where only that went wrong: the epoch itself
    /// counts then.
    pub(super) async fn epoch<C: Callback + ?Sized>(
        &self,
        index: usize,
        model: &mut Mlp,
        course: &mut Course,
        watchers: &mut Watchers<'_, C>,
    ) -> Result<(Epoch, Option<Error>)> {
        let (options, start) = (self.options, Instant::now());
        let rows = if options.shuffle { order(&self.train, options.seed, index) } else { self.train.clone() };
        let learning_rate = course.schedule.rate();
        let (total, steps) = self.pass(index, &rows, model, course, watchers).await?;
        let (held, failed) = self.validate(index, steps, model).await?.unzip();
        let failed = failed.flatten();
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
        Ok((epoch, failed))
    }

    /// Loss and accuracy on the rows that are held back, behind so many steps of the epoch: of the classes that train, with
    /// the rows' weights, and without smoothing and class weights. With the error that ends a training where a loss is not finite.
    async fn validate(&self, epoch: usize, steps: usize, model: &Mlp) -> Result<Option<(Statistics, Option<Error>)>> {
        let Some((rows, held)) = &self.held else { return Ok(None) };
        let batch = |range: Range<usize>| {
            let batch = rows.batch(&model.device, &held[range], model.classes())?;
            let ignore_class = self.options.ignore_class;
            let loss = CrossEntropy { ignore_class, sample_weights: batch.weights, ..Default::default() };
            Ok((batch.x, batch.targets, loss))
        };
        let statistics = model.losses(self.waiting, held.len(), batch).await?;
        let bad_row = statistics.first_bad_row.filter(|_| self.options.stop_on_non_finite);
        let failed = bad_row.map(|row| {
            let row = usize::try_from(row).ok().and_then(|row| held.get(row)).copied();
            let (layer, step) = (model.layers.len().saturating_sub(1), steps.saturating_sub(1));
            Error::NonFinite { op: "validation", layer, row, epoch, step }
        });
        Ok(Some((statistics, failed)))
    }
}

impl Course {
    /// Takes an epoch in: the history, whether it was the best so far, the learning rate's schedule.
    async fn note(&mut self, epoch: Epoch, options: &FitOptions, model: &Mlp, waiting: Waiting) -> Result<()> {
        self.schedule.end_of_epoch(epoch.validation_loss.unwrap_or(epoch.loss));
        let monitor = options.early_stopping.map(|stopping| stopping.monitor);
        let value = match monitor.unwrap_or(Monitor::ValidationLoss) {
            Monitor::ValidationLoss => epoch.validation_loss.unwrap_or(epoch.loss),
            Monitor::ValidationAccuracy => -epoch.validation_accuracy.unwrap_or(epoch.accuracy),
            Monitor::Loss => epoch.loss,
        };
        let min_delta = options.early_stopping.map_or(0.0, |stopping| stopping.min_delta);
        // NaN is never the best.
        if !value.is_nan() && self.best_value.is_none_or(|best| value < best - min_delta) {
            (self.best_value, self.waited) = (Some(value), 0);
            self.history.best_epoch = Some(epoch.index);
            if options.early_stopping.is_some_and(|stopping| stopping.restore_best) {
                self.best_parameters = Some(model.parameters_by(waiting).await?);
            }
        } else {
            self.waited += 1;
        }
        self.history.epochs.push(epoch);
        Ok(())
    }
}
