//! The negative log-likelihood of probabilities, clipped as the notebook clips it, and its gradient.

use ndarray::{Array2, ArrayView2};

use super::{Real, TargetView, pairwise};

/// p within [clip, 1 - clip]; NaN stays NaN.
fn clipped<T: Real>(p: T, clip: f64) -> T {
    if p.is_nan() { p } else { p.max(T::of(clip)).min(T::of(1.0 - clip)) }
}

/// -ln clip(p_t) a row, or Σ_c y_c · -ln clip(p_c).
pub fn nll<T: Real>(probs: ArrayView2<'_, T>, targets: TargetView<'_, T>, clip: f64) -> Array2<T> {
    Array2::from_shape_fn((probs.nrows(), 1), |(r, _)| match targets {
        TargetView::Classes(classes) => -clipped(probs[[r, classes[r] as usize]], clip).ln(),
        TargetView::Distributions(y) => pairwise(probs.ncols(), |c| y[[r, c]] * -clipped(probs[[r, c]], clip).ln()),
    })
}

/// -y / (clip(p) · rows); 0 where y is 0.
pub fn nll_backward<T: Real>(probs: ArrayView2<'_, T>, targets: TargetView<'_, T>, clip: f64) -> Array2<T> {
    let rows = T::of(probs.nrows() as f64);
    Array2::from_shape_fn(probs.raw_dim(), |(r, c)| {
        let share = targets.share(r, c);
        if share == T::zero() { T::zero() } else { -share / (clipped(probs[[r, c]], clip) * rows) }
    })
}
