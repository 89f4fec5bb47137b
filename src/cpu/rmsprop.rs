//! rmsprop: steps divided by the gradients' usual size (Tieleman and Hinton, 2012).

use ndarray::ArrayViewMut2;

use super::update::update_with_slot;
use super::{Gradient, Real};
use crate::options::RmsPropOptions;

/// The cost of an element in simple operations: a division and a root.
const COST: usize = 4;

/// squares = α squares + (1 - α) dw², w -= η dw / (√squares + ε).
pub fn rmsprop<T: Real>(
    w: ArrayViewMut2<'_, T>,
    gradient: Gradient<'_, T>,
    squares: ArrayViewMut2<'_, T>,
    options: &RmsPropOptions,
) {
    let (learning_rate, epsilon) = (T::of(options.learning_rate), T::of(options.epsilon));
    let (decay, rest) = (T::of(options.decay), T::of(1.0 - options.decay));
    update_with_slot(w, gradient, squares, COST, |w, gradient, square| {
        *square = decay * *square + rest * gradient * gradient;
        *w = *w - learning_rate * gradient / (square.sqrt() + epsilon);
    });
}
