//! Schedules of the learning rate. The host computes them.

use std::f64::consts::PI;

use crate::error::{Error, Result};
#[cfg(feature = "serde")]
use crate::saved_number as saved;

/// A schedule computes the learning rate from the initial rate η and the epoch e, which is counted from 0. The schedules are
/// those of `torch.optim.lr_scheduler`.
///
/// ```
/// use wgpu_mlp::Schedule;
/// assert_eq!(Schedule::default(), Schedule::Constant);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub enum Schedule {
    /// The rate η.
    #[default]
    Constant,
    /// The rate η · factor^⌊e / every⌋: PyTorch's `StepLR`.
    Step {
        /// The number of epochs from one step to the next, at least 1.
        every: usize,
        /// The factor of a step, above 0.
        factor: f64,
    },
    /// The rate η · factor^e: PyTorch's `ExponentialLR`.
    Exponential {
        /// The factor of an epoch, above 0.
        factor: f64,
    },
    /// The rate minimum + (η - minimum) · (1 + cos(π e / epochs)) / 2: PyTorch's `CosineAnnealingLR` (Loshchilov and
    /// Hutter, 2017). After `epochs` epochs it stays at the minimum.
    Cosine {
        /// The number of epochs until the minimum is reached, at least 1.
        epochs: usize,
        /// The minimal rate, at least 0.
        minimum: f64,
    },
    /// The rate η. Each time that more than `patience` epochs in a row were not better, it is multiplied by the factor, down to
    /// the minimum. This is PyTorch's `ReduceLROnPlateau` without its `cooldown` and `eps`. An epoch is better if its loss is
    /// below (1 - threshold) times the best loss so far; NaN is never better. In a training this is the loss on the validation
    /// rows if there are any, otherwise that in training. A rate below the minimum from the beginning is not reduced.
    OnPlateau {
        /// The factor of a reduction, above 0 and below 1.
        factor: f64,
        /// The number of epochs in a row that may pass without a better loss.
        patience: usize,
        /// The share of the best loss by which a loss must be lower, from 0 up to but not including 1.
        threshold: f64,
        /// The minimal rate, at least 0.
        minimum: f64,
    },
}

/// The options of a learning rate: a schedule and a warm-up before it.
///
/// In the first n = `warm_up_steps` steps the rate is (t + 1) / n times the rate of the schedule, where t is the step, counted
/// from 0. PyTorch's `LinearLR` from 1 / n to 1 gives the same rates.
///
/// ```
/// use wgpu_mlp::{LearningRate, Schedule};
/// let schedule = Schedule::Exponential { factor: 0.95 };
/// let rate = LearningRate { schedule, warm_up_steps: 100 };
/// assert_ne!(rate, schedule.into());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LearningRate {
    /// The schedule of the rate.
    pub schedule: Schedule,
    /// The number of steps in which the rate rises to the rate of the schedule.
    pub warm_up_steps: u64,
}

impl From<Schedule> for LearningRate {
    fn from(schedule: Schedule) -> Self {
        LearningRate { schedule, warm_up_steps: 0 }
    }
}

/// The progress of a schedule, which a checkpoint keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScheduleProgress {
    /// The number of steps done.
    pub steps: u64,
    /// The number of epochs done.
    pub epochs: u64,
    /// The best loss so far: the last one that was better by the schedule's threshold. It is infinite before the first epoch.
    #[cfg_attr(feature = "serde", serde(serialize_with = "saved::write", deserialize_with = "saved::or_infinity"))]
    pub best_loss: f64,
    /// The number of epochs since the best loss, or since the last reduction of the rate.
    pub stale_epochs: u64,
    /// The number of times that the rate was reduced on a plateau.
    pub reductions: u64,
}

impl Default for ScheduleProgress {
    fn default() -> Self {
        ScheduleProgress { steps: 0, epochs: 0, best_loss: f64::INFINITY, stale_epochs: 0, reductions: 0 }
    }
}

/// The state of a schedule in a training. The caller reports every step and epoch to it, and it computes the rate of the next
/// step.
///
/// ```
/// use wgpu_mlp::{Schedule, ScheduleState};
/// let mut schedule = ScheduleState::new(Schedule::Step { every: 2, factor: 0.1 }.into(), 1.0)?;
/// let mut rates = Vec::new();
/// for loss in [0.9, 0.8, 0.7] {
///     rates.push(schedule.rate()); // for OptimizerState::set_learning_rate
///     schedule.end_of_step();
///     schedule.end_of_epoch(loss);
/// }
/// assert_eq!(rates, [1.0, 1.0, 0.1]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleState {
    options: LearningRate,
    initial: f64,
    progress: ScheduleProgress,
}

