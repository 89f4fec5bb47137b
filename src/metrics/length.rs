//! The check that labels and rows have the same length.

use crate::error::{Error, Result, Shape};

/// Checks that there are as many labels as rows.
pub(super) fn same_length(op: &'static str, rule: &'static str, left: Shape, labels: usize) -> Result<()> {
    if left.rows != labels {
        return Err(Error::Shape { op, rule, left, right: Shape { rows: labels, cols: 1 } });
    }
    Ok(())
}
