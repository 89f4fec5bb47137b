//! Trainer: a training with a validation set, row weights, callbacks and checkpoints.

use std::path::Path;

use super::callback::Callback;
use super::callback_list::CallbackList;
use super::checkpoints::Checkpoints;
use super::history::{Epoch, History};
use super::options::FitOptions;
use super::state::TrainingState;
use crate::distributed::Ranks;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::mlp::Mlp;
use crate::source::RowSource;
use crate::targets::Label;
use crate::waiting::{Waiting, at_once, blocking_and_async};

/// A trainer: a training with a validation set, row weights, callbacks and checkpoints. [`Mlp::fit`] is the short form.
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
pub struct Trainer<'a> {
    pub(super) options: &'a FitOptions,
    pub(super) validation: Option<(Box<dyn RowSource + 'a>, Vec<LabelValue>)>,
    pub(super) row_weights: Option<&'a [f32]>,
    pub(super) ranks: Option<&'a Ranks>,
    pub(super) callbacks: CallbackList<'a>,
    pub(super) checkpoints: Checkpoints<'a>,
}

/// The value of a label of any type. A validation set keeps these, so that an error reports its label whatever the type was.
#[derive(Clone, Copy)]
pub(super) struct LabelValue(i128);

impl Label for LabelValue {
    fn value(self) -> i128 {
        self.0
    }
}

/// A model in a partial fit. When this guard is dropped, the training's state goes back to the model, also after an error or if
/// the future is dropped.
struct PartialGuard<'a> {
    model: &'a mut Mlp,
    state: Option<TrainingState>,
}

impl Drop for PartialGuard<'_> {
    fn drop(&mut self) {
        self.model.partial = self.state.take().map(Box::new);
    }
}

impl<'a> Trainer<'a> {
    /// A trainer with these options.
    pub fn new(options: &'a FitOptions) -> Self {
        let (callbacks, checkpoints) = (CallbackList::default(), Checkpoints::default());
        Trainer { options, validation: None, row_weights: None, ranks: None, callbacks, checkpoints }
    }

    /// Validates on these rows after every epoch. Rows with the label -100 or [`FitOptions::ignore_index`] are ignored.
    /// Class weights and label smoothing have no effect on the validation.
    pub fn validation_set<L: Label>(mut self, x: impl RowSource + 'a, labels: &[L]) -> Self {
        self.validation = Some((Box::new(x), labels.iter().map(|label| LabelValue(label.value())).collect()));
        self
    }

    /// Sets a weight for each row of the training data, in the order of the rows: scikit-learn's `sample_weight`. Rows that
    /// [`FitOptions::validation_fraction`] holds back keep their weights; those of a validation set have none. Only the ratios of
    /// the weights count: if all weights are doubled, the training does not change. A weight below 10⁻¹⁸ times the largest may
    /// count as 0. Accuracies are not weighted.
    pub fn row_weights(mut self, weights: &'a [f32]) -> Self {
        self.row_weights = Some(weights);
        self
    }

