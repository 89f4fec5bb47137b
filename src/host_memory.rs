//! Host memory for results: vectors are allocated with an error if memory runs out, and shapes without elements are refused.

use crate::error::{Error, Result, Shape};

/// Allocates room for `rows x cols` values in host memory, or returns an error if there is not enough.
pub(crate) fn host_room<T>(op: &'static str, rows: usize, cols: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    let elements = rows.checked_mul(cols).filter(|elements| room.try_reserve_exact(*elements).is_ok());
    if elements.is_none() {
        return Err(no_room::<T>(op, rows, cols));
    }
    Ok(room)
}

/// A vector with this value `rows x cols` times, or an error if host memory is not enough.
pub(crate) fn host_filled<T: Clone>(op: &'static str, (rows, cols): (usize, usize), value: T) -> Result<Vec<T>> {
    let mut values = host_room(op, rows, cols)?;
    values.resize(rows * cols, value);
    Ok(values)
}

/// The error for `rows x cols` values that do not fit into host memory.
pub(crate) fn no_room<T>(op: &'static str, rows: usize, cols: usize) -> Error {
    let needed = (rows as u128 * cols as u128).saturating_mul(size_of::<T>() as u128);
    Error::HostMemory { op, shape: Shape { rows, cols }, bytes: u64::try_from(needed).unwrap_or(u64::MAX) }
}

/// Refuses shapes without rows or columns.
pub(crate) fn not_empty(op: &'static str, rows: usize, cols: usize) -> Result<()> {
    if rows == 0 || cols == 0 {
        return Err(Error::Empty { op, shape: Shape { rows, cols } });
    }
    Ok(())
}
