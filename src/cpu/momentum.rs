//! momentum: gradient descent with a velocity, as in PyTorch's SGD.

use ndarray::ArrayViewMut2;

use super::update::update_with_slot;
use super::{Gradient, Real};
use crate::options::MomentumOptions;

/// One step of momentum: velocity = μ velocity + dw, then w -= η velocity, or w -= η (dw + μ velocity) after Nesterov.
pub fn momentum<T: Real>(
    w: ArrayViewMut2<'_, T>,
    gradient: Gradient<'_, T>,
    velocity: ArrayViewMut2<'_, T>,
    options: &MomentumOptions,
) {
    let (learning_rate, momentum) = (T::of(options.learning_rate), T::of(options.momentum));
    update_with_slot(w, gradient, velocity, 2, |w, gradient, velocity| {
        *velocity = momentum * *velocity + gradient;
        let direction = if options.nesterov { gradient + momentum * *velocity } else { *velocity };
        *w = *w - learning_rate * direction;
    });
}
