//! Errors of files that break the rules of their format.

#[cfg(feature = "parquet")]
use super::parquet_error::ParquetError;

/// The way in which a file breaks its format: the source of [`Error::Format`](crate::Error::Format).
///
/// ```
/// use wgpu_mlp::{Device, Error, FormatError, Mlp};
/// let error = Mlp::load(&Device::cpu(), "Cargo.toml").unwrap_err();
/// assert!(matches!(error, Error::Format { source: FormatError::Safetensors(_), .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is not a safetensors file. The parser's error is included.
    #[error("not a safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The file holds no report of [`verify`](crate::verify), or a damaged one. The parser's error is included, with line and
    /// column.
    #[error("not a report of verify: {0}")]
    Report(#[from] serde_json::Error),
    /// The header is not that of a `.npy` file. The parser's error is included.
    #[cfg(feature = "data")]
    #[error("not a .npy file: {0}")]
    Npy(#[from] ndarray_npy::npy::header::ParseHeaderError),
    /// The file is not a readable Parquet file, or a value in it can be neither a feature nor a label.
    #[cfg(feature = "parquet")]
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}
