//! The error type of the crate.
//!
//! Every variant has what a caller needs to correct the call: the op, both shapes or the row, and the underlying error. A message
//! reads like this: `matmul: left columns must equal right rows; got 64x128 and 127x10`.

#[allow(clippy::module_inception, reason = "the type's own file")]
mod error;
mod format_error;
#[cfg(feature = "parquet")]
mod parquet_error;
mod ranks_error;
mod read_error;
mod shape;

pub use error::Error;
pub use format_error::FormatError;
#[cfg(feature = "parquet")]
pub use parquet_error::ParquetError;
pub use ranks_error::RanksError;
pub use read_error::ReadError;
pub use shape::Shape;

/// The result of every fallible call in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
