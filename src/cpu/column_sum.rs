//! column_sum: what a bias's gradient is.

use ndarray::{Array2, ArrayView2, Axis};

use super::Real;
use super::sum::pairwise_rows;

/// Σ_r X, as one row.
pub fn column_sum<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    pairwise_rows(x).insert_axis(Axis(0))
}
