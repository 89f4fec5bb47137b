//! Parquet files as sources of rows. This module needs the feature `parquet`.

mod cache;
mod columns;
mod convert;
mod file;
mod file_bytes;
mod groups;
mod labels;
mod options;
mod pages;
mod pandas;
mod reader;
mod rows;
mod thrift;

pub use options::{ParquetFeatures, ParquetOptions};
pub use rows::ParquetRows;
