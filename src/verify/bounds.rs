//! Error bounds for f32 results against an f64 reference, derived, never fitted. u = 2⁻²³ is twice the relative error
//! of one f32 operation, so a sum of n terms in any order is within n u / 2 of the sum of their magnitudes.

use ndarray::{Array2, ArrayView2, Axis};

/// u = 2⁻²³.
pub(super) const U: f64 = f32::EPSILON as f64;
/// Results below the smallest normal f32 may be flushed to zero: WGSL allows it.
pub(super) const FLUSH: f64 = f32::MIN_POSITIVE as f64;
/// WGSL's absolute error of the logarithm near 1.
pub(super) const LOG: f64 = 1.0 / (1u64 << 21) as f64;

/// Products over k: k multiply-adds are off by at most (k + 2) u (|A||B|); rounding errors of random sign stay below
/// 6 √k u (|A||B|). The smaller of both.
pub(super) fn product(magnitude: f64, k: usize) -> f64 {
    let k = k as f64;
    (k + 2.0).min(6.0 * k.sqrt()) * U * magnitude + FLUSH
}

/// Sums of many terms in runs and trees: runs of at most 32, lanes of at most cols / 128, trees above them.
pub(super) fn row_sum(terms: usize) -> f64 {
    (20.0 + terms as f64 / 64.0) * U
}

/// Sums over the rows of a matrix: runs of 16 or 32, and the trees above them, level by level.
pub(super) fn column_sum(rows: usize) -> f64 {
    (20.0 + (rows as f64).log2()) * U
}

/// Softmax: WGSL's exp is within 3 + 2|x| ulp, the difference x - m is rounded, and so are sum and quotient.
pub(super) fn softmax(probs: &Array2<f64>, logits: ArrayView2<'_, f64>) -> Array2<f64> {
    let log_cols = (logits.ncols() as f64).log2();
    let mut bound = probs.clone();
    for (mut row, x) in bound.axis_iter_mut(Axis(0)).zip(logits.rows()) {
        let top = x.fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        row.zip_mut_with(&x, |p, x| {
            // p is 0 wherever x - m is infinite.
            let distance = if *p == 0.0 { 0.0 } else { (x - top).abs() };
            *p = U * *p * (6.0 + 3.0 * distance + log_cols) + FLUSH;
        });
    }
    bound
}

/// The logarithm of a row's sum of exponentials: that sum is off by u (6 + log₂ C) relatively, its logarithm by 2⁻²¹.
pub(super) fn log_sum(cols: usize) -> f64 {
    LOG + U * (6.0 + (cols as f64).log2())
}
