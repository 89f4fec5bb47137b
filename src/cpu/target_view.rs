//! Targets on the CPU path.

use ndarray::ArrayView2;

/// A view of the targets of all rows.
#[derive(Clone, Copy, Debug)]
pub enum TargetView<'a, T> {
    /// A class id for each row.
    Classes(&'a [u32]),
    /// A distribution over the classes for each row.
    Distributions(ArrayView2<'a, T>),
}
