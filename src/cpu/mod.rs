//! The reference path: every op of the crate in plain ndarray, one file an op.
//!
//! Generic over [`Real`]: in f32 it is what a machine without a GPU runs, in f64 it is the oracle that both are held
//! against. It shares no arithmetic with the kernels. Shapes have been checked by `ops` before a twin is called.

mod accuracy;
mod adam;
mod argmax;
mod bias_add;
mod column_sum;
mod matmul;
mod nll;
mod relu;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod sum;

use ndarray::{ArrayView1, ArrayView2};

pub use accuracy::accuracy;
pub use adam::{Moments, adam};
pub use argmax::argmax;
pub use bias_add::bias_add;
pub use column_sum::column_sum;
pub use matmul::{linear, matmul, matmul_nt, matmul_tn};
pub use nll::{nll, nll_backward};
pub use relu::{relu, relu_backward, relu_mask};
pub use sgd::sgd;
pub use softmax::{log_softmax, softmax, softmax_backward};
pub use softmax_cross_entropy::{Contract, RowLosses, softmax_cross_entropy};
pub(crate) use sum::{pairwise, pairwise_rows};

/// f32, or f64 for the oracle.
pub trait Real: num_traits::Float + ndarray::LinalgScalar + ndarray::ScalarOperand + Send + Sync {
    /// The nearest value of this type.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
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

impl<T: Real> TargetView<'_, T> {
    /// The share of class `c` in row `r`.
    fn share(&self, r: usize, c: usize) -> T {
        match self {
            TargetView::Classes(classes) if classes[r] as usize == c => T::one(),
            TargetView::Classes(_) => T::zero(),
            TargetView::Distributions(rows) => rows[[r, c]],
        }
    }

    /// The row's class: its id, or the first maximum of its distribution.
    fn class(&self, r: usize) -> usize {
        match self {
            TargetView::Classes(classes) => classes[r] as usize,
            TargetView::Distributions(rows) => first_maximum(rows.row(r)),
        }
    }
}

/// The first column that holds the row's maximum; the first NaN where there is one, as NumPy's `argmax` has it.
fn first_maximum<T: Real>(row: ArrayView1<'_, T>) -> usize {
    let mut best = 0;
    for (c, value) in row.iter().enumerate() {
        if row[best].is_nan() {
            break;
        }
        if value.is_nan() || *value > row[best] {
            best = c;
        }
    }
    best
}

/// The row's maximum, or `None` where softmax does not exist: the row holds NaN or +inf, or nothing but -inf.
fn softmax_maximum<T: Real>(row: ArrayView1<'_, T>) -> Option<T> {
    let top =
        row.iter().fold(T::neg_infinity(), |top, x| if x.is_nan() || top.is_nan() { T::nan() } else { top.max(*x) });
    top.is_finite().then_some(top)
}
