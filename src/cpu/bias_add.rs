//! bias_add: one bias a column.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::Real;

/// X + b.
pub fn bias_add<T: Real>(x: ArrayView2<'_, T>, bias: ArrayView1<'_, T>) -> Array2<T> {
    &x + &bias
}
