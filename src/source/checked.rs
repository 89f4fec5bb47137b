//! Reads from a source. Its code may be the caller's, so its errors and panics are converted to errors of this crate.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::row_error::RowError;
use super::row_source::RowSource;
use crate::error::{Error, Result};
use crate::host_memory::host_filled;

/// The rows that an op reads from a source, in this order.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub op: &'static str,
    pub source: &'a dyn RowSource,
    pub cols: usize,
    pub rows: &'a [usize],
    /// The number of threads that may read at once, if the rows are not in memory.
    pub threads: usize,
    /// The source's answer to `as_values`. It is asked only once, before any lock is taken: the source's code may wait for other
    /// threads, and may answer differently each time.
    values: Option<&'a [f32]>,
    /// Whether the rows are in memory. This is the source's answer to `is_in_memory`, which is also asked only once.
    in_memory: bool,
}

impl<'a> Wanted<'a> {
    /// Rows of `cols` values, which the calling thread reads.
    pub fn new(op: &'static str, source: &'a dyn RowSource, cols: usize, rows: &'a [usize]) -> Self {
        let end = rows.iter().max().map_or(0, |last| last + 1);
        let has_all = |values: &&[f32]| end.checked_mul(cols).is_some_and(|end| values.len() >= end);
        let values = values_of(source).filter(has_all);
        // If the source panics here, its rows are read as if they were not in memory.
        let in_memory = values.is_some() || asked(|| source.is_in_memory()).unwrap_or(false);
        Wanted { op, source, cols, rows, threads: 1, values, in_memory }
    }

    /// Allows this number of threads to read the rows.
    pub fn by(self, threads: usize) -> Self {
        Wanted { threads: threads.max(1), ..self }
    }

    /// A part of these rows, with the same op and source.
    pub fn part(self, rows: &'a [usize]) -> Self {
        Wanted { rows, ..self }
    }

    /// The number of values in these rows.
    pub fn len(self) -> usize {
        self.rows.len() * self.cols
    }

    /// All values of the source, if they are in memory row by row and include all of these rows.
    pub fn values(self) -> Option<&'a [f32]> {
        self.values
    }

    /// Whether the rows are in memory, in any form.
    pub fn is_in_memory(self) -> bool {
        self.in_memory
    }

    /// The values of these rows, if they are in memory one after the other in this order.
    pub fn neighbours(self) -> Option<&'a [f32]> {
        let first = *self.rows.first()?;
        let follow = self.rows.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        self.values().filter(|_| follow).map(|values| &values[first * self.cols..][..self.len()])
    }

    /// Reads the rows into `into`, which has a place for each of their values.
    pub fn read(self, into: &mut [f32]) -> Result<()> {
        match self.values() {
            Some(values) => {
                for (row, into) in self.rows.iter().zip(into.chunks_exact_mut(self.cols.max(1))) {
                    into.copy_from_slice(&values[row * self.cols..][..self.cols]);
                }
                Ok(())
            }
            None => caught(self, || {
                if !self.source.writes_all() {
                    // A value that the source does not write is then NaN, and not a value of an earlier batch.
                    into.fill(f32::NAN);
                }
                self.source.read_rows(self.rows, into).map_err(|error| row_failed(self.op, error))
            }),
        }
    }

    /// Reads the rows into new memory.
    pub fn read_all(self) -> Result<Vec<f32>> {
        let mut values = host_filled(self.op, (self.rows.len(), self.cols), 0.0)?;
        self.read(&mut values)?;
        Ok(values)
    }
}

/// Calls a method of a source, and returns its answer, or the message of its panic.
fn asked<T>(question: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(question)).map_err(|panic| {
        let words = words_of(&*panic).to_owned();
        // The value of the panic is not dropped, since dropping it may panic too.
        std::mem::forget(panic);
        words
    })
}

/// The values of a source that are in memory row by row. A source that panics here has none.
pub(crate) fn values_of(source: &dyn RowSource) -> Option<&[f32]> {
    asked(|| source.as_values()).ok().flatten()
}

/// The numbers of rows and columns of a source, for an op that names itself in errors.
pub(crate) fn dim_of(op: &'static str, source: &dyn RowSource) -> Result<(usize, usize)> {
    asked(|| source.dim()).map_err(|words| {
        let words = format!("the source panicked when it was asked how many rows and columns there are: {words}");
        Error::Source { op, row: 0, source: words.into() }
    })
}

/// The name of a source for log messages.
pub(crate) fn name_of(source: &dyn RowSource) -> String {
    asked(|| source.name()).unwrap_or_else(|_| "a source that panics over its name".into())
}

/// Does work on these rows, and converts a panic of the source's code to an error.
pub(crate) fn caught<T>(wanted: Wanted<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Values that the source has written before the panic are discarded, so a half-written state is never seen.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let (op, first, count) = (wanted.op, wanted.rows.first().copied().unwrap_or(0), wanted.rows.len());
        let words = format!("the source panicked among {count} rows from this one on: {}", words_of(&*panic));
        // The value of the panic is not dropped, since dropping it may panic too.
        std::mem::forget(panic);
        Err(Error::Source { op, row: first, source: words.into() })
    })
}

/// The error of an op whose source failed at a row.
pub(super) fn row_failed(op: &'static str, RowError { row, source }: RowError) -> Error {
    match source.downcast::<Error>().map(|own| *own) {
        // The row in the error was counted by an inner source, which may be only a part of this one.
        Ok(Error::Feature { op, col, value, .. }) => Error::Feature { op, row, col, value },
        Ok(own) => Error::Source { op, row, source: own.into() },
        Err(source) => Error::Source { op, row, source },
    }
}

/// The message of a panic.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
