//! Reads from a source whose code the crate does not know: its errors become this crate's, and so do its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::row_error::RowError;
use super::row_source::RowSource;
use crate::error::{Error, Result};
use crate::host_memory::host_filled;

/// Rows that an op wants of a source, in this order.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub op: &'static str,
    pub source: &'a dyn RowSource,
    pub cols: usize,
    pub rows: &'a [usize],
    /// The number of threads that may read at once, where the rows are not in memory.
    pub threads: usize,
    /// The source's answer to `as_values`. It is asked for once, before any lock is taken: its code may wait for others, and need
    /// not answer alike each time.
    values: Option<&'a [f32]>,
    /// Whether the rows lie in memory: the source's answer to `is_in_memory`, which is asked for likewise.
    in_memory: bool,
}

impl<'a> Wanted<'a> {
    /// Rows of so many values that the calling thread reads.
    pub fn new(op: &'static str, source: &'a dyn RowSource, cols: usize, rows: &'a [usize]) -> Self {
        let end = rows.iter().max().map_or(0, |last| last + 1);
        let has_all = |values: &&[f32]| end.checked_mul(cols).is_some_and(|end| values.len() >= end);
        let values = values_of(source).filter(has_all);
        // The rows of a source that panics over the question are read as if they lay elsewhere.
        let in_memory = values.is_some() || asked(|| source.is_in_memory()).unwrap_or(false);
        Wanted { op, source, cols, rows, threads: 1, values, in_memory }
    }

    /// These rows, read by so many threads.
    pub fn by(self, threads: usize) -> Self {
        Wanted { threads: threads.max(1), ..self }
    }

    /// A part of these rows.
    pub fn part(self, rows: &'a [usize]) -> Self {
        Wanted { rows, ..self }
    }

    /// The number of values in these rows.
    pub fn len(self) -> usize {
        self.rows.len() * self.cols
    }

    /// All values of the source, if they lie in memory row by row and have all of these rows.
    pub fn values(self) -> Option<&'a [f32]> {
        self.values
    }

    /// Whether the rows lie in memory, in whatever form.
    pub fn is_in_memory(self) -> bool {
        self.in_memory
    }

    /// The values of these rows, if they lie in memory one after the other in this order.
    pub fn neighbours(self) -> Option<&'a [f32]> {
        let first = *self.rows.first()?;
        let follow = self.rows.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        self.values().filter(|_| follow).map(|values| &values[first * self.cols..][..self.len()])
    }

    /// Reads the rows into a place for each of their values.
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
                    // A value that the source does not write is NaN, and no value of an earlier batch.
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

/// A source's answer to a question, or the words with which its own code panics over it.
fn asked<T>(question: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(question)).map_err(|panic| {
        let words = words_of(&*panic).to_owned();
        // What was thrown may panic when it is dropped.
        std::mem::forget(panic);
        words
    })
}

/// The values of a source that lie in memory row by row. One that panics over the question has none.
pub(crate) fn values_of(source: &dyn RowSource) -> Option<&[f32]> {
    asked(|| source.as_values()).ok().flatten()
}

/// The number of rows and of columns of a source, which an op asks for.
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

/// Does the work that these rows are wanted for, in which the source's own code may panic.
pub(crate) fn caught<T>(wanted: Wanted<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // What the source left in memory is thrown away, so that nobody sees it half-written.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let (op, first, count) = (wanted.op, wanted.rows.first().copied().unwrap_or(0), wanted.rows.len());
        let words = format!("the source panicked among {count} rows from this one on: {}", words_of(&*panic));
        // What was thrown may panic when it is dropped.
        std::mem::forget(panic);
        Err(Error::Source { op, row: first, source: words.into() })
    })
}

/// The error of an op whose source failed, with its row.
pub(super) fn row_failed(op: &'static str, RowError { row, source }: RowError) -> Error {
    match source.downcast::<Error>().map(|own| *own) {
        // Its row was that of the source that met it, which may be a part of this one.
        Ok(Error::Feature { op, col, value, .. }) => Error::Feature { op, row, col, value },
        Ok(own) => Error::Source { op, row, source: own.into() },
        Err(source) => Error::Source { op, row, source },
    }
}

/// The text that a panic carries.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
