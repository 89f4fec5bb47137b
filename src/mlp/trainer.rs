//! Trainer: everything that can go with a training.

use std::path::{Path, PathBuf};

use ndarray::ArrayView2;

use super::Mlp;
use super::callback::Callback;
use super::checkpoint::{self, Course};
use super::history::{Epoch, History};
use super::job::Job;
use super::options::{FitOptions, check_weights};
use super::passes::Watchers;
use super::predict::check_rows;
use super::rows::{Rows, split};
use super::step::StepOptions;
use crate::error::{Error, Result, Shape};
use crate::targets::{Label, Targets};
use crate::waiting::{Waiting, at_once};

/// Where a validation was asked for that would say nothing.
const NOTHING_TO_VALIDATE: &str = "no row is left to validate on: a validation set needs a row that counts, and \
                                   validation_fraction takes none where no class has a second row";

/// A training with all that can go with it: a validation set, row weights, callbacks, checkpoints. [`Mlp::fit`] is the short
/// form.
///
/// ```
/// use wgpu_mlp::{Device, EarlyStopping, FitOptions, Mlp, Trainer};
/// let (x, y) = (ndarray::array![[0.0], [1.0], [0.1], [0.9]], [0u8, 1, 0, 1]);
/// let (x_held, y_held) = (ndarray::array![[0.2], [0.8]], [0u8, 1]);
/// let options = FitOptions { epochs: 50, early_stopping: Some(EarlyStopping::default()), ..Default::default() };
/// let mut model = Mlp::new(&Device::cpu(), &[1, 8, 2], 0)?;
/// let history = Trainer::new(&options).validation_set(x_held.view(), &y_held).fit(&mut model, x.view(), &y)?;
/// assert!(history.epochs[0].validation_loss.is_some());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub struct Trainer<'a, C: Callback + ?Sized + 'a = dyn Callback + 'a> {
    options: &'a FitOptions,
    validation: Option<(ArrayView2<'a, f32>, Vec<i64>)>,
    row_weights: Option<&'a [f32]>,
    watchers: Watchers<'a, C>,
    checkpoint: Option<PathBuf>,
    resume: bool,
}

/// A model in a partial fit. However that ends, by an error or a future that is dropped, what the optimizer keeps goes back
/// to the model: it is that of the steps that count.
struct Kept<'a> {
    model: &'a mut Mlp,
    course: Option<Course>,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.model.partial = self.course.take().map(Box::new);
    }
}

impl<'a> Trainer<'a> {
    /// With these options and nothing else.
    ///
    /// ```
    /// let options = wgpu_mlp::FitOptions::default();
    /// let trainer = wgpu_mlp::Trainer::new(&options);
    /// ```
    pub fn new(options: &'a FitOptions) -> Self {
        Self::watched(options)
    }
}

impl<'a> Trainer<'a, dyn Callback + Send + 'a> {
    /// Like [`Trainer::new`], for callbacks that are `Send`: then the future of [`Trainer::fit_async`] is, as executors with
    /// several threads want it.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// fn can_move<T: Send>(future: T) -> T {
    ///     future
    /// }
    /// let (options, x) = (FitOptions::default(), ndarray::array![[0.0], [1.0]]);
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let fit = can_move(Trainer::new_send(&options).fit_async(&mut model, x.view(), &[0u8, 1]));
    /// assert_eq!(pollster::block_on(fit)?.epochs.len(), 10);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn new_send(options: &'a FitOptions) -> Self {
        Self::watched(options)
    }
}

