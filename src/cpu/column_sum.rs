//! column_sum: the sum of each column, the gradient of a bias.

use ndarray::{Array2, ArrayView2, Axis};

use super::Real;
use super::sum::pairwise_rows;

/// The sums Σ_r X, as one row.
pub fn column_sum<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    pairwise_rows(x).insert_axis(Axis(0))
}
