//! Errors of Parquet files.

/// The reason why a Parquet file could not be read: the source of [`FormatError::Parquet`](crate::FormatError::Parquet).
///
/// ```
/// use wgpu_mlp::data::{ParquetFeatures, ParquetOptions, ParquetRows};
/// use wgpu_mlp::{Error, FormatError, ParquetError};
/// let error = ParquetRows::open("examples/data/flowers.csv", &ParquetOptions::default()).unwrap_err();
/// assert!(matches!(error, Error::Format { source: FormatError::Parquet(ParquetError::Decoder(_)), .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParquetError {
    /// The file is not a Parquet file, it is damaged, or the decoder does not support the way in which it is written.
    #[error("not a Parquet file that can be read: {0}")]
    Decoder(#[from] parquet::errors::ParquetError),
    /// A value that can be neither a feature nor a label, or a list whose length is not that of the first list.
    #[error("row group {row_group}, row {row}, column {column}: {rule}; got {found}")]
    Value {
        /// The row group, counted from 0.
        row_group: usize,
        /// The row of the file, counted from 0 over all row groups.
        row: usize,
        /// The column's name.
        column: String,
        /// The rule that was broken.
        rule: &'static str,
        /// A text of what was found instead.
        found: String,
    },
}
