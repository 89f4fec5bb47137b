//! Callbacks: watching a training, and ending it.

use std::ops::ControlFlow;

use super::Mlp;
use super::history::{Epoch, History};
use crate::error::Result;

/// What watches a training: see [`Trainer::callback`](crate::Trainer::callback). Each method can be left out; an error ends
/// the training and comes back from it.
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
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub trait Callback {
    /// Before the first step.
    #[allow(unused_variables, reason = "the names are documentation")]
    fn on_start(&mut self, run: &Run) -> Result<()> {
        Ok(())
    }

    /// When a step's loss has been read: some time after the step, which waits for nothing. It can end the training: behind
    /// the steps that are done by then, of which it sees the rest, the epoch is over before its time. Such an epoch is
    /// validated, told of and in the history, with the rows it has come through; no checkpoint is written of it.
    #[allow(unused_variables, reason = "the names are documentation")]
    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// After an epoch; can end the training.
    #[allow(unused_variables, reason = "the names are documentation")]
    fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// After the last epoch.
    #[allow(unused_variables, reason = "the names are documentation")]
    fn on_end(&mut self, history: &History) -> Result<()> {
        Ok(())
    }
}

/// What a training is going to be.
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
    /// Epochs, at most.
    pub epochs: usize,
    /// Rows an epoch.
    pub rows: usize,
    /// Rows a step.
    pub batch: usize,
    /// Steps an epoch.
    pub steps_per_epoch: usize,
    /// The epoch that it begins with: 0 but for one that goes on from a checkpoint.
    pub first_epoch: usize,
}

/// A step whose loss has been read.
///
/// ```
/// use std::ops::ControlFlow;
/// use std::time::Instant;
/// use wgpu_mlp::{Callback, Device, FitOptions, Mlp, Result, Step, Trainer};
/// /// Ends a training when its time is up.
/// struct Until(Instant);
/// impl Callback for Until {
///     fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
///         println!("step {} of {}: loss {:.3} so far", step.step + 1, step.steps, step.loss.unwrap_or(f64::NAN));
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
    /// The epoch, counted from 0.
    pub epoch: usize,
    /// The step within it, counted from 0.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Rows of the epoch that are done.
    pub rows: usize,
    /// Mean loss of the epoch so far.
    pub loss: Option<f64>,
    /// Accuracy of the epoch so far.
    pub accuracy: Option<f64>,
}
