//! accuracy: the number of rows whose first maximum is in the column of their class.

use std::borrow::Cow;

use ndarray::ArrayView2;

use super::{Real, TargetView, argmax};

/// The number of rows whose first maximum is in the column of their class; a row with NaN has no maximum.
pub fn accuracy<T: Real>(x: ArrayView2<'_, T>, targets: TargetView<'_, T>) -> u64 {
    let classes = match targets {
        TargetView::Classes(classes) => Cow::Borrowed(classes),
        TargetView::Distributions(rows) => Cow::Owned(argmax(rows)),
    };
    let hit = |(r, best): &(usize, u32)| *best == classes[*r] && !x[[*r, *best as usize]].is_nan();
    argmax(x).into_iter().enumerate().filter(hit).count() as u64
}
