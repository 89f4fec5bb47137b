//! Batches of a source's rows, for calls that go through all rows in order.

use crate::error::Result;
use crate::host_memory::host_filled;
use crate::source::{RowSource, Wanted, dim_of, values_of};

/// The approximate number of values that are read at a time.
const VALUES: usize = 1 << 18;

/// Calls `each` with the values of all rows, batch by batch, and with the number of each batch's first row.
pub(super) fn each_batch(
    op: &'static str,
    source: &dyn RowSource,
    mut each: impl FnMut(usize, &[f32]) -> Result<()>,
) -> Result<()> {
    let (rows, cols) = dim_of(op, source)?;
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let batch = (VALUES / cols).clamp(1, rows);
    if let Some(values) = values_of(source).filter(|values| rows.checked_mul(cols) == Some(values.len())) {
        return values
            .chunks(batch * cols)
            .zip((0..rows).step_by(batch))
            .try_for_each(|(values, row)| each(row, values));
    }
    let mut values = host_filled(op, (batch, cols), 0.0)?;
    for first in (0..rows).step_by(batch) {
        let numbers: Vec<usize> = (first..rows.min(first + batch)).collect();
        let values = &mut values[..numbers.len() * cols];
        Wanted::new(op, source, cols, &numbers).read(values)?;
        each(first, values)?;
    }
    Ok(())
}
