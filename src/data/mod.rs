//! Data: `.npy`, safetensors, Parquet and CSV files, scaling, and splits. This module needs the feature `data`.
//!
//! ```
//! use wgpu_mlp::data::{CsvOptions, read_csv, read_npy, write_npy};
//! use wgpu_mlp::{Device, FitOptions, Mlp};
//!
//! # let folder = std::env::temp_dir().join("wgpu-mlp-doc-data");
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let (csv, npy) = (folder.join("flowers.csv"), folder.join("probs.npy"));
//! std::fs::write(&csv, "petal,sepal,species\n1.4,5.1,setosa\n4.7,7.0,versicolor\n").unwrap();
//! let table = read_csv(&csv, &CsvOptions::default())?; // labels in the last column
//! assert_eq!(table.classes, ["setosa", "versicolor"]);
//!
//! let mut model = Mlp::new(&Device::cpu(), &[table.columns.len(), 8, table.classes.len()], 7)?;
//! model.fit(table.features.view(), &table.labels, &FitOptions::default())?;
//! write_npy(&npy, model.predict_proba(table.features.view())?.view())?; // np.load reads it
//! assert_eq!(read_npy(&npy)?.dim(), (2, 2));
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```
//!
//! [`CsvOptions::features`] and [`CsvOptions::label`] read the columns of a test file by the names that the training file gives
//! them: [`Table::columns`] and [`Table::label`]. [`read_csv_shards`] reads several files. [`train_test_split`] and
//! [`Table::split`] hold rows back for a test. [`Scaler`] scales features to mean 0 and variance 1.
//!
//! # Bytes and readers
//!
//! [`read_npy_from`], [`read_npy_labels_from`], [`read_csv_from`] and [`read_csv_features_from`] read from any [`std::io::Read`],
//! as the functions without `_from` read from files. [`write_npy_to`] writes to any [`std::io::Write`]. These are for programs
//! without files, such as pages in browsers, and for compressed files. [`npy_rows`], [`safetensors_rows`] and
//! [`safetensors_labels`] take the bytes of a file.
//!
//! # Sources of rows
//!
//! Trainings and predictions read features from any [`RowSource`]. These functions open files as sources. The files are never
//! loaded as a whole:
//!
//! | function | what it gives |
//! |---|---|
//! | [`open_npy`] | the rows of a `.npy` file, read from the disk when they are needed |
//! | [`npy_rows`] | the rows of a `.npy` file whose bytes are in memory, or mapped into it |
//! | [`open_safetensors`], [`safetensors_rows`] | the rows of a tensor in a safetensors file: from the disk, from memory |
//! | `ParquetRows::open` | the rows of a Parquet file, with the feature `parquet`: row groups are read as they are needed |
//! | `ParquetRows::open_shards` | the rows of several Parquet files, whose columns are compared |
//! | [`Scaler::scaled`] | the rows of another source, scaled while they are read |
//!
//! Integers of 1 to 8 bytes, floats of 2, 4 and 8 bytes, bfloat16 and booleans are converted to f32 while they are read.
//! [`shard_paths`] finds the files of a pattern, and [`Shards`] joins sources. [`read_npy_labels`] and
//! [`read_safetensors_labels`] read labels. [`Scaler::fit`] accepts any source, and [`write_npy_rows`] writes any source to a
//! `.npy` file of f32.
//!
//! Mapping a file into memory is left to the caller, for example with the crate memmap2. It is `unsafe`, since nobody may change
//! the file while it is mapped. [`npy_view`] gives an `ArrayView2` of mapped f32, without a copy.
//!
//! # Broken files
//!
//! A header is checked against the file's length before anything is allocated. A file that was cut short, or that holds
//! more than its header says, is an [`Error`] with the file's name and the rule that it breaks.
//!
//! In a Parquet file, the sizes of pages and dictionaries and the counts of values are checked too, and memory grows only with
//! the data that are decoded. But these may be much larger than the file. A page is decompressed as a whole, to up to 22 times
//! its size in the file with Snappy, 256 times with LZ4, 1,032 times with gzip and 32,768 times with Zstandard. And runs of equal
//! values take almost no space in a file, while in memory a label takes 8 bytes and a feature 4. If the host has no memory for
//! the labels of a file or the features of a row group, the call returns an [`Error`]. But the process ends if there is no memory
//! for the data that are decoded at a time: a page; 8,192 labels, each with its text if they are strings; and 8,192 rows of
//! features, or fewer if a row has more than 128.
//!
//! [`Error`]: crate::Error
//! [`RowSource`]: crate::source::RowSource
//! [`Shards`]: crate::source::Shards

mod batches;
mod classes;
mod csv_cell;
mod csv_choice;
mod csv_columns;
mod csv_delimiter;
mod csv_files;
mod csv_options;
mod csv_read;
mod csv_reader;
mod decode;
mod dtype;
mod errors;
mod filled;
mod labels;
mod layout;
mod npy;
mod npy_header;
mod npy_write;
#[cfg(feature = "parquet")]
mod parquet;
mod positioned;
mod recent_bytes;
mod rows;
mod scaled;
mod scaler;
mod split;
mod table;

#[cfg(feature = "parquet")]
pub use self::parquet::{ParquetFeatures, ParquetOptions, ParquetRows};
pub use csv_options::{Column, CsvOptions};
pub use csv_read::{read_csv, read_csv_features, read_csv_features_from, read_csv_from, read_csv_shards};
pub use npy::{npy_view, read_npy, read_npy_from, read_npy_labels, read_npy_labels_from};
pub use npy_write::{write_npy, write_npy_rows, write_npy_to};
pub use rows::{
    FileRows, npy_rows, open_npy, open_safetensors, read_safetensors_labels, safetensors_labels, safetensors_rows,
    shard_paths,
};
pub use scaled::Scaled;
pub use scaler::Scaler;
pub use split::{SplitOptions, train_test_rows, train_test_split};
pub use table::{Features, Table};
