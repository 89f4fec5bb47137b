//! Targets on the CPU path.

use ndarray::ArrayView2;

/// A view of the targets of all rows.
#[derive(Clone, Copy, Debug)]
pub enum TargetView<'a, T> {
    /// One class id a row.
    Classes(&'a [u32]),
    /// One distribution over the classes a row.
    Distributions(ArrayView2<'a, T>),
}
