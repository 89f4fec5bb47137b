//! CSV tables: features and labels read from a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::Array2;

use super::classes::Classes;
use super::csv_cell::{are_one_number, is_missing_label};
use super::csv_options::CsvOptions;
use super::csv_reader::CsvReader;
use super::errors::shown;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::{GIVEN_BYTES, failed};
use crate::host_memory::no_room;

/// The features and labels of a CSV file.
///
/// ```
/// # let path = std::env::temp_dir().join("wgpu-mlp-doc-table.csv");
/// # std::fs::write(&path, "5.1,setosa\n7.0,versicolor\n").unwrap();
/// let table = wgpu_mlp::data::read_csv(&path, &Default::default())?;
/// assert_eq!((table.features.dim(), table.labels), ((2, 1), vec![0, 1]));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table {
    /// The features, a row for each row of the file.
    pub features: Array2<f32>,
    /// The label of each row: an index into `classes`.
    pub labels: Vec<u32>,
    /// The classes: the different labels as the file spells them, in the order of their ids.
    pub classes: Vec<String>,
    /// The names of the features' columns, or their indices in the file if there is no header.
    pub columns: Vec<String>,
}

/// The features of a CSV file without labels.
///
/// ```
/// # let path = std::env::temp_dir().join("wgpu-mlp-doc-columns.csv");
/// # std::fs::write(&path, "petal,sepal\n1.4,5.1\n").unwrap();
/// let new = wgpu_mlp::data::read_csv_features(&path, &Default::default())?;
/// assert_eq!(new.columns, ["petal", "sepal"]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Features {
    /// The features, a row for each row of the file.
    pub features: Array2<f32>,
    /// The names of the columns, or their indices in the file if there is no header.
    pub columns: Vec<String>,
}

/// Reads features and labels from a CSV file. All columns except the labels must be numbers, or the words `true` and `false` in
/// any case, which become 1 and 0.
///
/// The column of the labels may hold integers or names. Two labels are equal if they are spelt alike. Words that stand for a
/// missing feature, such as `NA`, `nan` and `?`, are names of classes in this column, and a warning is logged. A warning is also
/// logged for two classes that are one number, such as `1` and `1.0`; for a column of features whose name is empty, as that of a
/// pandas index is; and for a first row that is taken for a header although some of its features are numbers. Spaces around
/// cells and empty lines are ignored, and cells may be in double quotes.
///
/// # Errors
/// [`Error::File`] when the file cannot be read; [`Error::Cell`] with line and column for a cell that is missing or not a finite
/// number, for a row of another length than the first, for a label that is not among [`CsvOptions::classes`], and for cells that
/// seem to be separated by another delimiter, which the error names; [`Error::Data`] for a file without rows, without the column
/// of labels, or without a column to leave out, and for a file that is not text, such as a workbook or a compressed file;
/// [`Error::Combination`] if [`CsvOptions::classes`] name a class twice, or if the labels are left out; [`Error::HostMemory`] if
/// the host has no memory for the rows.
///
/// ```
/// use wgpu_mlp::data::{Column, CsvOptions, read_csv};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc.csv");
/// std::fs::write(&path, "species,petal,sepal\nversicolor,4.7,7.0\nsetosa,1.4,5.1\n").unwrap();
/// let table = read_csv(&path, &CsvOptions { label: Column::Name("species".into()), ..Default::default() })?;
/// assert_eq!(table.features, ndarray::array![[4.7, 7.0], [1.4, 5.1]]);
/// assert_eq!((table.labels, table.classes), (vec![1, 0], vec!["setosa".into(), "versicolor".into()]));
/// assert_eq!(table.columns, ["petal", "sepal"]);
///
/// std::fs::write(&path, "petal,sepal,species\n4.7,7.0,versicolor\n1.4,?,setosa\n").unwrap();
/// let error = read_csv(&path, &CsvOptions::default()).unwrap_err();
/// assert!(error.to_string().ends_with("line 3, column 2: a value is missing; got \"?\""));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_csv(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Table> {
    let path = path.as_ref();
    read_table(path, &mut opened(path)?, options)
}

