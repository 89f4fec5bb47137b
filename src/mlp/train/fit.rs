//! Fitting: the short forms of a training, `fit` and `partial_fit`.

use super::history::{Epoch, History};
use super::options::FitOptions;
use super::trainer::Trainer;
use crate::error::Result;
use crate::mlp::Mlp;
use crate::source::RowSource;
use crate::targets::Label;
use crate::waiting::blocking_and_async;

impl Mlp {
    blocking_and_async! {
        /// Fits the model to features (`rows x inputs`) and a class id for each row. It minimises the mean cross-entropy. The
        /// features are any [`RowSource`]: an array, a file, a function.
        ///
        /// Equal models, data, options and devices give equal bits. A second call continues from the weights of the first, with a
        /// fresh optimizer state, and with the same order of rows unless [`FitOptions::seed`] differs; [`Mlp::reset`] resets the
        /// weights. For a validation set, row weights, callbacks or checkpoints, use [`Trainer`](crate::Trainer).
        ///
        /// The asynchronous form runs on any executor and gives the same bits. On the CPU path each poll computes one step, and
        /// the executor can run other tasks between polls. The first use of a kernel compiles it within a poll. If the future is
        /// dropped, the training ends between two steps. The model then has the parameters of the last submitted step, which have
        /// not been checked for NaN and infinity; the history and the optimizer's state are lost. The future is `Send` if the
        /// labels are `Sync`.
        ///
        /// # Errors
        /// [`Error::Shape`](crate::Error::Shape) for features, labels or class weights that do not fit;
        /// [`Error::Empty`](crate::Error::Empty) without rows;
        /// [`Error::Weight`](crate::Error::Weight) for a class weight that is negative or not finite;
        /// [`Error::Target`](crate::Error::Target) with the first row whose label is not a class;
        /// [`Error::Option`](crate::Error::Option) and [`Error::Combination`](crate::Error::Combination) for options out of
        /// range, and if no row counts because of its label or its weight;
        /// [`Error::Source`](crate::Error::Source) for a row that cannot be read;
        /// [`Error::NonFinite`](crate::Error::NonFinite) for values that turned into NaN or infinity.
        ///
        /// ```
        /// use wgpu_mlp::{Device, FitOptions, Mlp};
        /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
        /// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
        /// assert_eq!(history.epochs.len(), 10);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn fit, fit_async<L: Label>(
            &mut self,
            x: impl RowSource,
            labels: &[L],
            options: &FitOptions,
        ) -> Result<History> = |waiting| {
            Trainer::new(options).fit_by(waiting, self, &x, labels).await
        }

        /// Fits the model with one pass over these rows. This is for data that arrive piece by piece.
        ///
        /// The optimizer's state and the progress of the schedule and its warm-up stay with the model between calls. They are
        /// dropped when [`Mlp::fit`] is called, or when the options name another optimizer or other constants of it than the
        /// learning rate. The learning rate, the schedule and all other options are those of the current call.
        ///
        /// A call counts as an epoch: schedules continue from call to call, and the first call's [`Epoch::index`] is 0.
        /// [`FitOptions::epochs`], validation and early stopping have no effect here. After an error the state is that of the
        /// last valid step. If the future of the asynchronous form is dropped, the state is that of the last submitted step,
        /// which has not been checked for NaN and infinity, and the call does not count as an epoch.
        ///
        /// # Errors
        /// As [`Mlp::fit`].
        ///
        /// ```
        /// use wgpu_mlp::{Device, FitOptions, Mlp};
        /// let (mut model, options) = (Mlp::new(&Device::cpu(), &[1, 2], 0)?, FitOptions::default());
        /// let first = model.partial_fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &options)?;
        /// let second = model.partial_fit(ndarray::array![[0.1], [0.9]].view(), &[0u8, 1], &options)?;
        /// assert_eq!((first.index, second.index), (0, 1));
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn partial_fit, partial_fit_async<L: Label>(
            &mut self,
            x: impl RowSource,
            labels: &[L],
            options: &FitOptions,
        ) -> Result<Epoch> = |waiting| {
            let options = FitOptions { validation_fraction: 0.0, early_stopping: None, ..options.clone() };
            Trainer::new(&options).partial_fit_by(waiting, self, &x, labels).await
        }
    }
}