impl<'a, C: Callback + ?Sized + 'a> Trainer<'a, C> {
    /// With these options, to be watched by such callbacks.
    pub(super) fn watched(options: &'a FitOptions) -> Self {
        let watchers = Watchers { callbacks: Vec::new(), steps: false, stopped: false, cut: false };
        Trainer { options, validation: None, row_weights: None, watchers, checkpoint: None, resume: false }
    }

    /// Validates on these rows after every epoch. Rows labelled -100, or with the ignored label or class, do not
    /// count; class weights and
    /// label smoothing are for training alone.
    ///
    /// ```
    /// use wgpu_mlp::{FitOptions, Trainer};
    /// let (options, x) = (FitOptions::default(), ndarray::array![[0.2], [0.8]]);
    /// let trainer = Trainer::new(&options).validation_set(x.view(), &[0u8, 1]);
    /// ```
    pub fn validation_set<L: Label>(mut self, x: ArrayView2<'a, f32>, labels: &[L]) -> Self {
        self.validation = Some((x, self.options.plain_labels(labels)));
        self
    }

    /// A weight for each row of the training data, in its order: scikit-learn's `sample_weight`. Rows that
    /// [`FitOptions::validation_fraction`] holds back keep theirs.
    ///
    /// ```
    /// use wgpu_mlp::{FitOptions, Trainer};
    /// let options = FitOptions::default();
    /// let trainer = Trainer::new(&options).row_weights(&[1.0, 0.5, 2.0]);
    /// ```
    pub fn row_weights(mut self, weights: &'a [f32]) -> Self {
        self.row_weights = Some(weights);
        self
    }

    /// Lets this watch the training; several can.
    ///
    /// ```
    /// use wgpu_mlp::{Callback, FitOptions, Trainer};
    /// struct Silent;
    /// impl Callback for Silent {}
    /// let (options, mut silent) = (FitOptions::default(), Silent);
    /// let trainer = Trainer::new(&options).callback(&mut silent);
    /// ```
    pub fn callback(mut self, callback: &'a mut C) -> Self {
        self.watchers.steps = true;
        self.epoch_callback(callback)
    }

    /// One that looks at epochs alone: for it no loss need be read before an epoch's end.
    pub(super) fn epoch_callback(mut self, callback: &'a mut C) -> Self {
        self.watchers.callbacks.push(callback);
        self
    }

    /// Writes everything that the training is made of to this file after every epoch: parameters, optimizer state, the best
    /// epoch's parameters, the history. The file is always that of a whole epoch.
    ///
    /// ```
    /// use wgpu_mlp::{FitOptions, Trainer};
    /// let options = FitOptions::default();
    /// let trainer = Trainer::new(&options).checkpoint("run.checkpoint");
    /// ```
    pub fn checkpoint(mut self, path: impl AsRef<Path>) -> Self {
        self.checkpoint = Some(path.as_ref().into());
        self
    }

    /// Goes on from the checkpoint, where there is one, as if the training had never stopped: with the same data, options
    /// and device it ends with the same bits.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// let (x, y) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let path = std::env::temp_dir().join(format!("wgpu-mlp-doc-{}.checkpoint", std::process::id()));
    /// let train = |epochs| {
    ///     let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    ///     let options = FitOptions { epochs, ..Default::default() };
    ///     Trainer::new(&options).checkpoint(&path).resume().fit(&mut model, x.view(), &y)
    /// };
    /// train(2)?;
    /// assert_eq!(train(5)?.epochs.len(), 5); // the last three of them now
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Trains the model on `rows x inputs` features and a class id a row.
    ///
    /// # Errors
    /// As [`Mlp::fit`]; [`Error::Shape`] for a validation set or weights that do not fit; [`Error::File`],
    /// [`Error::Format`] and [`Error::Model`] for a checkpoint; and what a callback returns.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let history = Trainer::new(&FitOptions::default()).fit(&mut model, ndarray::array![[0.0], [1.0]].view(), &[0u8, 1])?;
    /// assert_eq!(history.epochs.len(), 10);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn fit<L: Label>(self, model: &mut Mlp, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<History> {
        at_once(self.fit_by(Waiting::Blocking, model, x, labels))
    }

    /// [`Trainer::fit`] without blocking the thread: the same bits. Callbacks are called where the future is polled, and
    /// checkpoints are written there.
    ///
    /// A dropped future ends the training between two steps, as with [`Mlp::fit_async`]. [`Callback::on_end`] is not called
    /// then, and [`EarlyStopping`](crate::EarlyStopping) restores nothing; the checkpoint is that of the last whole epoch, and
    /// [`Trainer::resume`] goes on from there. The future is `Send` with [`Trainer::new_send`].
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// let (options, x) = (FitOptions::default(), ndarray::array![[0.0], [1.0]]);
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let fit = Trainer::new(&options).validation_set(x.view(), &[0u8, 1]).fit_async(&mut model, x.view(), &[0u8, 1]);
    /// assert!(pollster::block_on(fit)?.epochs[9].validation_loss.is_some());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn fit_async<L: Label>(self, model: &mut Mlp, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<History> {
        self.fit_by(Waiting::Yielding, model, x, labels).await
    }

    pub(super) async fn fit_by<L: Label>(
        mut self,
        waiting: Waiting,
        model: &mut Mlp,
        x: ArrayView2<'_, f32>,
        labels: &[L],
    ) -> Result<History> {
        self.check(model, x, labels)?;
        model.partial = None;
        let (options, classes) = (self.options, model.classes());
        let labels = options.plain_labels(labels);
        // A validation set takes the fraction's place.
        let fraction = if self.validation.is_some() { 0.0 } else { options.validation_fraction };
        let ignored = options.ignore_class;
        let (train, held) = split(&labels, classes, ignored, fraction, options.seed);
        let rows = Rows { x, labels: &labels, weights: self.row_weights };
        let validation = self.validation.take();
        let held = match &validation {
            Some((x, labels)) => Some((Rows { x: *x, labels, weights: None }, (0..labels.len()).collect())),
            None if fraction == 0.0 => None,
            None => Some((rows, held)),
        };
        if let Some((rows, held)) = &held
            && !held.iter().any(|row| rows.counts(*row, ignored))
        {
            return Err(Error::Combination { op: "fit", rule: NOTHING_TO_VALIDATE });
        }
        let step_options = self.step_options(model, &train.iter().map(|row| labels[*row]).collect::<Vec<_>>())?;
        let job = Job { options, rows, train, held, step_options, waiting };
        let mut course = match &self.checkpoint {
            Some(path) if self.resume && path.exists() => {
                let course = checkpoint::load(path, model, options, labels.len())?;
                log::info!("fit: goes on from {}, behind epoch {}", path.display(), course.history.epochs.len());
                course
            }
            _ => Course::new(options, model)?,
        };
        let checkpoint = self.checkpoint.as_deref();
        let result = job.run(model, &mut course, &mut self.watchers, checkpoint).await;
        result?;
        Ok(course.history)
    }

    /// One epoch, which goes on where the model's last one left off.
    pub(super) async fn fit_once<L: Label>(
        mut self,
        waiting: Waiting,
        model: &mut Mlp,
        x: ArrayView2<'_, f32>,
        labels: &[L],
    ) -> Result<Epoch> {
        self.check(model, x, labels)?;
        let (options, labels) = (self.options, self.options.plain_labels(labels));
        let step_options = self.step_options(model, &labels)?;
        let fresh = Course::new(options, model)?;
        let course = match model.partial.take() {
            Some(kept) if kept.optimizer.optimizer().is_like(&options.optimizer) => {
                kept.with_options(options, model)?
            }
            _ => fresh,
        };
        let train = (0..labels.len()).collect();
        let rows = Rows { x, labels: &labels, weights: self.row_weights };
        let job = Job { options, rows, train, held: None, step_options, waiting };
        let mut kept = Kept { model, course: None };
        let course = kept.course.insert(course);
        let index = course.history.epochs.len();
        let epoch = job.epoch(index, kept.model, course, &mut self.watchers).await.map(|(epoch, _)| epoch);
        if let Ok(epoch) = &epoch {
            kept.model.copy = kept.model.parameters_by(waiting).await?.into();
            course.schedule.end_of_epoch(epoch.loss);
            course.history.epochs.push(epoch.clone());
        }
        epoch
    }

    /// What a plan wants to know: the options, and whether rows have weights.
    pub(crate) fn planned(&self) -> (&FitOptions, bool) {
        (self.options, self.row_weights.is_some())
    }

    fn check<L: Label>(&self, model: &Mlp, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<()> {
        model.check_inputs("fit", x)?;
        check_rows("fit", x, labels.len())?;
        Targets::check_ignoring(labels, model.classes(), self.options.ignored())?;
        if let Some((x, labels)) = &self.validation {
            model.check_inputs("validation", *x)?;
            check_rows("validation", *x, labels.len())?;
            Targets::check(labels, model.classes())?;
        }
        if let Some(weights) = self.row_weights {
            if weights.len() != x.nrows() {
                let right = Shape { rows: weights.len(), cols: 1 };
                let rule = "there must be a weight for each row";
                return Err(Error::Shape { op: "fit", rule, left: x.dim().into(), right });
            }
            check_weights("row", weights)?;
        }
        self.options.check(self.validation.is_some() || self.options.validation_fraction > 0.0)
    }

    /// How each step is done, in a training on these labels.
    fn step_options(&self, model: &Mlp, labels: &[i64]) -> Result<StepOptions> {
        let weights = self.options.class_weights.of(labels, model.classes())?;
        self.options.step_options(&model.device, model.classes(), weights)
    }
}
