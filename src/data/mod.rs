//! Data: `.npy` and CSV files, scaling, and splits. This module needs the feature `data`.
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
//! [`train_test_split`] and [`Table::split`] hold rows back for a test; [`Scaler`] brings features to mean 0 and
//! variance 1.
//!
//! # Files larger than memory
//!
//! [`npy_view`] gives a view of the bytes of a file that the caller has mapped into memory, without a copy. Mapping the
//! file is left to the caller, for example with the crate memmap2, since it is `unsafe`: nobody may change the file
//! meanwhile.
//!
//! # Broken files
//!
//! A header is checked against the file's length before anything is allocated. A file that was cut short, or that holds
//! more than its header says, is an [`Error`] with the file's name and the rule that it breaks.
//!
//! [`Error`]: crate::Error

mod csv_delimiter;
mod csv_options;
mod csv_reader;
mod dtype;
mod errors;
mod npy;
mod npy_header;
mod scaler;
mod split;
mod table;

pub use csv_options::{Column, CsvOptions};
pub use npy::{npy_view, read_npy, read_npy_labels, write_npy};
pub use scaler::Scaler;
pub use split::{SplitOptions, train_test_rows, train_test_split};
pub use table::{Features, Table, read_csv, read_csv_features};
