//! Data files: files from NumPy and spreadsheets are read; broken files are refused with the file's name and the place.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod broken;
mod broken_sources;
mod csv;
mod csv_columns;
mod csv_delimiters;
mod images;
mod left_early;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod readers;
mod scaler;
mod sources;
mod split;
mod streams;
mod tensors;
mod written;

use std::path::{Path, PathBuf};
use std::{env, fs};

use tempfile::TempDir;
use wgpu_mlp::Error;

/// The folder of files that other programs wrote: `tests/data`, or the one that `WGPU_MLP_DATA` names, in which the scripts
/// of `tests/data` have made them again.
fn foreign_files() -> PathBuf {
    env::var_os("WGPU_MLP_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), PathBuf::from)
}

/// A folder for one test, and a file in it.
struct Scratch {
    _dir: TempDir,
    path: PathBuf,
}

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Scratch { path: dir.path().join("file"), _dir: dir }
    }

    /// Writes the bytes to the file and reads them with this function.
    fn read<T>(&self, bytes: &[u8], read: impl Fn(PathBuf) -> Result<T, Error>) -> Result<T, Error> {
        fs::write(&self.path, bytes).unwrap();
        read(self.path.clone())
    }

    /// Reads the bytes with this function, which must fail with these words after the file's name.
    #[track_caller]
    fn refused<T>(&self, bytes: &[u8], read: impl Fn(PathBuf) -> Result<T, Error>, words: &str) -> Error {
        let error = self.read(bytes, read).err().expect("an error");
        assert_eq!(error.to_string(), format!("{}: {words}", self.path.display()));
        error
    }
}
