//! nll, the negative log-likelihood of clipped probabilities, and its gradient.

use ndarray::Array2;

use super::loss_targets::LossTargets;
use super::sum::sum;

/// The clip: probabilities are clipped to [CLIP, 1 - CLIP].
const CLIP: f64 = 1e-7;

/// The losses Σ q · -ln clip(p), one for each row; 0 for ignored rows.
pub fn nll(p: &Array2<f64>, targets: &LossTargets) -> Array2<f64> {
    let surprise = |p: f64| if p.is_nan() { p } else { -p.clamp(CLIP, 1.0 - CLIP).ln() };
    Array2::from_shape_fn((p.nrows(), 1), |(r, _)| {
        let is_added = |c: &usize| targets.all_classes || *c == targets.class[r];
        let terms = (0..p.ncols()).filter(is_added).map(|c| targets.q[[r, c]] * surprise(p[[r, c]]));
        if targets.counts(r) { sum(terms) } else { 0.0 }
    })
}

/// The gradient -q / clip(p) / divisor; 0 where q is 0, and in ignored rows.
pub fn nll_backward(p: &Array2<f64>, targets: &LossTargets) -> Array2<f64> {
    Array2::from_shape_fn(p.dim(), |(r, c)| {
        let q = targets.q[[r, c]];
        if !targets.counts(r) || q == 0.0 {
            return 0.0;
        }
        let p = p[[r, c]];
        if p.is_nan() { p } else { -q / p.clamp(CLIP, 1.0 - CLIP) / targets.divisor }
    })
}
