//! How a model is trained.

use super::step::StepOptions;
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::matrix::Matrix;
use crate::metrics::balanced_class_weights;
use crate::ops::CrossEntropy;
use crate::optim::{Optimizer, OptimizerState, Penalty};
use crate::schedule::Schedule;
use crate::targets::{Label, Targets};

/// How [`Mlp::fit`](crate::Mlp::fit) trains.
///
/// ```
/// use wgpu_mlp::{EarlyStopping, FitOptions, Optimizer};
/// let options = FitOptions {
///     epochs: 200,
///     batch: 256,
///     optimizer: Optimizer::adamw(1e-3, 1e-2),
///     dropout: 0.2,
///     validation_fraction: 0.1,
///     early_stopping: Some(EarlyStopping::default()),
///     ..Default::default()
/// };
/// assert!(options.shuffle);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct FitOptions {
    /// Passes over the data, at most.
    pub epochs: usize,
    /// Rows a step; the last step of an epoch takes what is left.
    pub batch: usize,
    /// What is done with the gradients.
    pub optimizer: Optimizer,
    /// How the learning rate changes from epoch to epoch.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from 0 to what it should be.
    pub warm_up_steps: u64,
    /// Whether each epoch goes through the rows in a new order.
    pub shuffle: bool,
    /// Seed of these orders, of the validation split, and of dropout.
    pub seed: u64,
    /// What the classes' losses weigh in training; all the same in the validation.
    pub class_weights: ClassWeights,
    /// Rows of this class give no loss and no gradient, and do not count in the validation; rows labelled -100 never do.
    pub ignore_class: Option<u32>,
    /// Rows with this label count for nothing, as those labelled -100: PyTorch's `ignore_index`, any integer, a class or not.
    pub ignore_label: Option<i64>,
    /// The part of each target, from 0 to 1, that is spread evenly over all classes; not in the validation.
    pub label_smoothing: f32,
    /// The share of the hidden layers' outputs that a step leaves out, from 0 up to but not including 1.
    pub dropout: f32,
    /// What large parameters add to the loss: nothing, or an entry for each layer; one entry alone serves all of them.
    pub penalties: Vec<Penalty>,
    /// Scale gradients whose norm, over all parameters, is beyond this.
    pub clip_norm: Option<f64>,
    /// The share of the rows that is held back to validate, from 0 up to but not including 1: rounded up to whole rows, from
    /// each class in proportion, and never all of a class. Where no class has a second row there is nothing to hold back, which
    /// is an error. A validation set takes its place.
    pub validation_fraction: f64,
    /// End the training when it no longer helps.
    pub early_stopping: Option<EarlyStopping>,
    /// End it with [`Error::NonFinite`] when a loss, a parameter or what the optimizer keeps is NaN or infinite, with the
    /// parameters of before that step; no checkpoint is written of such an epoch. Parameters and optimizer are looked at
    /// where losses are read, at the latest at an epoch's end, so that a step takes no launch and no wait more. Keeps a second
    /// copy of parameters and optimizer state on the device.
    pub stop_on_non_finite: bool,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            epochs: 10,
            batch: 128,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            warm_up_steps: 0,
            shuffle: true,
            seed: 0,
            class_weights: ClassWeights::default(),
            ignore_class: None,
            ignore_label: None,
            label_smoothing: 0.0,
            dropout: 0.0,
            penalties: Vec::new(),
            clip_norm: None,
            validation_fraction: 0.0,
            early_stopping: None,
            stop_on_non_finite: true,
        }
    }
}

impl FitOptions {
    /// Refuses what no training could be done with; the rest is refused by the ops.
    pub(super) fn check(&self, validating: bool) -> Result<()> {
        let fail = |option, rule, value| Err(Error::Option { op: "fit", option, rule, value });
        if self.batch == 0 {
            return fail("batch", "at least 1", 0.0);
        }
        if !(0.0..1.0).contains(&self.validation_fraction) {
            return fail("validation_fraction", "from 0 up to but not including 1", self.validation_fraction);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail("dropout", "from 0 up to but not including 1", self.dropout.into());
        }
        match &self.early_stopping {
            Some(stopping) if stopping.monitor.needs_validation() && !validating => {
                let rule = "early stopping watches the validation, and there is none: set validation_fraction, pass a \
                            validation set, or watch Monitor::Loss";
                Err(Error::Combination { op: "fit", rule })
            }
            Some(stopping) if stopping.patience == 0 => fail("patience", "at least 1", 0.0),
            Some(stopping) if !(stopping.min_delta >= 0.0 && stopping.min_delta.is_finite()) => {
                fail("min_delta", "at least 0 and finite", stopping.min_delta)
            }
            _ => Ok(()),
        }
    }

    /// The label that marks rows which count for nothing.
    pub(super) fn ignored(&self) -> i64 {
        self.ignore_label.unwrap_or(Targets::IGNORED)
    }

