//! Callbacks: they watch a training and can end it.

use std::ops::ControlFlow;

use super::history::{Epoch, History};
use crate::error::Result;
use crate::mlp::Mlp;

/// A callback, which watches a training and can end it: see [`Trainer::callback`](crate::Trainer::callback).
///
/// Each method has a default that does nothing. If a method returns an error, the training ends and returns that error. A closure
/// that takes `&Mlp` and `&Epoch` is also a callback: it is called after each epoch.
///
/// ```
/// use std::ops::ControlFlow;
/// use wgpu_mlp::{Callback, Device, Epoch, FitOptions, Mlp, Result, Trainer};
/// struct UntilPerfect;
/// impl Callback for UntilPerfect {
///     fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
///         Ok(if epoch.accuracy == 1.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     }
/// }
/// let mut model = Mlp::new(&Device::cpu(), &[1, 8, 2], 0)?;
/// let (options, x) = (FitOptions { epochs: 1000, ..Default::default() }, ndarray::array![[0.0], [1.0]]);
/// let history = Trainer::new(&options).callback(&mut UntilPerfect).fit(&mut model, x.view(), &[0u8, 1])?;
/// assert!(history.epochs.len() < 1000);
///
/// let mut print = |_: &Mlp, epoch: &Epoch| {
///     println!("epoch {}: loss {:.3}", epoch.index, epoch.loss);
///     Ok(ControlFlow::Continue(()))
/// };
/// Trainer::new(&FitOptions::default()).callback(&mut print).fit(&mut model, x.view(), &[0u8, 1])?;
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[allow(unused_variables, reason = "the names are documentation")]
pub trait Callback: Send {
    /// Called before the first step.
    fn on_start(&mut self, run: &Run) -> Result<()> {
        Ok(())
    }

    /// Called once the loss of a step is on the host. Steps do not wait for the losses of earlier steps, so this call comes later
    /// than its step.
    ///
    /// `Break` ends the training after the steps that were already submitted; this method is still called for those. The
    /// shortened epoch is validated and is part of the history, with the number of rows that it went through. No checkpoint of it
    /// is written.
    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// Called after each epoch; `Break` ends the training.
    fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// Called after the last epoch, also if a callback or early stopping ended the training, but not after an error.
    fn on_end(&mut self, history: &History) -> Result<()> {
        Ok(())
    }

    /// Whether losses are read during an epoch, about ten times a second, so that [`Callback::on_step`] is called soon after each
    /// step. A closure returns `false`, since it is called only after epochs.
    fn watches_steps(&self) -> bool {
        true
    }
}

/// A closure as a callback, called after each epoch.
impl<F: FnMut(&Mlp, &Epoch) -> Result<ControlFlow<()>> + Send> Callback for F {
    fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        self(model, epoch)
    }

    fn watches_steps(&self) -> bool {
        false
    }
}

/// A run of a training: the sizes that are known before its first step.
///
/// ```
/// use wgpu_mlp::{Callback, Result, Run};
/// struct Announce;
/// impl Callback for Announce {
///     fn on_start(&mut self, run: &Run) -> Result<()> {
///         println!("{} epochs of {} steps", run.epochs, run.steps_per_epoch);
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The maximal number of epochs.
    pub epochs: usize,
    /// The number of rows in an epoch.
    pub rows: usize,
    /// The number of rows in a step.
    pub batch: usize,
    /// The number of steps in an epoch.
    pub steps_per_epoch: usize,
    /// The first epoch's number: 0 unless the training continues from a checkpoint.
    pub first_epoch: usize,
}

/// A step of a training whose loss is on the host.
///
/// ```
/// use std::ops::ControlFlow;
/// use std::time::Instant;
/// use wgpu_mlp::{Callback, Device, FitOptions, Mlp, Result, Step, Trainer};
/// /// Ends a training when its time is up.
/// struct Until(Instant);
/// impl Callback for Until {
///     fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
///         println!("step {} of {}: loss {:.3} so far", step.step + 1, step.steps, step.loss);
///         Ok(if Instant::now() >= self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
///     }
/// }
/// let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0)?;
/// let (options, x) = (FitOptions { epochs: 1000, ..Default::default() }, ndarray::array![[0.0], [1.0]]);
/// let history = Trainer::new(&options).callback(&mut Until(Instant::now())).fit(&mut model, x.view(), &[0u8, 1])?;
/// assert_eq!(history.epochs.len(), 1);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The number of the epoch, counted from 0.
    pub epoch: usize,
    /// The number of the step within the epoch, counted from 0.
    pub step: usize,
    /// The number of steps in the epoch.
    pub steps: usize,
    /// The number of the epoch's rows that are done.
    pub rows: usize,
    /// The mean loss of the epoch so far. It is NaN as long as every row is ignored or has a weight of 0.
    pub loss: f64,
    /// The accuracy of the epoch so far. It is NaN as long as every row is ignored.
    pub accuracy: f64,
}
