//! The gradient as update rules use it, and how they share out their work.

use ndarray::{ArrayView2, ArrayViewMut2, Axis, Zip};

use super::{Real, threads};
use crate::options::PenaltyRates;

/// A gradient, what clipping multiplies it by, and what penalties add.
#[derive(Clone, Copy, Debug)]
pub struct Slope<'a, T> {
    /// The gradient.
    pub dw: ArrayView2<'a, T>,
    scale: T,
    l1: T,
    twice_l2: T,
}

impl<'a, T: Real> From<ArrayView2<'a, T>> for Slope<'a, T> {
    /// The gradient as it is.
    fn from(dw: ArrayView2<'a, T>) -> Self {
        Slope { dw, scale: T::one(), l1: T::zero(), twice_l2: T::zero() }
    }
}

impl<'a, T: Real> Slope<'a, T> {
    /// scale · dw + l1 · sign(w) + 2 · l2 · w.
    pub fn new(dw: ArrayView2<'a, T>, scale: T, penalty: &PenaltyRates) -> Self {
        Slope { dw, scale, l1: T::of(penalty.l1), twice_l2: T::of(2.0 * penalty.l2) }
    }

    /// One element of it.
    #[inline(always)]
    pub fn at(&self, w: T, dw: T) -> T {
        let mut slope = self.scale * dw;
        // Without penalties nothing is added: 0 · w is not always 0.
        if self.l1 > T::zero() {
            slope = slope + self.l1 * if w == T::zero() { w } else { w.signum() };
        }
        if self.twice_l2 > T::zero() {
            slope = slope + self.twice_l2 * w;
        }
        slope
    }
}

/// Goes through the parameters with the gradient's element and what the rule keeps for each, on as many threads as the cost
/// of an element, in simple operations, is worth.
pub(super) fn with_slot<T: Real>(
    mut w: ArrayViewMut2<'_, T>,
    slope: Slope<'_, T>,
    mut slot: ArrayViewMut2<'_, T>,
    cost: usize,
    rule: impl Fn(&mut T, T, &mut T) + Sync,
) {
    let (work, block) = (w.len().saturating_mul(cost), threads::block_rows(w.ncols()));
    let parameters = w.axis_chunks_iter_mut(Axis(0), block).zip(slope.dw.axis_chunks_iter(Axis(0), block));
    threads::each(parameters.zip(slot.axis_chunks_iter_mut(Axis(0), block)), work, |((w, dw), slot)| {
        Zip::from(w).and(dw).and(slot).for_each(|w, dw, slot| {
            let slope = slope.at(*w, *dw);
            rule(w, slope, slot);
        });
    });
}
