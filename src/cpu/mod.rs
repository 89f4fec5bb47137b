//! The CPU path: every op of the crate on plain ndarrays, one file an op.
//!
//! The path is generic over [`Real`]: machines without a GPU run it in f32; tests and tuning use f64. Large inputs are divided among
//! threads, and the number of threads changes no bit. The path shares no arithmetic with the kernels, and `verify` compares both
//! with [`reference`]. Callers have checked the shapes.

mod accuracy;
mod adagrad;
mod adam;
mod argmax;
mod bias_add;
mod clip_scale;
mod column_sum;
mod dropout;
mod exp;
mod gemm;
mod gradient;
mod idle;
mod loss_params;
mod matmul;
mod maximum;
mod memory;
mod momentum;
mod nll;
mod real;
pub(crate) mod reference;
mod relu;
mod rmsprop;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod sum;
mod target_view;
#[cfg(test)]
mod tests;
mod threads;
mod update;

pub use accuracy::accuracy;
pub use adagrad::adagrad;
pub use adam::{Moments, adam};
pub use argmax::argmax;
pub use bias_add::bias_add;
pub use clip_scale::clip_scale;
pub use column_sum::column_sum;
pub use dropout::{dropout, dropout_rows};
pub use gradient::Gradient;
pub use loss_params::LossParams;
pub use matmul::{linear, linear_backward, linear_gradients, matmul, matmul_nt, matmul_tn};
pub use memory::{Kept, copied, unwritten};
pub use momentum::momentum;
pub use nll::{nll, nll_backward, weight_sum};
pub use real::Real;
pub use relu::{relu, relu_backward, relu_mask};
pub use rmsprop::rmsprop;
pub use sgd::sgd;
pub use softmax::{log_softmax, softmax, softmax_backward};
pub use softmax_cross_entropy::softmax_cross_entropy;
pub use target_view::TargetView;
