//! accuracy: how many rows have their maximum where it should be.

use ndarray::ArrayView2;

use super::{Real, TargetView, first_maximum};

/// The number of rows whose first maximum is their class; a row with NaN has none.
pub fn accuracy<T: Real>(x: ArrayView2<'_, T>, targets: TargetView<'_, T>) -> u64 {
    let hit = |r: &usize| {
        let best = first_maximum(x.row(*r));
        !x[[*r, best]].is_nan() && best == targets.class(*r)
    };
    (0..x.nrows()).filter(hit).count() as u64
}
