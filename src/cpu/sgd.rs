//! sgd: plain gradient descent.

use ndarray::{ArrayViewMut2, Axis};

use super::{Gradient, Real, threads};

/// One step of sgd: w -= learning_rate · dw.
pub fn sgd<T: Real>(mut w: ArrayViewMut2<'_, T>, gradient: Gradient<'_, T>, learning_rate: T) {
    let (work, block) = (w.len(), threads::block_rows(w.ncols()));
    let blocks = w.axis_chunks_iter_mut(Axis(0), block).zip(gradient.dw.axis_chunks_iter(Axis(0), block));
    threads::each(blocks, work, |(mut w, dw)| {
        w.zip_mut_with(&dw, |w, dw| *w = *w - learning_rate * gradient.at(*w, *dw));
    });
}