/// Reads features and labels from the bytes of a CSV file, as [`read_csv`] does from the file. The bytes come from any reader,
/// for example from `&[u8]`.
///
/// # Errors
/// As [`read_csv`]. Errors name `the given bytes` instead of a path.
///
/// ```
/// use wgpu_mlp::data::{CsvOptions, read_csv_from};
/// let table = read_csv_from("5.1,setosa\n7.0,versicolor\n".as_bytes(), &CsvOptions::default())?;
/// assert_eq!((table.labels, table.classes), (vec![0, 1], vec!["setosa".into(), "versicolor".into()]));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_csv_from(mut reader: impl Read, options: &CsvOptions) -> Result<Table> {
    read_table(Path::new(GIVEN_BYTES), &mut reader, options)
}

fn read_table(path: &Path, bytes: &mut dyn Read, options: &CsvOptions) -> Result<Table> {
    let mut rows = CsvReader::new(path, bytes, options, Some(&options.label))?;
    let (mut classes, mut labels) = (Classes::new("read_csv", &options.classes)?, Vec::new());
    let features = rows.read(|rows, row, column| {
        let cell = row.get(column).unwrap_or_default();
        let refuse = |rule| rows.refuse(row, column, rule, shown(cell));
        let Ok(label) = str::from_utf8(cell) else { return refuse("a label must be UTF-8") };
        if label.is_empty() {
            return refuse("the label is missing");
        }
        if label.contains(['\r', '\n']) {
            return refuse("a label must be one line (a quote may be left open)");
        }
        let Some(id) = classes.id(label) else { return refuse("the label must be one of the classes asked for") };
        labels.try_reserve(1).map_err(|_| no_room::<u32>("read_csv", labels.len() + 1, 1))?;
        labels.push(id);
        Ok(())
    })?;
    let classes = classes.finish(&options.classes, &mut labels);
    for class in classes.iter().filter(|class| is_missing_label(class)) {
        log::warn!("read_csv: {}: the label {class:?} is a class of its own, and not a missing one", path.display());
    }
    // Classes that are all numbers are sorted by value, so equal numbers are neighbours.
    let found = if options.classes.is_empty() { &classes[..] } else { &[] };
    for pair in found.windows(2).filter(|pair| are_one_number(&pair[0], &pair[1])) {
        let (path, left, right) = (path.display(), &pair[0], &pair[1]);
        log::warn!("read_csv: {path}: the labels {left:?} and {right:?} are two classes, though they are one number");
    }
    Ok(Table { features, labels, classes, columns: rows.columns() })
}

/// Reads a CSV file that has only features. The options' label and classes are not used.
///
/// # Errors
/// As [`read_csv`].
///
/// ```
/// use wgpu_mlp::data::{CsvOptions, read_csv_features};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-features.csv");
/// std::fs::write(&path, "1.4;5.1\n4.7;7.0\n").unwrap();
/// let new = read_csv_features(&path, &CsvOptions { delimiter: b';', ..Default::default() })?;
/// assert_eq!(new.features, ndarray::array![[1.4, 5.1], [4.7, 7.0]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_csv_features(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Features> {
    let path = path.as_ref();
    read_features(path, &mut opened(path)?, options)
}

/// Reads only features from the bytes of a CSV file, as [`read_csv_features`] does from the file. The bytes come from any reader,
/// for example from `&[u8]`.
///
/// # Errors
/// As [`read_csv_from`].
pub fn read_csv_features_from(mut reader: impl Read, options: &CsvOptions) -> Result<Features> {
    read_features(Path::new(GIVEN_BYTES), &mut reader, options)
}

fn read_features(path: &Path, bytes: &mut dyn Read, options: &CsvOptions) -> Result<Features> {
    let mut rows = CsvReader::new(path, bytes, options, None)?;
    let features = rows.read(|_, _, _| Ok(()))?;
    Ok(Features { features, columns: rows.columns() })
}

/// Opens the file at this path.
fn opened(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| failed(path, source))
}
