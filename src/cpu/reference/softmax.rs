//! softmax, its logarithm and its gradient, by rows.

use ndarray::Array2;

use super::argmax::argmax;
use super::sum::sum;

/// A row's maximum m, and Σ exp(x - m); none if the row has no softmax.
fn maximum_and_sum(row: &[f64]) -> Option<(f64, f64)> {
    let maximum = row[argmax(row)];
    maximum.is_finite().then(|| (maximum, sum(row.iter().map(|x| (x - maximum).exp()))))
}

/// The matrix whose rows are `change` of the rows of x.
fn by_row(x: &Array2<f64>, change: impl Fn(&[f64]) -> Vec<f64>) -> Array2<f64> {
    let values = x.rows().into_iter().flat_map(|row| change(&row.to_vec())).collect();
    Array2::from_shape_vec(x.dim(), values).unwrap_or_default()
}

/// Softmax of each row: exp(x) / Σ exp(x).
pub fn softmax(x: &Array2<f64>) -> Array2<f64> {
    by_row(x, |row| match maximum_and_sum(row) {
        Some((maximum, sum)) => row.iter().map(|x| (x - maximum).exp() / sum).collect(),
        None => vec![f64::NAN; row.len()],
    })
}

/// The logarithm of softmax: ln(exp(x) / Σ exp(x)).
pub fn log_softmax(x: &Array2<f64>) -> Array2<f64> {
    by_row(x, |row| match maximum_and_sum(row) {
        Some((maximum, sum)) => row.iter().map(|x| (x - maximum) - sum.ln()).collect(),
        None => vec![f64::NAN; row.len()],
    })
}

/// The gradient of softmax's input: Jᵀ dp, where J = diag(p) - p pᵀ is the Jacobian of softmax.
pub fn softmax_backward(p: &Array2<f64>, dp: &Array2<f64>) -> Array2<f64> {
    let dots: Vec<f64> =
        p.rows().into_iter().zip(dp.rows()).map(|(p, dp)| sum(p.iter().zip(dp).map(|(p, dp)| p * dp))).collect();
    Array2::from_shape_fn(p.dim(), |(r, c)| p[[r, c]] * dp[[r, c]] - p[[r, c]] * dots[r])
}