    /// Adds a callback, which watches the training and can end it. A trainer can have several callbacks. [`Callback`] has
    /// examples.
    pub fn callback(mut self, callback: &'a mut (dyn Callback + 'a)) -> Self {
        self.callbacks.push(callback);
        self
    }

    /// Writes a checkpoint to this file after every epoch. It has the parameters, the optimizer state, the parameters of the best
    /// epoch, and the history. The file always holds a complete epoch. A path at which no file can be made, such as a folder's or
    /// one in a read-only folder, is refused before the first step.
    ///
    /// [`Mlp::load`] gives the model after the file's last epoch, and [`Mlp::load_best`] that of the best epoch so far. The best
    /// epoch's parameters are there only if [`EarlyStopping::restore_best`](crate::EarlyStopping::restore_best) is set.
    pub fn checkpoint(mut self, path: impl AsRef<Path>) -> Self {
        self.checkpoints.path = Some(path.as_ref().into());
        self
    }

    /// Resumes the training from the file of [`Trainer::checkpoint`], if there is one. With the same data, options and device,
    /// the training ends with the same bits as one that was never interrupted.
    ///
    /// The training returns [`Error::Model`] if the checkpoint has another batch, seed, kind of optimizer, number of layers or
    /// shape of a layer, or another number of rows to train on or to hold back. It returns [`Error::Combination`] if no file is
    /// named. Other options, such as the learning rate and [`FitOptions::epochs`], are taken from this call. If the model's classes
    /// have no names, they get those of the checkpoint.
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
    /// assert_eq!(train(5)?.epochs.len(), 5); // two epochs from the checkpoint, and three more
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn resume(mut self) -> Self {
        self.checkpoints.resume = true;
        self
    }

    /// Hands the bytes of a checkpoint to the program after every epoch. They are the bytes of the file that
    /// [`Trainer::checkpoint`] writes. This is for programs that keep checkpoints elsewhere, such as a page in a browser. If the
    /// closure returns an error, the training ends and returns that error.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp, Trainer};
    /// let (x, y) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let mut kept = Vec::new();
    /// let mut keep = |bytes: &[u8]| {
    ///     kept = bytes.to_vec();
    ///     Ok(())
    /// };
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let options = FitOptions { epochs: 2, ..Default::default() };
    /// Trainer::new(&options).checkpoint_to(&mut keep).fit(&mut model, x.view(), &y)?;
    ///
    /// let options = FitOptions { epochs: 5, ..Default::default() };
    /// let history = Trainer::new(&options).resume_from(&kept).fit(&mut model, x.view(), &y)?;
    /// assert_eq!(history.epochs.len(), 5); // two epochs from the checkpoint, and three more
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn checkpoint_to(mut self, keep: &'a mut (dyn FnMut(&[u8]) -> Result<()> + Send + 'a)) -> Self {
        self.checkpoints.keep = Some(keep);
        self
    }

    /// Resumes the training from the bytes of a checkpoint, as [`Trainer::resume`] does from its file. With the same data,
    /// options and device, the training ends with the same bits as one that was never interrupted. If [`Trainer::resume`] is set
    /// too, these bytes are used, and the file is not. [`Trainer::checkpoint_to`] has an example.
    ///
    /// The training returns [`Error::Format`] for bytes that are no checkpoint, and [`Error::Model`] for the checkpoint of
    /// another training. Both errors name `the given bytes` instead of a path, and leave the model unchanged.
    pub fn resume_from(mut self, bytes: &'a [u8]) -> Self {
        self.checkpoints.bytes = Some(bytes.into());
        self
    }

    /// Trains over these ranks: see [`distributed`](crate::distributed). Each rank has its own device, its own rows, and perhaps
    /// its own validation rows.
    ///
    /// The training is the same as in one process on the rows of all ranks, in the order of the ranks. It has the same batches of
    /// [`FitOptions::batch`] rows in the same order, and each rank computes its own rows of a batch. The gradient is that of the
    /// loss over all rows of the batch, with the weights of all. Dropout, validation, schedule and early stopping are the same
    /// too. All ranks begin with the parameters of rank 0 and end with equal bits, and every run with as many ranks on the same
    /// devices gives these bits. In one process sums are rounded in another order, so its last bits may differ.
    ///
    /// Callbacks are called on the ranks that have them, and one of them can end the training for all. Only rank 0 keeps
    /// checkpoints, and all ranks resume from its checkpoint. Options must be equal on all ranks, except [`FitOptions::workers`].
    /// A rank may have no rows; it then passes empty weights and an empty validation set if the others pass any.
    ///
    /// Each rank keeps 4 bytes for each of its own rows. If rows are shuffled, it also keeps 4 bytes for each row of all ranks (8
    /// beyond 2^32 rows). A [`FitOptions::validation_fraction`], which is drawn from the labels of all ranks, takes 4 more bytes
    /// for each row of all ranks, and about 13 bytes in all at the beginning. With [`FitOptions::stop_on_non_finite`] each step
    /// copies parameters and optimizer state on the device. Ranks block their threads while they wait for each other, also in the
    /// asynchronous form and when its future is dropped. With a single rank nothing changes.
    ///
    /// An error on one rank ends the training on all ranks. They return it as [`RanksError::Failed`](crate::RanksError) with the
    /// number of the rank. If [`FitOptions::stop_on_non_finite`] is set, the models then have finite parameters: those from
    /// before or after the last step on which all ranks agreed.
    pub fn over(mut self, ranks: &'a Ranks) -> Self {
        self.ranks = Some(ranks);
        self
    }

    blocking_and_async! {
        /// Fits the model to `rows x inputs` features and a class id for each row.
        ///
        /// The asynchronous form gives the same bits. It calls callbacks and writes checkpoints where the future is polled. If
        /// the future is dropped, the training ends between two steps, as described at [`Mlp::fit`]: [`Callback::on_end`] is not
        /// called, [`EarlyStopping`](crate::EarlyStopping) restores nothing, and the checkpoint is that of the last complete
        /// epoch, from which [`Trainer::resume`] continues.
        ///
        /// # Errors
        /// As [`Mlp::fit`]; [`Error::Shape`] for a validation set or weights that do not fit; [`Error::Weight`] for the weight
        /// of a row that is negative or not finite; [`Error::File`], [`Error::Format`] and [`Error::Model`] for a checkpoint; and
        /// the errors that callbacks return. Over ranks each of them is [`Error::Ranks`].
        pub fn fit, fit_async<L: Label>(
            self,
            model: &mut Mlp,
            x: impl RowSource,
            labels: &[L],
        ) -> Result<History> = |waiting| {
            self.fit_by(waiting, model, &x, labels).await
        }
    }

    /// Runs one epoch, which continues from the model's last partial fit.
    pub(super) async fn partial_fit_by<L: Label>(
        mut self,
        waiting: Waiting,
        model: &mut Mlp,
        x: &dyn RowSource,
        labels: &[L],
    ) -> Result<Epoch> {
        let (options, checked) = (self.options, self.check(model, x, labels)?);
        let training = self.training(waiting, model, (x, None), &checked, None)?;
        let fresh = TrainingState::new(options, model.layers.len())?;
        let state = match model.partial.take() {
            Some(kept) if kept.optimizer.optimizer().is_like(&options.optimizer) => {
                kept.with_options(options, model.layers.len())?
            }
            _ => fresh,
        };
        let mut guard = PartialGuard { model, state: None };
        let state = guard.state.insert(state);
        // The schedule counts the calls, so no history has to be kept and grow with each call.
        let index = usize::try_from(state.schedule.progress().epochs).unwrap_or(usize::MAX);
        let callbacks = &mut self.callbacks;
        let outcome = match waiting {
            Waiting::Blocking => training.reading_ahead(&guard.model.device.clone(), |training| {
                at_once(training.run_epoch(index, guard.model, state, callbacks))
            }),
            Waiting::Yielding => training.run_epoch(index, guard.model, state, callbacks).await,
        };
        if outcome.is_err() {
            guard.model.renew_copy(waiting).await;
        }
        let (epoch, _) = outcome?;
        guard.model.copy = guard.model.parameters_by(waiting).await?.into();
        state.schedule.end_of_epoch(epoch.loss);
        Ok(epoch)
    }

    /// The options, and whether rows have weights. A plan of the training depends on these.
    pub(crate) fn planned(&self) -> (&FitOptions, bool) {
        (self.options, self.row_weights.is_some())
    }
}
