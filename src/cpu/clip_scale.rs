//! clip_scale: the factor that brings the norm of gradients down to a limit (Pascanu et al., 2013).

use ndarray::ArrayView2;

use super::Real;
use super::sum::pairwise;
use crate::options::CLIP_EPSILON;

/// The factor min(1, max_norm / (‖all gradients‖ + ε)); NaN where there is one.
pub fn clip_scale<T: Real>(gradients: &[ArrayView2<'_, T>], max_norm: f64) -> T {
    let square = |gradient: &ArrayView2<'_, T>| {
        let gradient = gradient.as_standard_layout();
        pairwise([gradient.as_slice().unwrap_or_default()], |[dw]| dw * dw)
    };
    let norm = gradients.iter().map(square).fold(T::zero(), |sum, square| sum + square).sqrt();
    let scale = T::of(max_norm) / (norm + T::of(CLIP_EPSILON));
    // Not `min`, which drops NaN.
    if scale > T::one() { T::one() } else { scale }
}
