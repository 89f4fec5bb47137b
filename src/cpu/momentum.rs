//! momentum: gradient descent with a velocity, as PyTorch's SGD has it.

use ndarray::ArrayViewMut2;

use super::update::with_slot;
use super::{Real, Slope};
use crate::options::MomentumOptions;

/// velocity = μ velocity + dw, w -= η velocity, or η (dw + μ velocity) after Nesterov.
pub fn momentum<T: Real>(
    w: ArrayViewMut2<'_, T>,
    slope: Slope<'_, T>,
    velocity: ArrayViewMut2<'_, T>,
    options: &MomentumOptions,
) {
    let (learning_rate, momentum) = (T::of(options.learning_rate), T::of(options.momentum));
    with_slot(w, slope, velocity, 2, |w, slope, velocity| {
        *velocity = momentum * *velocity + slope;
        let direction = if options.nesterov { slope + momentum * *velocity } else { *velocity };
        *w = *w - learning_rate * direction;
    });
}
