//! nll: the negative log-likelihood of clipped probabilities, and its gradient.

use ndarray::{Array2, ArrayView2};

use super::sum::pairwise;
use super::threads::{self, EXP};
use super::{LossParams, Real, TargetView};

/// The function that clips p to [clip, 1 - clip]; NaN stays NaN.
fn clipped<T: Real>(clip: f64) -> impl Fn(T) -> T + Copy {
    let (low, high) = (T::of(clip), T::of(1.0 - clip));
    move |p| {
        let p = if p < low { low } else { p };
        if p > high { high } else { p }
    }
}

/// The losses Σ_c q_c · -ln clip(p_c), one for each row. For class ids without smoothing the sum is only the term of the row's
/// class.
pub fn nll<T: Real>(
    probs: ArrayView2<'_, T>,
    targets: TargetView<'_, T>,
    params: LossParams<'_, T>,
    clip: f64,
) -> Array2<T> {
    let (rows, cols) = probs.dim();
    let clipped = clipped(clip);
    let weight = |r| params.row_weight(&targets, r, cols);
    if let (TargetView::Classes(classes), true) = (&targets, params.smoothing == T::zero()) {
        return Array2::from_shape_fn((rows, 1), |(r, _)| match weight(r) {
            Some(mass) => mass * -clipped(probs[[r, classes[r] as usize]]).ln(),
            None => T::zero(),
        });
    }
    let probs = probs.as_standard_layout();
    let block = threads::block_rows(cols);
    let mut losses = Array2::zeros((rows, 1));
    let results = losses.as_slice_mut().unwrap_or_default().chunks_mut(block);
    let jobs = results.zip(probs.as_slice().unwrap_or_default().chunks((block * cols).max(1))).enumerate();
    threads::each(jobs, (rows * cols).saturating_mul(EXP), |(index, (losses, p))| {
        let mut masses = vec![T::zero(); cols];
        for (r, (loss, p)) in (index * block..).zip(losses.iter_mut().zip(p.chunks_exact(cols))) {
            if weight(r).is_some() {
                params.fill_masses(&mut masses, &targets, r);
                *loss = pairwise([p, &masses], |[p, mass]| mass * -clipped(p).ln());
            }
        }
    });
    losses
}

/// The gradient -q / divisor / clip(p); 0 where q is 0.
pub fn nll_backward<T: Real>(
    probs: ArrayView2<'_, T>,
    targets: TargetView<'_, T>,
    params: LossParams<'_, T>,
    clip: f64,
) -> Array2<T> {
    let (rows, cols) = probs.dim();
    let clipped = clipped(clip);
    let weights: Vec<_> = (0..rows).map(|r| params.row_weight(&targets, r, cols)).collect();
    let divisor = params.divisor(&weights.iter().map(|weight| weight.unwrap_or(T::zero())).collect::<Vec<_>>());
    let gradient = move |p: T, mass: T| {
        // The quotient is computed in both cases, so that this is a selection and not a branch. q is divided by the divisor
        // first, since the product of the divisor and a small p would lose digits if weights are small.
        let gradient = -(mass / divisor) / clipped(p);
        if mass == T::zero() { T::zero() } else { gradient }
    };
    if let (TargetView::Classes(classes), true) = (&targets, params.smoothing == T::zero()) {
        let mut dprobs = Array2::zeros(probs.raw_dim());
        for (r, (class, mass)) in classes.iter().zip(&weights).enumerate() {
            if let Some(mass) = mass {
                let at = [r, *class as usize];
                dprobs[at] = gradient(probs[at], *mass);
            }
        }
        return dprobs;
    }
    let mut masses = Array2::zeros(probs.raw_dim());
    for (r, mut row) in masses.rows_mut().into_iter().enumerate() {
        if weights[r].is_some() {
            params.fill_masses(row.as_slice_mut().unwrap_or_default(), &targets, r);
        }
    }
    threads::filled([probs, masses.view()], 2, |_, [p, masses], out| {
        for ((out, p), mass) in out.iter_mut().zip(p).zip(masses) {
            *out = gradient(*p, *mass);
        }
    })
}

/// The sum of the rows' weights, by which a mean of [`nll`]'s losses is divided.
pub fn weight_sum<T: Real>(targets: TargetView<'_, T>, params: LossParams<'_, T>, [rows, cols]: [usize; 2]) -> T {
    let weight = |r| params.row_weight(&targets, r, cols).unwrap_or(T::zero());
    pairwise([&(0..rows).map(weight).collect::<Vec<_>>()], |[weight]| weight)
}
