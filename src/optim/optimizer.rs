//! The enum Optimizer: an update rule with its options.

use std::ops::Range;

use crate::error::Result;
use crate::ops::{self, AdaGradOptions, AdamOptions, MomentumOptions, RmsPropOptions, Rule};

/// The names of the slots of all optimizers. Checkpoints use these names.
const SLOTS: [&str; 4] = ["velocity", "squares", "m", "v"];
/// The names that errors give these slots, in the same order.
const SLOTS_IN_ERRORS: [&str; SLOTS.len()] =
    ["the optimizer's velocity", "the optimizer's squares", "the optimizer's m", "the optimizer's v"];

/// An optimizer: the rule by which gradients change the parameters, with its options.
///
/// ```
/// use wgpu_mlp::{Optimizer, ops::AdamOptions};
/// let optimizer = Optimizer::adam(1e-3);
/// assert_eq!(optimizer, Optimizer::Adam(AdamOptions::default()));
/// assert_eq!(optimizer.slots(), ["m", "v"]);
/// assert_eq!(optimizer.with_learning_rate(0.5).learning_rate(), 0.5);
/// assert_ne!(Optimizer::nesterov(0.01, 0.9), Optimizer::momentum(0.01, 0.9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub enum Optimizer {
    /// Gradient descent, w -= learning_rate · dw: see [`ops::sgd`].
    Sgd {
        /// Step size.
        learning_rate: f64,
    },
    /// Gradient descent with momentum: see [`ops::momentum`].
    Momentum(MomentumOptions),
    /// AdaGrad: see [`ops::adagrad`].
    AdaGrad(AdaGradOptions),
    /// RMSProp: see [`ops::rmsprop`].
    RmsProp(RmsPropOptions),
    /// Adam and AdamW: see [`ops::adam`].
    Adam(AdamOptions),
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::Adam(AdamOptions::default())
    }
}

impl Optimizer {
    /// Plain gradient descent.
    pub fn sgd(learning_rate: f64) -> Self {
        Optimizer::Sgd { learning_rate }
    }

    /// Gradient descent with momentum.
    pub fn momentum(learning_rate: f64, momentum: f64) -> Self {
        Optimizer::Momentum(MomentumOptions { learning_rate, momentum, nesterov: false })
    }

    /// Gradient descent with Nesterov's momentum.
    pub fn nesterov(learning_rate: f64, momentum: f64) -> Self {
        Optimizer::Momentum(MomentumOptions { learning_rate, momentum, nesterov: true })
    }

    /// AdaGrad.
    pub fn adagrad(learning_rate: f64) -> Self {
        Optimizer::AdaGrad(AdaGradOptions { learning_rate, ..Default::default() })
    }

    /// RMSprop with its usual decay.
    pub fn rmsprop(learning_rate: f64) -> Self {
        Optimizer::RmsProp(RmsPropOptions { learning_rate, ..Default::default() })
    }

    /// Adam with its usual decays.
    pub fn adam(learning_rate: f64) -> Self {
        Self::adamw(learning_rate, 0.0)
    }

    /// Adam with a decoupled weight decay (AdamW), for weights and biases alike.
    pub fn adamw(learning_rate: f64, weight_decay: f64) -> Self {
        Optimizer::Adam(AdamOptions { learning_rate, weight_decay, ..Default::default() })
    }

    /// The learning rate of the optimizer.
    pub fn learning_rate(&self) -> f64 {
        let mut own = *self;
        *own.learning_rate_mut()
    }

    /// The optimizer with another learning rate.
    pub fn with_learning_rate(mut self, rate: f64) -> Self {
        *self.learning_rate_mut() = rate;
        self
    }

    fn learning_rate_mut(&mut self) -> &mut f64 {
        match self {
            Optimizer::Sgd { learning_rate } => learning_rate,
            Optimizer::Momentum(options) => &mut options.learning_rate,
            Optimizer::AdaGrad(options) => &mut options.learning_rate,
            Optimizer::RmsProp(options) => &mut options.learning_rate,
            Optimizer::Adam(options) => &mut options.learning_rate,
        }
    }

    /// The names of the optimizer's slots. A slot holds a value for each parameter, which is kept from step to step.
    pub fn slots(&self) -> &'static [&'static str] {
        &SLOTS[self.slot_numbers()]
    }

    /// The names that errors give the optimizer's slots.
    pub(crate) fn slots_in_errors(&self) -> &'static [&'static str] {
        &SLOTS_IN_ERRORS[self.slot_numbers()]
    }

    /// The places of the optimizer's slots in the lists of all names.
    fn slot_numbers(&self) -> Range<usize> {
        match self {
            Optimizer::Sgd { .. } => 0..0,
            Optimizer::Momentum(_) => 0..1,
            Optimizer::AdaGrad(_) | Optimizer::RmsProp(_) => 1..2,
            Optimizer::Adam(_) => 2..4,
        }
    }

    /// The kind of optimizer, by a name that says which quantities its slots hold. Several kinds have slots of one name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Optimizer::Momentum(options) if options.nesterov => "nesterov",
            _ => self.rule(1).name(),
        }
    }

    /// Whether two optimizers differ at most in their learning rate.
    pub(crate) fn is_like(&self, other: &Optimizer) -> bool {
        self.with_learning_rate(other.learning_rate()) == *other
    }

    /// Refuses constants outside their range.
    pub(crate) fn check(&self) -> Result<()> {
        self.rule(1).check()
    }

    /// The update rule for this step, counted from 1.
    pub(super) fn rule(&self, step: u64) -> Box<dyn Rule> {
        match *self {
            Optimizer::Sgd { learning_rate } => Box::new(ops::Sgd { learning_rate }),
            Optimizer::Momentum(options) => Box::new(options),
            Optimizer::AdaGrad(options) => Box::new(options),
            Optimizer::RmsProp(options) => Box::new(options),
            Optimizer::Adam(options) => Box::new(ops::Adam { options, step }),
        }
    }
}
