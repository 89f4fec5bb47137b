//! softmax, its logarithm and its gradient, row by row.

use ndarray::{Array2, ArrayView2, Axis, Zip};

use super::{Real, pairwise, softmax_maximum};

/// exp(x - m) / Σ exp(x - m), m the row's maximum.
pub fn softmax<T: Real>(logits: ArrayView2<'_, T>) -> Array2<T> {
    let mut probs = logits.to_owned();
    for mut row in probs.axis_iter_mut(Axis(0)) {
        let Some(top) = softmax_maximum(row.view()) else {
            row.fill(T::nan());
            continue;
        };
        row.mapv_inplace(|x| (x - top).exp());
        let sum = pairwise(row.len(), |c| row[c]);
        row.mapv_inplace(|e| e / sum);
    }
    probs
}

/// x - m - ln Σ exp(x - m).
pub fn log_softmax<T: Real>(logits: ArrayView2<'_, T>) -> Array2<T> {
    let mut out = logits.to_owned();
    for mut row in out.axis_iter_mut(Axis(0)) {
        let Some(top) = softmax_maximum(row.view()) else {
            row.fill(T::nan());
            continue;
        };
        let log_sum = pairwise(row.len(), |c| (row[c] - top).exp()).ln();
        row.mapv_inplace(|x| x - top - log_sum);
    }
    out
}

/// p · (dp - Σ_j dp_j p_j).
pub fn softmax_backward<T: Real>(probs: ArrayView2<'_, T>, dprobs: ArrayView2<'_, T>) -> Array2<T> {
    let mut dlogits = Array2::zeros(probs.raw_dim());
    for ((p, dp), mut out) in probs.rows().into_iter().zip(dprobs.rows()).zip(dlogits.rows_mut()) {
        let dot = pairwise(p.len(), |c| dp[c] * p[c]);
        Zip::from(&mut out).and(p).and(dp).for_each(|out, p, dp| *out = *p * (*dp - dot));
    }
    dlogits
}
