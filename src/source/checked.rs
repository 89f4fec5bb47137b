//! Reads from a source whose code the crate does not know: its errors become this crate's, and so do its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::row_error::RowError;
use super::row_source::RowSource;
use crate::error::{Error, Result};
use crate::host_memory::host_room;

/// Reads these rows on behalf of this op.
pub(crate) fn read_checked(op: &'static str, source: &dyn RowSource, rows: &[usize], into: &mut [f32]) -> Result<()> {
    // After a panic the source is not used again by this call, and what it left in `into` is thrown away.
    match catch_unwind(AssertUnwindSafe(|| source.read_rows(rows, into))) {
        Ok(outcome) => outcome.map_err(|error| row_failed(op, error)),
        Err(panic) => {
            let (first, count) = (rows.first().copied().unwrap_or(0), rows.len());
            let words = format!("the source panicked among {count} rows from this one on: {}", words_of(&*panic));
            Err(Error::Source { op, row: first, source: words.into() })
        }
    }
}

/// Reads these rows into new memory.
pub(crate) fn read_all(op: &'static str, source: &dyn RowSource, rows: &[usize]) -> Result<Vec<f32>> {
    let cols = source.dim().1;
    let mut values = host_room(op, rows.len(), cols)?;
    values.resize(rows.len() * cols, 0.0);
    read_checked(op, source, rows, &mut values)?;
    Ok(values)
}

/// The error of an op whose source failed: an error of this crate as it is, any other one with its row.
pub(super) fn row_failed(op: &'static str, RowError { row, source }: RowError) -> Error {
    match source.downcast::<Error>() {
        Ok(own) => *own,
        Err(source) => Error::Source { op, row, source },
    }
}

/// The text that a panic carries.
fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A source as log messages name it: a name that is its own code's, and may panic too.
pub(crate) fn describe(source: &dyn RowSource) -> String {
    catch_unwind(AssertUnwindSafe(|| source.name())).unwrap_or_else(|_| "a source".into())
}
