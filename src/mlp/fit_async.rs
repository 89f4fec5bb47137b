//! Training for those who may not block their thread.

use std::ops::ControlFlow;

use ndarray::ArrayView2;

use super::Mlp;
use super::fit::{Watch, unwatched};
use super::history::{Epoch, History};
use super::options::FitOptions;
use super::trainer::Trainer;
use crate::error::Result;
use crate::targets::Label;
use crate::waiting::Waiting;

impl Mlp {
    /// [`Mlp::fit`] without blocking the thread, on any executor: the same bits, and the same bound on what the device has
    /// before it. On the CPU path each poll computes a step, and the executor's other tasks run in between. The first use of
    /// a kernel compiles it within a poll.
    ///
    /// A future that is dropped ends the training between two steps. The model stays usable, with the parameters of the last
    /// step that was handed to the device; nobody has looked yet whether the latest of them are finite.
    /// [`Mlp::last_copy`] is at most some seconds older, or what it was; the history is lost, and the optimizer's state with
    /// it. The future is `Send` where the labels are `Sync`.
    ///
    /// # Errors
    /// As [`Mlp::fit`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let (x, labels) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let history = pollster::block_on(model.fit_async(x.view(), &labels, &FitOptions::default()))?;
    /// assert_eq!(history.epochs.len(), 10);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn fit_async<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
    ) -> Result<History> {
        unwatched(options).fit_by(Waiting::Yielding, self, x, labels).await
    }

    /// [`Mlp::fit_with`] without blocking the thread; as [`Mlp::fit_async`]. `watch` is called where the future is polled:
    /// what it does with the model blocks there. The future is `Send` where `watch` is too.
    ///
    /// # Errors
    /// As [`Mlp::fit_with`].
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let (x, labels, options) = (ndarray::array![[0.0], [1.0]], [0u8, 1], FitOptions::default());
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let fit = model.fit_with_async(x.view(), &labels, &options, |_, epoch| {
    ///     println!("{}: loss {:.3}", epoch.index, epoch.loss);
    ///     Ok(if epoch.index == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    /// });
    /// assert_eq!(pollster::block_on(fit)?.epochs.len(), 5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn fit_with_async<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
        watch: impl FnMut(&Mlp, &Epoch) -> Result<ControlFlow<()>>,
    ) -> Result<History> {
        let mut watch = Watch(watch);
        Trainer::watched(options).epoch_callback(&mut watch).fit_by(Waiting::Yielding, self, x, labels).await
    }

    /// [`Mlp::partial_fit`] without blocking the thread; as [`Mlp::fit_async`], but what the optimizer keeps stays with the
    /// model, also where the future is dropped: it is that of the model's last step, and the call does not count as an epoch.
    ///
    /// # Errors
    /// As [`Mlp::partial_fit`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, FitOptions, Mlp};
    /// let (x, options) = (ndarray::array![[0.0], [1.0]], FitOptions::default());
    /// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
    /// let epoch = pollster::block_on(model.partial_fit_async(x.view(), &[0u8, 1], &options))?;
    /// assert_eq!((epoch.index, epoch.rows), (0, 2));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn partial_fit_async<L: Label>(
        &mut self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        options: &FitOptions,
    ) -> Result<Epoch> {
        self.partial_fit_by(Waiting::Yielding, x, labels, options).await
    }
}
