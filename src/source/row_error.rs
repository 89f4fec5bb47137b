//! The error of a source about one of its rows.

use std::error::Error as StdError;

/// An error of a [`RowSource`](super::RowSource): the row that could not be read, and the reason.
///
/// ```
/// use wgpu_mlp::source::RowError;
/// let error = RowError::new(7, std::io::Error::other("the disk is gone"));
/// assert_eq!((error.row, error.source.to_string().as_str()), (7, "the disk is gone"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("row {row} could not be read: {source}")]
#[non_exhaustive]
pub struct RowError {
    /// The row that could not be read, counted from 0.
    pub row: usize,
    /// The source's own error.
    pub source: Box<dyn StdError + Send + Sync>,
}

impl RowError {
    /// An error about this row. `source` is the source's own error, or a text.
    pub fn new(row: usize, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        RowError { row, source: source.into() }
    }

    /// The error for a row after the last one.
    pub(crate) fn beyond(row: usize, rows: usize) -> Self {
        RowError::new(row, format!("there are only {rows} rows"))
    }
}
