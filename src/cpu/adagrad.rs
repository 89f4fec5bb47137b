//! adagrad: steps that shrink where gradients were large (Duchi et al., 2011).

use ndarray::ArrayViewMut2;

use super::update::update_with_slot;
use super::{Gradient, Real};
use crate::options::AdaGradOptions;

/// The cost of an element in simple operations: a division and a root.
const COST: usize = 4;

/// One step of adagrad: squares += dw², w -= η dw / (√squares + ε).
pub fn adagrad<T: Real>(
    w: ArrayViewMut2<'_, T>,
    gradient: Gradient<'_, T>,
    squares: ArrayViewMut2<'_, T>,
    options: &AdaGradOptions,
) {
    let (learning_rate, epsilon) = (T::of(options.learning_rate), T::of(options.epsilon));
    update_with_slot(w, gradient, squares, COST, |w, gradient, square| {
        *square = *square + gradient * gradient;
        *w = *w - learning_rate * gradient / (square.sqrt() + epsilon);
    });
}