    /// The labels as one type, whatever integers they were, with -100 for the ignored one.
    pub(super) fn plain_labels<L: Label>(&self, labels: &[L]) -> Vec<i64> {
        Targets::with_ignored(labels, self.ignored())
    }

    /// An optimizer before its first step on a model of so many layers.
    pub(crate) fn optimizer_state(&self, depth: usize) -> OptimizerState {
        self.complete(OptimizerState::new(self.optimizer), depth)
    }

    /// Gives an optimizer's state the penalties and the norm, in the place of those it had.
    pub(super) fn complete(&self, state: OptimizerState, depth: usize) -> OptimizerState {
        let penalties = match self.penalties.as_slice() {
            [one] => vec![*one; depth],
            several => several.to_vec(),
        };
        state.clipped(self.clip_norm).with_penalties(penalties)
    }

    /// How a step would be done, whose labels are not known yet.
    pub(crate) fn planned_step(&self, device: &Device, classes: usize) -> Result<StepOptions> {
        let one_of_each: Vec<i64> = (0..classes as i64).collect();
        self.step_options(device, classes, self.class_weights.of(&one_of_each, classes)?)
    }

    /// How each step is done, with a weight for each class where there are some.
    pub(crate) fn step_options(
        &self,
        device: &Device,
        classes: usize,
        class_weights: Option<Vec<f32>>,
    ) -> Result<StepOptions> {
        if let Some(weights) = class_weights.as_ref().filter(|weights| weights.len() != classes) {
            let (left, right) = (Shape { rows: 1, cols: weights.len() }, Shape { rows: 1, cols: classes });
            return Err(Error::Shape { op: "fit", rule: "there must be a class weight for each class", left, right });
        }
        let matrix = |weights: Vec<f32>| Matrix::from_slice(device, 1, weights.len(), &weights);
        let loss = CrossEntropy {
            class_weights: class_weights.map(matrix).transpose()?,
            ignore_class: self.ignore_class,
            label_smoothing: self.label_smoothing,
            ..Default::default()
        };
        Ok(StepOptions { loss, dropout: self.dropout, seed: self.seed })
    }
}

/// What the classes' losses weigh in training.
///
/// ```
/// use wgpu_mlp::{ClassWeights, FitOptions};
/// let options = FitOptions { class_weights: ClassWeights::Balanced, ..Default::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ClassWeights {
    /// 1 each.
    #[default]
    Equal,
    /// rows / (classes that occur · rows of the class), as scikit-learn's `balanced`: rare classes count as much as common
    /// ones. See [`balanced_class_weights`].
    Balanced,
    /// A weight for each class.
    Each(Vec<f32>),
}

impl ClassWeights {
    /// A weight for each class, given the labels to train on.
    pub(super) fn of(&self, labels: &[i64], classes: usize) -> Result<Option<Vec<f32>>> {
        match self {
            ClassWeights::Equal => Ok(None),
            ClassWeights::Balanced => balanced_class_weights(labels, classes).map(Some),
            ClassWeights::Each(weights) => check_weights("class", weights).map(|()| Some(weights.clone())),
        }
    }
}

/// Refuses a weight that no row or class can have.
pub(super) fn check_weights(what: &'static str, weights: &[f32]) -> Result<()> {
    let fits = |weight: &f32| *weight >= 0.0 && weight.is_finite();
    match weights.iter().position(|weight| !fits(weight)) {
        Some(index) => Err(Error::Weight { op: "fit", what, index, value: weights[index] }),
        None => Ok(()),
    }
}

/// When a training is over before its last epoch.
///
/// ```
/// use wgpu_mlp::{EarlyStopping, Monitor};
/// let stopping = EarlyStopping { monitor: Monitor::ValidationAccuracy, patience: 5, ..Default::default() };
/// assert!(stopping.restore_best);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct EarlyStopping {
    /// What should get better.
    pub monitor: Monitor,
    /// Epochs without anything better after which the training ends.
    pub patience: usize,
    /// What counts as better: by more than this.
    pub min_delta: f64,
    /// Whether the model ends with the parameters of its best epoch, not of its last.
    pub restore_best: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        EarlyStopping { monitor: Monitor::default(), patience: 10, min_delta: 0.0, restore_best: true }
    }
}

/// What early stopping watches.
///
/// ```
/// assert_eq!(wgpu_mlp::Monitor::default(), wgpu_mlp::Monitor::ValidationLoss);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Monitor {
    /// The loss on the validation rows.
    #[default]
    ValidationLoss,
    /// The accuracy on the validation rows.
    ValidationAccuracy,
    /// The loss in training.
    Loss,
}

impl Monitor {
    fn needs_validation(self) -> bool {
        self != Monitor::Loss
    }
}
