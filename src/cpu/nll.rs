//! The negative log-likelihood of probabilities, clipped as the notebook clips it, and its gradient.

use ndarray::{Array2, ArrayView2};

use super::sum::pairwise;
use super::threads::{self, EXP};
use super::{Real, TargetView};

/// p within [clip, 1 - clip]; NaN stays NaN.
fn clipped<T: Real>(clip: f64) -> impl Fn(T) -> T + Copy {
    let (low, high) = (T::of(clip), T::of(1.0 - clip));
    move |p| {
        let p = if p < low { low } else { p };
        if p > high { high } else { p }
    }
}

/// -ln clip(p_t) a row, or Σ_c y_c · -ln clip(p_c).
pub fn nll<T: Real>(probs: ArrayView2<'_, T>, targets: TargetView<'_, T>, clip: f64) -> Array2<T> {
    let (rows, cols) = probs.dim();
    let clipped = clipped(clip);
    let y = match &targets {
        TargetView::Classes(classes) => {
            return Array2::from_shape_fn((rows, 1), |(r, _)| -clipped(probs[[r, classes[r] as usize]]).ln());
        }
        TargetView::Distributions(y) => y.as_standard_layout(),
    };
    let probs = probs.as_standard_layout();
    let (y, probs) = (y.as_slice().unwrap_or_default(), probs.as_slice().unwrap_or_default());
    let block = threads::block_rows(cols);
    let mut losses = Array2::zeros((rows, 1));
    let results = losses.as_slice_mut().unwrap_or_default().chunks_mut(block);
    let jobs = results.zip(probs.chunks((block * cols).max(1)).zip(y.chunks((block * cols).max(1))));
    threads::each(jobs, (rows * cols).saturating_mul(EXP), |(losses, (p, y))| {
        for (loss, (p, y)) in losses.iter_mut().zip(p.chunks_exact(cols).zip(y.chunks_exact(cols))) {
            *loss = pairwise([p, y], |[p, y]| y * -clipped(p).ln());
        }
    });
    losses
}

/// -y / (clip(p) · rows); 0 where y is 0.
pub fn nll_backward<T: Real>(probs: ArrayView2<'_, T>, targets: TargetView<'_, T>, clip: f64) -> Array2<T> {
    let rows = T::of(probs.nrows() as f64);
    let clipped = clipped(clip);
    let slope = move |p: T, y: T| {
        // Divided either way, so that this is a selection and no branch.
        let slope = -y / (clipped(p) * rows);
        if y == T::zero() { T::zero() } else { slope }
    };
    match targets {
        TargetView::Classes(classes) => {
            let mut dprobs = Array2::zeros(probs.raw_dim());
            for (r, class) in classes.iter().enumerate() {
                let at = [r, *class as usize];
                dprobs[at] = slope(probs[at], T::one());
            }
            dprobs
        }
        TargetView::Distributions(y) => threads::filled([probs, y], 2, |_, [p, y], out| {
            for ((out, p), y) in out.iter_mut().zip(p).zip(y) {
                *out = slope(*p, *y);
            }
        }),
    }
}
