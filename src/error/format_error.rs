//! Errors of files that do not keep to their format.

#[cfg(feature = "parquet")]
use super::parquet_error::ParquetError;

/// How a file breaks its format: the source of [`Error::Format`](crate::Error::Format).
///
/// ```
/// use wgpu_mlp::{Device, Error, FormatError, Mlp};
/// let error = Mlp::load(&Device::cpu(), "Cargo.toml").unwrap_err();
/// assert!(matches!(error, Error::Format { source: FormatError::Safetensors(_), .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is not a safetensors file; with the parser's words.
    #[error("not a safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The file holds no report of [`verify`](crate::verify), or a damaged one; with the parser's words, line and column.
    #[error("not a report of verify: {0}")]
    Report(#[from] serde_json::Error),
    /// The header is not that of a `.npy` file; with the parser's words.
    #[cfg(feature = "data")]
    #[error("not a .npy file: {0}")]
    Npy(#[from] ndarray_npy::npy::header::ParseHeaderError),
    /// The file is not a Parquet file that can be read, or a value in it can be neither a feature nor a label.
    #[cfg(feature = "parquet")]
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}
