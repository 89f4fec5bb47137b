//! argmax: the first maximum of each row.

use ndarray::ArrayView2;

use super::{Real, first_maximum};

/// The first column that holds the row's maximum; the first NaN where there is one.
pub fn argmax<T: Real>(x: ArrayView2<'_, T>) -> Vec<u32> {
    x.rows().into_iter().map(|row| first_maximum(row) as u32).collect()
}
