//! Gradients after clipping and penalties, as the update rules use them.

use ndarray::ArrayView2;

use super::Real;
use crate::options::PenaltyRates;

/// A gradient, with the clip scale and the penalties that update rules apply to it.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a, T> {
    /// The gradient before clipping and penalties.
    pub dw: ArrayView2<'a, T>,
    scale: T,
    l1: T,
    twice_l2: T,
}

impl<'a, T: Real> From<ArrayView2<'a, T>> for Gradient<'a, T> {
    /// The gradient without clipping and penalties.
    fn from(dw: ArrayView2<'a, T>) -> Self {
        Gradient { dw, scale: T::one(), l1: T::zero(), twice_l2: T::zero() }
    }
}

impl<'a, T: Real> Gradient<'a, T> {
    /// The gradient scale · dw + l1 · sign(w) + 2 · l2 · w.
    pub fn new(dw: ArrayView2<'a, T>, scale: T, penalty: &PenaltyRates) -> Self {
        Gradient { dw, scale, l1: T::of(penalty.l1), twice_l2: T::of(2.0 * penalty.l2) }
    }

    /// One element of the gradient, from its parameter and the element of `dw`.
    #[inline(always)]
    pub fn at(&self, w: T, dw: T) -> T {
        let mut gradient = self.scale * dw;
        // Without penalties nothing is added: 0 · w is NaN where w is infinite.
        if self.l1 > T::zero() {
            gradient = gradient + self.l1 * if w == T::zero() { w } else { w.signum() };
        }
        if self.twice_l2 > T::zero() {
            gradient = gradient + self.twice_l2 * w;
        }
        gradient
    }
}
