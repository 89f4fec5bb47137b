//! Setups of the training cases: optimizers and options.

use crate::ops::AdamOptions;
use crate::optim::Penalty;

pub(super) const STEPS: u32 = 3;
pub(super) const RATE: f64 = 0.5;
pub(super) const MAX_NORM: f64 = 0.1;
/// The epsilon of Adam. It is so large that the sign of a tiny gradient does not decide the step.
pub(super) const ADAM: AdamOptions =
    AdamOptions { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weight_decay: 0.0 };

pub(super) const DROPOUT: f32 = 0.3;
/// The seed of dropout: a number of which neither 32-bit word is 0.
pub(super) const SEED: u64 = 0x1234_5678_9abc_def0;

/// One way to train.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub name: &'static str,
    /// Whether the optimizer is Adam, else SGD.
    pub adam: bool,
    /// Whether the norm of all gradients together is clipped.
    pub clipped: bool,
    pub dropout: bool,
    pub penalties: bool,
}

pub(super) const SETUPS: [Setup; 6] = {
    let plain = Setup { name: "sgd", adam: false, clipped: false, dropout: false, penalties: false };
    [
        plain,
        Setup { name: "sgd, clipped", clipped: true, ..plain },
        Setup { name: "adam", adam: true, ..plain },
        Setup { name: "sgd, dropout", dropout: true, ..plain },
        Setup { name: "sgd, penalties", penalties: true, ..plain },
        Setup { name: "adam, clipped, dropout, penalties", adam: true, clipped: true, dropout: true, penalties: true },
    ]
};

/// The penalties of each layer. All numbers are different, so that a mix-up is noticed.
pub(super) fn penalties(layers: usize) -> Vec<Penalty> {
    let of_layer = |layer: usize| {
        let size = 1.0 + layer as f64;
        Penalty { l1_weights: 0.003 * size, l2_weights: 0.011 * size, l1_biases: 0.005 * size, l2_biases: 0.017 * size }
    };
    (0..layers).map(of_layer).collect()
}
