//! Host memory for results: room for them, and shapes that are refused since they hold nothing.

use crate::error::{Error, Result, Shape};

/// Room for `rows x cols` values in host memory, or an error where there is none.
pub(crate) fn host_room<T>(op: &'static str, rows: usize, cols: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    let elements = rows.checked_mul(cols).filter(|elements| room.try_reserve_exact(*elements).is_ok());
    if elements.is_none() {
        return Err(no_room::<T>(op, rows, cols));
    }
    Ok(room)
}

/// This value `rows x cols` times in host memory, or an error where there is no room.
pub(crate) fn host_filled<T: Clone>(op: &'static str, (rows, cols): (usize, usize), value: T) -> Result<Vec<T>> {
    let mut values = host_room(op, rows, cols)?;
    values.resize(rows * cols, value);
    Ok(values)
}

/// The error for `rows x cols` values that host memory has no room for.
pub(crate) fn no_room<T>(op: &'static str, rows: usize, cols: usize) -> Error {
    let needed = (rows as u128 * cols as u128).saturating_mul(size_of::<T>() as u128);
    Error::HostMemory { op, shape: Shape { rows, cols }, bytes: u64::try_from(needed).unwrap_or(u64::MAX) }
}

/// Refuses shapes without content.
pub(crate) fn not_empty(op: &'static str, rows: usize, cols: usize) -> Result<()> {
    if rows == 0 || cols == 0 {
        return Err(Error::Empty { op, shape: Shape { rows, cols } });
    }
    Ok(())
}
