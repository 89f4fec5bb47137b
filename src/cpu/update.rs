//! The loop of update rules that keep one slot for each parameter.

use ndarray::{ArrayViewMut2, Axis, Zip};

use super::{Gradient, Real, threads};

/// Applies `rule(parameter, gradient, slot)` to all elements, on as many threads as the cost of an element, in simple
/// operations, is worth.
pub(super) fn update_with_slot<T: Real>(
    mut w: ArrayViewMut2<'_, T>,
    gradient: Gradient<'_, T>,
    mut slot: ArrayViewMut2<'_, T>,
    cost: usize,
    rule: impl Fn(&mut T, T, &mut T) + Sync,
) {
    let (work, block) = (w.len().saturating_mul(cost), threads::block_rows(w.ncols()));
    let parameters = w.axis_chunks_iter_mut(Axis(0), block).zip(gradient.dw.axis_chunks_iter(Axis(0), block));
    threads::each(parameters.zip(slot.axis_chunks_iter_mut(Axis(0), block)), work, |((w, dw), slot)| {
        Zip::from(w).and(dw).and(slot).for_each(|w, dw, slot| {
            rule(w, gradient.at(*w, *dw), slot);
        });
    });
}
