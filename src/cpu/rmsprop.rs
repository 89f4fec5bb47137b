//! rmsprop: steps divided by the gradients' usual size (Tieleman and Hinton, 2012).

use ndarray::ArrayViewMut2;

use super::update::with_slot;
use super::{Real, Slope};
use crate::options::RmsPropOptions;

/// What an element costs: a division and a root, in simple operations.
const COST: usize = 4;

/// squares = α squares + (1 - α) dw², w -= η dw / (√squares + ε).
pub fn rmsprop<T: Real>(
    w: ArrayViewMut2<'_, T>,
    slope: Slope<'_, T>,
    squares: ArrayViewMut2<'_, T>,
    options: &RmsPropOptions,
) {
    let (learning_rate, epsilon) = (T::of(options.learning_rate), T::of(options.epsilon));
    let (decay, rest) = (T::of(options.decay), T::of(1.0 - options.decay));
    with_slot(w, slope, squares, COST, |w, slope, square| {
        *square = decay * *square + rest * slope * slope;
        *w = *w - learning_rate * slope / (square.sqrt() + epsilon);
    });
}
