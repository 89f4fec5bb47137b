//! softmax, its logarithm and its gradient, row by row.

use ndarray::{Array2, ArrayView2};

use super::Real;
use super::maximum::softmax_maximum;
use super::sum::pairwise;
use super::threads::{self, EXP};

/// Softmax of each row: exp(x - m) / Σ exp(x - m), with m the row's maximum.
pub fn softmax<T: Real>(logits: ArrayView2<'_, T>) -> Array2<T> {
    by_row(logits, |_, _, sum, probs| probs.iter_mut().for_each(|p| *p = *p / sum))
}

/// The logarithm of softmax: x - m - ln Σ exp(x - m).
pub fn log_softmax<T: Real>(logits: ArrayView2<'_, T>) -> Array2<T> {
    by_row(logits, |row, maximum, sum, out| {
        let log_sum = sum.ln();
        for (out, x) in out.iter_mut().zip(row) {
            *out = *x - maximum - log_sum;
        }
    })
}

/// Calls `finish(x, m, Σ exp(x - m), result)` for each row. At the call `result` holds exp(x - m). A row without a softmax becomes
/// NaN.
fn by_row<T: Real>(logits: ArrayView2<'_, T>, finish: impl Fn(&[T], T, T, &mut [T]) + Sync) -> Array2<T> {
    let cols = logits.ncols();
    threads::filled([logits], EXP, |_, [x], out| {
        let elements = rows_per_loop(cols) * cols;
        let mut maxima = vec![T::zero(); rows_per_loop(cols)];
        for (x, out) in x.chunks(elements).zip(out.chunks_mut(elements)) {
            exponentials(x, cols, &mut maxima, out);
            for ((row, out), maximum) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)).zip(&maxima) {
                if maximum.is_finite() {
                    let sum = pairwise([&*out], |[e]| e);
                    finish(row, *maximum, sum, out);
                } else {
                    out.fill(T::nan());
                }
            }
        }
    })
}

/// The number of rows whose exponentials are computed in one loop: one row of three columns would not fill a vector.
pub(super) fn rows_per_loop(cols: usize) -> usize {
    (256 / cols.max(1)).max(1)
}

/// Writes exp(x - m) of some rows, and their maxima m, which are NaN for rows that have no softmax.
#[inline(always)]
pub(super) fn exponentials<T: Real>(x: &[T], cols: usize, maxima: &mut [T], out: &mut [T]) {
    for ((row, out), maximum) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)).zip(maxima) {
        *maximum = softmax_maximum(row).unwrap_or(T::nan());
        for (out, x) in out.iter_mut().zip(row) {
            *out = *x - *maximum;
        }
    }
    for out in out {
        *out = out.quick_exp();
    }
}

/// The gradient of softmax's input: p · (dp - Σ_j dp_j p_j).
pub fn softmax_backward<T: Real>(probs: ArrayView2<'_, T>, dprobs: ArrayView2<'_, T>) -> Array2<T> {
    let cols = probs.ncols();
    threads::filled([probs, dprobs], 2, |_, [p, dp], out| {
        for ((p, dp), out) in p.chunks_exact(cols).zip(dp.chunks_exact(cols)).zip(out.chunks_exact_mut(cols)) {
            let dot = pairwise([dp, p], |[dp, p]| dp * p);
            for ((out, p), dp) in out.iter_mut().zip(p).zip(dp) {
                *out = *p * (*dp - dot);
            }
        }
    })
}
