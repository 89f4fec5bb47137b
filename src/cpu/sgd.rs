//! sgd: plain gradient descent.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::{Real, threads};

/// w -= learning_rate · dw.
pub fn sgd<T: Real>(mut w: ArrayViewMut2<'_, T>, dw: ArrayView2<'_, T>, learning_rate: T) {
    let (work, block) = (w.len(), threads::block_rows(w.ncols()));
    let blocks = w.axis_chunks_iter_mut(Axis(0), block).zip(dw.axis_chunks_iter(Axis(0), block));
    threads::each(blocks, work, |(mut w, dw)| w.zip_mut_with(&dw, |w, dw| *w = *w - learning_rate * *dw));
}
