//! adagrad: steps that shrink where gradients were large (Duchi et al., 2011).

use ndarray::ArrayViewMut2;

use super::update::with_slot;
use super::{Real, Slope};
use crate::options::AdaGradOptions;

/// What an element costs: a division and a root, in simple operations.
const COST: usize = 4;

/// squares += dw², w -= η dw / (√squares + ε).
pub fn adagrad<T: Real>(
    w: ArrayViewMut2<'_, T>,
    slope: Slope<'_, T>,
    squares: ArrayViewMut2<'_, T>,
    options: &AdaGradOptions,
) {
    let (learning_rate, epsilon) = (T::of(options.learning_rate), T::of(options.epsilon));
    with_slot(w, slope, squares, COST, |w, slope, square| {
        *square = *square + slope * slope;
        *w = *w - learning_rate * slope / (square.sqrt() + epsilon);
    });
}
