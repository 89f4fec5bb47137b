//! Options of a training.

use super::class_weights::ClassWeights;
use super::early_stopping::EarlyStopping;
use crate::error::{Error, Result};
use crate::ops::check_max_norm;
use crate::optim::{Optimizer, OptimizerState, Penalty};
use crate::schedule::{LearningRate, Schedule, ScheduleState};
use crate::targets::Targets;

/// The maximal number of workers. Each worker is a thread, so a larger number must be a mistake.
const MAX_WORKERS: usize = 1024;

/// Options of a training: see [`Mlp::fit`](crate::Mlp::fit).
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
    /// The maximal number of epochs, which are passes over the data. The epochs of a checkpoint that the training resumes from
    /// count too. If none is left, as with 0, no step is made: data and options are still checked, callbacks are told of the start
    /// and the end, and the model keeps its parameters or gets those of the checkpoint.
    pub epochs: usize,
    /// The number of rows in a step; the last step of an epoch takes the rest.
    pub batch: usize,
    /// The optimizer that updates the parameters.
    pub optimizer: Optimizer,
    /// The schedule of the learning rate over the epochs.
    pub schedule: Schedule,
    /// The number n of warm-up steps. In these the learning rate rises from 1/n of its scheduled value in the first step to all
    /// of it.
    pub warm_up_steps: u64,
    /// Whether each epoch goes through the rows in a new order.
    pub shuffle: bool,
    /// The seed of the rows' order, of the validation split, and of dropout. A second training on the same rows with this seed
    /// takes them in the same order, and holds back the same ones.
    pub seed: u64,
    /// The weights of the classes' losses in training. In the validation all classes have equal weights.
    pub class_weights: ClassWeights,
    /// A label whose rows are ignored in training and in the validation: PyTorch's `ignore_index`. It may be any integer, also a
    /// class. Rows with the label -100 are always ignored.
    pub ignore_index: Option<i64>,
    /// The part of each target, from 0 to 1, that is spread evenly over all classes. It has no effect on the validation.
    pub label_smoothing: f32,
    /// The share of the hidden layers' outputs that a step leaves out, from 0 up to but not including 1. Features are never left
    /// out, so this has no effect on a model without hidden layers; the log then has a warning.
    pub dropout: f32,
    /// The penalties on large parameters: none, one for all layers, or one for each layer.
    pub penalties: Vec<Penalty>,
    /// The limit for the common norm of all gradients. If the norm is larger, the gradients are scaled down. A norm above 1.8 ·
    /// 10¹⁹, whose square is above the largest f32, counts as infinite: all gradients of that step are multiplied by 0.
    pub clip_norm: Option<f64>,
    /// The share of the rows that is held back for the validation, from 0 up to but not including 1. It is rounded up to whole
    /// rows. They are taken from each class in proportion, but never all rows of a class. If no class has a second row, nothing
    /// can be held back, which is an error. If there is a validation set, this share is not used.
    pub validation_fraction: f64,
    /// Early stopping: ends the training when it no longer gets better.
    pub early_stopping: Option<EarlyStopping>,
    /// Whether to stop with [`Error::NonFinite`] when a loss, a parameter or a value of the optimizer's state is NaN or infinite.
    /// The model then has the parameters from before that step, and no checkpoint of the epoch is written. If only the
    /// validation's loss is not finite, the model has the parameters of the whole epoch, and the checkpoint is written.
    /// Parameters and optimizer state are checked when losses are read, at the latest at an epoch's end, so that a step needs no
    /// extra dispatch or wait. This keeps a second copy of parameters and optimizer state on the device.
    pub stop_on_non_finite: bool,
    /// The number of threads that read the rows of coming steps while the device works: PyTorch's `num_workers`. With 0, the
    /// default, the calling thread reads a step's rows when the step begins; on a GPU, several threads then copy rows that are in
    /// memory. Workers are useful if reading takes time: files, conversions, a function. Each worker keeps two pieces of a batch
    /// in memory. A piece has up to 4 MiB, or two rows if these are longer. The order of the rows and the bits of the training do
    /// not depend on the number of workers. [`Mlp::fit`](crate::Mlp::fit) reads ahead. Its asynchronous form does not: it reads a
    /// step's rows when the step begins, on a GPU with up to this number of threads. Rows to validate on are read in the same
    /// ways.
    pub workers: usize,
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
            ignore_index: None,
            label_smoothing: 0.0,
            dropout: 0.0,
            penalties: Vec::new(),
            clip_norm: None,
            validation_fraction: 0.0,
            early_stopping: None,
            stop_on_non_finite: true,
            workers: 0,
        }
    }
}

impl FitOptions {
    /// Refuses options out of range for a model with `depth` layers. It is called before anything changes.
    pub(crate) fn check(&self, validating: bool, depth: usize) -> Result<()> {
        let fail = |option, rule, value| Err(Error::Option { op: "fit", option, rule, value });
        if self.batch == 0 {
            return fail("batch", "at least 1", 0.0);
        }
        if self.workers > MAX_WORKERS {
            return fail("workers", "at most 1024", self.workers as f64);
        }
        if !(0.0..1.0).contains(&self.validation_fraction) {
            return fail("validation_fraction", "from 0 up to but not including 1", self.validation_fraction);
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail("dropout", "from 0 up to but not including 1", self.dropout.into());
        }
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            return fail("label_smoothing", "from 0 to 1", self.label_smoothing.into());
        }
        if ![0, 1, depth].contains(&self.penalties.len()) {
            return fail("penalties", "one, or one for each layer", self.penalties.len() as f64);
        }
        self.penalties.iter().try_for_each(Penalty::check)?;
        self.clip_norm.map_or(Ok(()), |norm| check_max_norm("fit", "clip_norm", norm))?;
        self.schedule_state()?;
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

    /// The schedule's state before the first step.
    pub(in crate::mlp) fn schedule_state(&self) -> Result<ScheduleState> {
        self.optimizer.check()?;
        let learning_rate = LearningRate { schedule: self.schedule, warm_up_steps: self.warm_up_steps };
        ScheduleState::new(learning_rate, self.optimizer.learning_rate())
    }

    /// The label whose rows are ignored, besides -100.
    pub(super) fn ignored(&self) -> i64 {
        self.ignore_index.unwrap_or(Targets::IGNORED)
    }

    /// The optimizer's state before the first step on a model with `depth` layers.
    pub(crate) fn optimizer_state(&self, depth: usize) -> OptimizerState {
        self.complete(OptimizerState::new(self.optimizer), depth)
    }

    /// An optimizer's state, completed with the penalties and the norm limit of these options.
    pub(in crate::mlp) fn complete(&self, state: OptimizerState, depth: usize) -> OptimizerState {
        let penalties = match self.penalties.as_slice() {
            [one] => vec![*one; depth],
            several => several.to_vec(),
        };
        state.clipped(self.clip_norm).with_penalties(penalties)
    }
}
