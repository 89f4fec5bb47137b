//! Constants that many kernels share: lists of their `override`s, and flags.

use crate::gpu::{Constant, RowSplit};

/// The `override`s of kernels that work on single elements.
pub(crate) const ELEMENTWISE: &[&str] = &["THREADS", "PER_THREAD"];
/// The `override`s of kernels whose threads share rows.
pub(super) const BY_ROW: &[&str] = &["LANES", "ROWS", "FAN"];
/// The `override`s of kernels whose threads share rows and that also read targets.
pub(super) const BY_ROW_AND_TARGETS: &[&str] = &["LANES", "ROWS", "FAN", "DISTRIBUTIONS"];

/// A flag as `override`s take it: 1 where it is set.
pub(crate) fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

/// The constants of a row kernel that has one flag more.
pub(super) fn row_constants(split: &RowSplit, name: &'static str, set: bool) -> [Constant; 4] {
    let [lanes, rows, fan] = split.constants();
    [lanes, rows, fan, (name, flag(set))]
}
