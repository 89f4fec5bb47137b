//! The check that rows have as many labels, weights or names.

use crate::error::{Error, Result, Shape};

/// Checks that there are as many labels, or whatever else there is one of for each row, as rows.
pub fn same_length(op: &'static str, rule: &'static str, left: Shape, labels: usize) -> Result<()> {
    if left.rows != labels {
        return Err(Error::Shape { op, rule, left, right: Shape { rows: labels, cols: 1 } });
    }
    Ok(())
}
