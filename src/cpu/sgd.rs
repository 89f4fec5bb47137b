//! sgd: plain gradient descent.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::Real;

/// w -= learning_rate · dw.
pub fn sgd<T: Real>(mut w: ArrayViewMut2<'_, T>, dw: ArrayView2<'_, T>, learning_rate: T) {
    w.zip_mut_with(&dw, |w, dw| *w = *w - learning_rate * *dw);
}
