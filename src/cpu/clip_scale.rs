//! clip_scale: the factor that brings the norm of gradients down to a limit (Pascanu et al., 2013).

use ndarray::ArrayView2;

use super::Real;
use super::sum::pairwise;
use crate::options::CLIP_EPSILON;

/// The longest run of matrices whose sums of squares are added one by one; the runs' sums are added along a tree.
const RUN: usize = 32;

/// The factor min(1, max_norm / (‖all gradients‖ + ε)); NaN where there is one.
pub fn clip_scale<T: Real>(gradients: &[ArrayView2<'_, T>], max_norm: f64) -> T {
    let square = |gradient: &ArrayView2<'_, T>| {
        let gradient = gradient.as_standard_layout();
        pairwise([gradient.as_slice().unwrap_or_default()], |[dw]| dw * dw)
    };
    let squares: Vec<T> = gradients.iter().map(square).collect();
    let runs: Vec<T> = squares.chunks(RUN).map(|run| run.iter().fold(T::zero(), |sum, square| sum + *square)).collect();
    let norm = pairwise([&runs], |[run]| run).sqrt();
    let scale = T::of(max_norm) / (norm + T::of(CLIP_EPSILON));
    // Not `min`, which drops NaN.
    if scale > T::one() { T::one() } else { scale }
}
