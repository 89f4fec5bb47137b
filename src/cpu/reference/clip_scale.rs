//! clip_scale: the factor that clips the norm of all gradients together.

use ndarray::Array2;

use super::sum::sum;

/// The epsilon that is added to the norm, as in PyTorch's `clip_grad_norm_`.
const EPSILON: f64 = 1e-6;

/// The scale min(1, limit / (norm + ε)), for the norm of all gradients together; NaN if a gradient has a NaN.
pub fn clip_scale(gradients: &[Array2<f64>], limit: f64) -> f64 {
    let norm = sum(gradients.iter().flatten().map(|x| x * x)).sqrt();
    let scale = limit / (norm + EPSILON);
    if scale > 1.0 { 1.0 } else { scale }
}
