//! softmax, its logarithm and its gradient, row by row.

use ndarray::{Array2, ArrayView2};

use super::sum::pairwise;
use super::threads::{self, EXP};
use super::{Real, softmax_maximum};

/// exp(x - m) / Σ exp(x - m), m the row's maximum.
pub fn softmax<T: Real>(logits: ArrayView2<'_, T>) -> Array2<T> {
    by_row(logits, |_, _, sum, probs| probs.iter_mut().for_each(|p| *p = *p / sum))
}

/// x - m - ln Σ exp(x - m).
pub fn log_softmax<T: Real>(logits: ArrayView2<'_, T>) -> Array2<T> {
    by_row(logits, |row, top, sum, out| {
        let log_sum = sum.ln();
        for (out, x) in out.iter_mut().zip(row) {
            *out = *x - top - log_sum;
        }
    })
}

/// Each row as `finish(x, m, Σ exp(x - m), result)` leaves it, which finds exp(x - m) in the result.
fn by_row<T: Real>(logits: ArrayView2<'_, T>, finish: impl Fn(&[T], T, T, &mut [T]) + Sync) -> Array2<T> {
    let cols = logits.ncols();
    threads::filled([logits], EXP, |_, [x], out| {
        let strip = strip_rows(cols) * cols;
        let mut tops = vec![T::zero(); strip_rows(cols)];
        for (x, out) in x.chunks(strip).zip(out.chunks_mut(strip)) {
            exponentials(x, cols, &mut tops, out);
            for ((row, out), top) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)).zip(&tops) {
                if top.is_finite() {
                    let sum = pairwise([&*out], |[e]| e);
                    finish(row, *top, sum, out);
                } else {
                    out.fill(T::nan());
                }
            }
        }
    })
}

/// Rows whose exponentials are taken in one loop: one of three columns would fill no vector.
pub(super) fn strip_rows(cols: usize) -> usize {
    (256 / cols.max(1)).max(1)
}

/// Writes exp(x - m) of some rows, and their maxima: NaN for a row that has no softmax.
#[inline(always)]
pub(super) fn exponentials<T: Real>(x: &[T], cols: usize, tops: &mut [T], out: &mut [T]) {
    for ((row, out), top) in x.chunks_exact(cols).zip(out.chunks_exact_mut(cols)).zip(tops) {
        *top = softmax_maximum(row).unwrap_or(T::nan());
        for (out, x) in out.iter_mut().zip(row) {
            *out = *x - *top;
        }
    }
    for out in out {
        *out = out.quick_exp();
    }
}

/// p · (dp - Σ_j dp_j p_j).
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
