//! The reference path: every op of the crate in plain ndarray, one file an op.
//!
//! Generic over [`Real`]: in f32 it is what a machine without a GPU runs; in f64 it serves this module's own tests. What both
//! paths are held against is written down apart from it, in `verify/oracle.rs`. Large inputs are shared out over threads, which
//! changes no bit. It shares no arithmetic with the kernels.
//! Shapes have been checked by `ops` before a twin is called.

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
mod matmul;
mod memory;
mod momentum;
mod nll;
mod relu;
mod rmsprop;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod sum;
#[cfg(test)]
mod tests;
mod threads;
mod update;

use ndarray::ArrayView2;

pub use accuracy::accuracy;
pub use adagrad::adagrad;
pub use adam::{Moments, adam};
pub use argmax::argmax;
pub use bias_add::bias_add;
pub use clip_scale::clip_scale;
pub use column_sum::column_sum;
pub use dropout::dropout;
pub use matmul::{linear, linear_backward, linear_gradients, matmul, matmul_nt, matmul_tn};
pub use memory::{Kept, copied};
pub use momentum::momentum;
pub use nll::{nll, nll_backward, weight_sum};
pub use relu::{relu, relu_backward, relu_mask};
pub use rmsprop::rmsprop;
pub use sgd::sgd;
pub use softmax::{log_softmax, softmax, softmax_backward};
pub use softmax_cross_entropy::{Contract, softmax_cross_entropy};
pub use update::Slope;

/// f32, or f64 for tests.
pub trait Real: num_traits::Float + ndarray::LinalgScalar + ndarray::ScalarOperand + Send + Sync {
    /// The nearest value of this type.
    fn of(value: f64) -> Self;

    /// e^self, in a form that loops over rows of f32 are vectorised with; f64 takes the standard library's.
    fn quick_exp(self) -> Self;

    /// Memory of results of this type that can be used again, where any is kept.
    fn idle() -> Option<&'static memory::Idle<Self>>;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn quick_exp(self) -> Self {
        exp::exp(self)
    }

    fn idle() -> Option<&'static memory::Idle<Self>> {
        static IDLE: memory::Idle<f32> = memory::Idle::new();
        Some(&IDLE)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn quick_exp(self) -> Self {
        self.exp()
    }

    fn idle() -> Option<&'static memory::Idle<Self>> {
        None
    }
}

/// What each row should be.
#[derive(Clone, Copy, Debug)]
pub enum TargetView<'a, T> {
    /// One class id a row.
    Classes(&'a [u32]),
    /// One distribution over the classes a row.
    Distributions(ArrayView2<'a, T>),
}

/// The first column that holds the row's maximum; the first NaN where there is one, as NumPy's `argmax` has it.
#[inline(always)]
fn first_maximum<T: Real>(row: &[T]) -> usize {
    let top = sum::maximum(row);
    let first = if top.is_nan() { row.iter().position(|x| x.is_nan()) } else { row.iter().position(|x| *x == top) };
    first.unwrap_or(0)
}

/// The row's maximum, or `None` where softmax does not exist: the row holds NaN or +inf, or nothing but -inf.
#[inline(always)]
fn softmax_maximum<T: Real>(row: &[T]) -> Option<T> {
    Some(sum::maximum(row)).filter(|top| top.is_finite())
}
