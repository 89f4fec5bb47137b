//! The reference: every op in f64, written as plainly as possible from its definition. `verify` compares all devices with it, the
//! CPU path too. So it uses nothing from the rest of the crate: no constant, no helper, no thread.

mod argmax;
mod clip_scale;
mod dropout;
mod elementwise;
mod loss_targets;
mod matmul;
mod nll;
mod optimizers;
mod softmax;
mod softmax_cross_entropy;
mod sum;

pub use argmax::{accuracy, argmax};
pub use clip_scale::clip_scale;
pub use dropout::{draw, dropout, dropout_rows, keeps};
pub use elementwise::{bias_add, relu, relu_backward, relu_mask};
pub use loss_targets::{LossTargets, divisor, mass};
pub use matmul::matmul;
pub use nll::{nll, nll_backward};
pub use optimizers::{adagrad, adam, momentum, penalized_gradient, rmsprop, sgd};
pub use softmax::{log_softmax, softmax, softmax_backward};
pub use softmax_cross_entropy::{CrossEntropy, softmax_cross_entropy};
pub use sum::{column_sum, sum};
