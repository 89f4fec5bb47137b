//! softmax_cross_entropy: the unclipped loss and its gradient, from the logits.

use ndarray::Array2;

use super::argmax::argmax;
use super::loss_targets::LossTargets;
use super::softmax::{log_softmax, softmax};
use super::sum::sum;

/// The results of softmax and cross-entropy together.
pub struct CrossEntropy {
    /// rows x 1: Σ q · -ln p.
    pub losses: Array2<f64>,
    /// rows x classes: (p Σ q - q) / divisor.
    pub dlogits: Array2<f64>,
    /// Whether the row's first maximum is its class.
    pub correct: Vec<bool>,
}

/// Losses and gradient of these logits: 0 for ignored rows, NaN where softmax does not exist.
pub fn softmax_cross_entropy(x: &Array2<f64>, targets: &LossTargets) -> CrossEntropy {
    let (p, log_p) = (softmax(x), log_softmax(x));
    let exists = |r: usize| !p[[r, 0]].is_nan();
    let losses = Array2::from_shape_fn((x.nrows(), 1), |(r, _)| match (targets.counts(r), exists(r)) {
        (false, _) => 0.0,
        (true, false) => f64::NAN,
        (true, true) => {
            let terms = targets.q.row(r).into_iter().zip(log_p.row(r)).filter(|(q, _)| **q != 0.0);
            sum(terms.map(|(q, log_p)| q * -log_p))
        }
    });
    let totals: Vec<f64> = targets.q.rows().into_iter().map(|q| sum(q.iter().copied())).collect();
    let dlogits = Array2::from_shape_fn(x.dim(), |(r, c)| match (targets.counts(r), exists(r)) {
        (false, _) => 0.0,
        (true, false) => f64::NAN,
        (true, true) => (p[[r, c]] * totals[r] - targets.q[[r, c]]) / targets.divisor,
    });
    let is_hit = |r: usize| targets.counts(r) && exists(r) && argmax(&x.row(r).to_vec()) == targets.class[r];
    CrossEntropy { losses, dlogits, correct: (0..x.nrows()).map(is_hit).collect() }
}
