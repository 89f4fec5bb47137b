//! The operations. Each file holds one op's documentation with its error bound, its checks, and the call of the CPU path (`cpu/`)
//! or of the kernels (`gpu/kernels/`). The op's files have one name in these folders.
//!
//! | op | formula |
//! |---|---|
//! | [`matmul`], [`matmul_tn`], [`matmul_nt`] | AB, AᵀB, ABᵀ |
//! | [`linear`] | act(XW + b) |
//! | [`linear_backward`], [`linear_gradients`], [`dense_backward`] | dY Wᵀ · 1\[X > 0\]; Xᵀ dY and Σ_r dY; both |
//! | [`bias_add`] | X + b |
//! | [`column_sum`] | Σ_r X |
//! | [`relu`], [`relu_mask`], [`relu_backward`] | max(X, 0), 1\[X > 0\], dY · 1\[X > 0\] |
//! | [`dropout`], [`dropout_backward`], [`dropout_rows`] | x / (1 - rate), or 0 with probability rate |
//! | [`softmax`], [`log_softmax`], [`softmax_backward`] | exp(x - m) / Σ exp(x - m), its logarithm, p · (dp - Σ_j dp_j p_j) |
//! | [`nll`], [`nll_backward`] | -ln clip(p_t, ε, 1 - ε), -y / (clip(p, ε, 1 - ε) · rows) |
//! | [`softmax_cross_entropy`] | loss, gradient and statistics in one pass |
//! | [`linear_cross_entropy`] | loss, gradient and statistics of the logits XW + b |
//! | [`argmax`], [`accuracy`] | first maximum, mean of hits |
//! | [`sgd`], [`momentum`], [`adagrad`], [`rmsprop`], [`adam`] | parameter updates in place |
//! | [`clip_scale`] | min(1, limit / (‖dw‖ + 10⁻⁶)) |
//!
//! On a GPU an op is recorded and returns at once; only reads ([`Matrix::to_array`](crate::Matrix::to_array), a loss value) wait.
//!
//! The section "Errors" of an op has those that its own operands and options cause. Three kinds are the same for all ops. Operands on
//! several devices are [`Error::OtherDevice`](crate::Error::OtherDevice). A result without room is
//! [`Error::Limit`](crate::Error::Limit), [`Error::OutOfMemory`](crate::Error::OutOfMemory) or
//! [`Error::HostMemory`](crate::Error::HostMemory). And a GPU may report an error at any time, such as
//! [`Error::DeviceLost`](crate::Error::DeviceLost): the next op returns it.

mod accuracy;
mod adagrad;
mod adam;
mod argmax;
pub(crate) mod bank;
mod bias_add;
mod clip_scale;
mod column_sum;
mod dense_backward;
mod dropout;
mod gradients;
mod head;
mod linear;
mod linear_backward;
mod linear_cross_entropy;
mod linear_gradients;
mod loss_options;
mod matmul;
mod matrix_reading;
mod momentum;
mod nll;
mod operands;
mod pending;
mod relu;
mod rmsprop;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod update;

#[cfg(test)]
use crate::gpu::Kernel;

#[cfg(not(target_family = "wasm"))]
pub use accuracy::accuracy;
pub use accuracy::accuracy_async;
pub(crate) use accuracy::{accuracy_by, hits};
pub use adagrad::adagrad;
pub(crate) use adam::Adam;
pub use adam::adam;
pub use argmax::argmax;
pub use bias_add::bias_add;
pub use clip_scale::clip_scale;
pub(crate) use clip_scale::{check_max_norm, clip_scale_all, finite_scale};
pub use column_sum::column_sum;
pub use dense_backward::dense_backward;
pub(crate) use dropout::check_rate;
pub use dropout::{dropout, dropout_backward, dropout_rows};
pub(crate) use gradients::{GradientRoom, InputGradient};
pub use head::Head;
pub use linear::linear;
pub use linear_backward::linear_backward;
pub use linear_cross_entropy::linear_cross_entropy;
pub use linear_gradients::linear_gradients;
pub use loss_options::{CrossEntropy, Reduction};
pub use matmul::{matmul, matmul_nt, matmul_tn};
pub(crate) use matrix_reading::MatrixReading;
pub use momentum::momentum;
pub(crate) use nll::nll_weight_sum;
pub use nll::{CLIP, nll, nll_backward, nll_backward_with, nll_with};
pub(crate) use operands::{On, fits, on, same_shape};
pub use pending::Pending;
pub use relu::{relu, relu_backward, relu_mask};
pub use rmsprop::rmsprop;
pub(crate) use sgd::Sgd;
pub use sgd::sgd;
pub use softmax::{log_softmax, softmax, softmax_backward};
pub use softmax_cross_entropy::softmax_cross_entropy;
pub(crate) use update::{Rule, check_device, check_update, make_unique, update, update_all};

pub use crate::options::{Activation, AdaGradOptions, AdamOptions, MomentumOptions, RmsPropOptions};
pub use crate::statistics::Statistics;

/// The kernels of all ops.
#[cfg(test)]
pub(crate) fn kernels() -> Vec<&'static Kernel> {
    crate::gpu::kernels::all()
}