impl ScheduleState {
    /// The state before the first step, with this initial learning rate.
    ///
    /// # Errors
    /// [`Error::Option`] for an option outside its range.
    pub fn new(options: LearningRate, initial: f64) -> Result<Self> {
        options.schedule.check()?;
        range("learning_rate", "at least 0 and finite", initial, initial >= 0.0)?;
        Ok(ScheduleState { options, initial, progress: ScheduleProgress::default() })
    }

    /// This schedule's state, continued from `progress`.
    pub fn with_progress(self, progress: ScheduleProgress) -> Self {
        ScheduleState { progress, ..self }
    }

    /// The progress of the schedule.
    pub fn progress(&self) -> ScheduleProgress {
        self.progress
    }

    /// The learning rate of the next step.
    pub fn rate(&self) -> f64 {
        let ScheduleProgress { steps, epochs, reductions, .. } = self.progress;
        let power = |factor: f64, exponent: u64| factor.powf(exponent as f64);
        let rate = match self.options.schedule {
            Schedule::Constant => self.initial,
            Schedule::Step { every, factor } => self.initial * power(factor, epochs / every as u64),
            Schedule::Exponential { factor } => self.initial * power(factor, epochs),
            Schedule::Cosine { epochs: last, minimum } if epochs >= last as u64 => minimum,
            Schedule::Cosine { epochs: last, minimum } => {
                let share = epochs as f64 / last as f64;
                minimum + (self.initial - minimum) * (1.0 + (PI * share).cos()) / 2.0
            }
            Schedule::OnPlateau { .. } if reductions == 0 => self.initial,
            // A rate below the minimum from the beginning is not changed.
            Schedule::OnPlateau { factor, minimum, .. } => {
                (self.initial * power(factor, reductions)).max(minimum.min(self.initial))
            }
        };
        match self.options.warm_up_steps {
            warm_up if steps < warm_up => rate * ((steps + 1) as f64 / warm_up as f64),
            _ => rate,
        }
    }

    /// Records the end of a step.
    pub fn end_of_step(&mut self) {
        self.progress.steps = self.progress.steps.saturating_add(1);
    }

    /// Records the end of an epoch with its loss, which shows whether there is a plateau.
    pub fn end_of_epoch(&mut self, loss: f64) {
        let progress = &mut self.progress;
        progress.epochs = progress.epochs.saturating_add(1);
        let Schedule::OnPlateau { patience, threshold, .. } = self.options.schedule else { return };
        if loss < progress.best_loss * (1.0 - threshold) {
            (progress.best_loss, progress.stale_epochs) = (loss, 0);
        } else {
            progress.stale_epochs = progress.stale_epochs.saturating_add(1);
        }
        if progress.stale_epochs > patience as u64 {
            (progress.stale_epochs, progress.reductions) = (0, progress.reductions.saturating_add(1));
        }
    }
}

impl Schedule {
    /// Refuses options outside their range.
    fn check(&self) -> Result<()> {
        let at_least_one = |option, count: usize| range(option, "at least 1", count as f64, count > 0);
        let positive = |factor: f64| range("factor", "positive and finite", factor, factor > 0.0);
        let lowest = |minimum: f64| range("minimum", "at least 0 and finite", minimum, minimum >= 0.0);
        match *self {
            Schedule::Constant => Ok(()),
            Schedule::Step { every, factor } => at_least_one("every", every).and(positive(factor)),
            Schedule::Exponential { factor } => positive(factor),
            Schedule::Cosine { epochs, minimum } => at_least_one("epochs", epochs).and(lowest(minimum)),
            Schedule::OnPlateau { factor, threshold, minimum, .. } => {
                range("factor", "above 0 and below 1", factor, 0.0 < factor && factor < 1.0)?;
                let rule = "from 0 up to but not including 1";
                range("threshold", rule, threshold, (0.0..1.0).contains(&threshold)).and(lowest(minimum))
            }
        }
    }
}

/// Refuses a value of an option that is outside its range or not finite.
fn range(option: &'static str, rule: &'static str, value: f64, fits: bool) -> Result<()> {
    if fits && value.is_finite() { Ok(()) } else { Err(Error::Option { op: "schedule", option, rule, value }) }
}
