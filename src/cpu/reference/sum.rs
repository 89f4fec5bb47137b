//! Sums, with their rounding errors added back.

use ndarray::Array2;

/// The sum of the terms, corrected by the sum of its own rounding errors (Neumaier, 1974). It is as exact as a sum in twice the
/// digits.
pub fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut errors) = (0.0f64, 0.0f64);
    for term in terms {
        let next = sum + term;
        errors += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    if sum.is_finite() { sum + errors } else { sum }
}

/// The sum of each column, as one row.
pub fn column_sum(x: &Array2<f64>) -> Array2<f64> {
    let sums = x.columns().into_iter().map(|column| sum(column.iter().copied())).collect();
    Array2::from_shape_vec((1, x.ncols()), sums).unwrap_or_default()
}
