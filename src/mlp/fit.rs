//! Fitting: the short forms of a training.

use std::ops::ControlFlow;

use ndarray::ArrayView2;

use super::Mlp;
use super::callback::Callback;
use super::history::{Epoch, History};
use super::options::FitOptions;
use super::trainer::Trainer;
use crate::error::Result;
use crate::targets::Label;
use crate::waiting::{Waiting, at_once};

/// A closure that sees each epoch.
pub(super) struct Watch<F>(pub F);

impl<F: FnMut(&Mlp, &Epoch) -> Result<ControlFlow<()>>> Callback for Watch<F> {
    fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        (self.0)(model, epoch)
    }
}

impl Mlp {
    /// Trains on `rows x inputs` features and a class id a row, by minimising the mean cross-entropy.
    ///
    /// Repeated with the same model, data, options and device it gives the same bits. A second call goes on from the
    /// weights of the first, with a fresh optimizer state; [`Mlp::reset`] starts anew. For a validation set, row weights,
    /// callbacks or checkpoints there is [`Trainer`](crate::Trainer).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for features or labels that do not fit; [`Error::Target`](crate::Error::Target)
    /// with the first row whose label is not a class; [`Error::Option`](crate::Error::Option) and
    /// [`Error::Combination`](crate::Error::Combination) for options that make no sense;
    /// [`Error::NonFinite`](crate::Error::NonFinite) for what turned into NaN or infinity.
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let history = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default())?;
    /// assert_eq!(history.epochs.len(), 10);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn fit<L: Label>(&mut self, x: ArrayView2<'_, f32>, labels: &[L], options: &FitOptions) -> Result<History> {
        at_once(unwatched(options).fit_by(Waiting::Blocking, self, x, labels))
    }

    /// Like [`Mlp::fit`]; `watch` sees the model after each epoch and can end the training.
    ///
    /// # Errors
    /// As [`Mlp::fit`], and what `watch` returns.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let (x, labels) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let history = model.fit_with(x.view(), &labels, &FitOptions::default(), |model, epoch| {
    ///     println!("{}: loss {:.3}, accuracy {:.3}", epoch.index, epoch.loss, model.score(x.view(), &labels)?);
    ///     Ok(if epoch.index == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    /// })?;
    /// assert_eq!(history.epochs.len(), 5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn fit_with<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
        watch: impl FnMut(&Mlp, &Epoch) -> Result<ControlFlow<()>>,
    ) -> Result<History> {
        Trainer::watched(options).epoch_callback(&mut Watch(watch)).fit(self, x, labels)
    }

    /// One pass over these rows, for data that come piece by piece. The optimizer's state stays with the model from call to
    /// call, until [`Mlp::fit`] or another optimizer; so does how far the schedule and the warm-up have come. All other options
    /// are those of this call, the learning rate and the schedule too.
    ///
    /// A call counts as an epoch: schedules go on from call to call, and the first call's [`Epoch::index`] is 0.
    /// [`FitOptions::epochs`], validation and early stopping have no meaning here. After an error the state is still there, as
    /// it was after the last step that counts.
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
    pub fn partial_fit<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
    ) -> Result<Epoch> {
        at_once(self.partial_fit_by(Waiting::Blocking, x, labels, options))
    }

    pub(super) async fn partial_fit_by<L: Label>(
        &mut self,
        waiting: Waiting,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
    ) -> Result<Epoch> {
        let options = FitOptions { validation_fraction: 0.0, early_stopping: None, ..options.clone() };
        unwatched(&options).fit_once(waiting, self, x, labels).await
    }
}

/// A training that nobody watches, whose future can go to another thread.
pub(super) fn unwatched(options: &FitOptions) -> Trainer<'_, dyn Callback + Send + '_> {
    Trainer::new_send(options)
}
