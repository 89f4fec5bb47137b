//! Reading CSV files: features and labels from one or several files, or features alone.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::csv_files::{CsvFiles, array};
use super::csv_options::CsvOptions;
use super::csv_reader::CsvReader;
use super::table::{Features, Table};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::{GIVEN_BYTES, failed};

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
/// seem to be separated by another delimiter, which the error names; [`Error::Data`] for a file without rows or without a column
/// that the options choose, for [`CsvOptions::features`] of which one is asked for twice, is in the header twice, or is the label
/// or a column to leave out, if there is no header with their names, or if another column is there besides them and a label that
/// is chosen by its place, and for a file that is not text, such as a workbook or a compressed file; [`Error::Combination`] if
/// [`CsvOptions::classes`] name a class twice, if the labels are left out, or if columns are named though
/// [`CsvOptions::header`] is `Some(false)`; [`Error::Option`] for a delimiter that is a quote or the end of a line;
/// [`Error::HostMemory`] if the host has no memory for the rows.
///
/// ```
/// use wgpu_mlp::data::{Column, CsvOptions, read_csv};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc.csv");
/// std::fs::write(&path, "species,petal,sepal\nversicolor,4.7,7.0\nsetosa,1.4,5.1\n").unwrap();
/// let table = read_csv(&path, &CsvOptions { label: Column::Name("species".into()), ..Default::default() })?;
/// assert_eq!(table.features, ndarray::array![[4.7, 7.0], [1.4, 5.1]]);
/// assert_eq!((table.labels, &table.classes[..]), (vec![1, 0], &["setosa".to_owned(), "versicolor".into()][..]));
/// assert_eq!(table.columns, ["petal", "sepal"]);
///
/// // A test file with the columns in another order, and one more.
/// std::fs::write(&path, "sepal,species,petal,note\n5.0,setosa,1.5,-\n").unwrap();
/// let options = CsvOptions { label: table.label, features: table.columns, classes: table.classes, ..Default::default() };
/// let test = read_csv(&path, &options)?;
/// assert_eq!((test.features, test.labels), (ndarray::array![[1.5, 5.0]], vec![0]));
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
    let mut files = CsvFiles::new(options)?;
    files.read(path, bytes)?;
    files.table()
}

/// Reads several CSV files into one table: the rows of the first file, then those of the second, and so on.
///
/// If the first file has a header, the columns of the others are found by their names, and may be in another order. Every file
/// must then have a header with the features and the label, and no column that the first file lacks unless
/// [`CsvOptions::features`] names the features. If the first file has no header, the others must have none either, and as many
/// columns. The classes are those of all files. A file may have a header and no rows if another file has rows.
///
/// # Errors
/// As [`read_csv`], with the path of the file; [`Error::Data`] also for a file that lacks a feature or the label, or has a column
/// that the first file lacks, and for an empty file; [`Error::Empty`] without files.
///
/// ```
/// use wgpu_mlp::data::{read_csv_shards, shard_paths};
/// # let folder = std::env::temp_dir().join("wgpu-mlp-doc-csv-shards");
/// # std::fs::create_dir_all(&folder)?;
/// std::fs::write(folder.join("part-0.csv"), "petal,sepal,kind\n1.4,5.1,rose\n4.7,7.0,lily\n")?;
/// std::fs::write(folder.join("part-1.csv"), "kind,sepal,petal\naster,6.3,6.0\n")?;
/// let table = read_csv_shards(shard_paths(folder.join("part-*.csv"))?, &Default::default())?;
/// assert_eq!(table.features, ndarray::array![[1.4, 5.1], [4.7, 7.0], [6.0, 6.3]]);
/// assert_eq!((table.labels, table.classes), (vec![2, 1, 0], ["aster", "lily", "rose"].map(String::from).to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_csv_shards<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, options: &CsvOptions) -> Result<Table> {
    let mut files = CsvFiles::new(options)?;
    for path in paths {
        let path = path.as_ref();
        files.read(path, &mut opened(path)?)?;
    }
    files.table()
}

/// Reads a CSV file that has only features, or only the features that [`CsvOptions::features`] names. The options' label and
/// classes are not used.
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
///
/// std::fs::write(&path, "sepal,kind,petal\n5.1,?,1.4\n").unwrap();
/// let features = vec!["petal".into(), "sepal".into()]; // `Table::columns` of the training file
/// let new = read_csv_features(&path, &CsvOptions { features, ..Default::default() })?;
/// assert_eq!(new.features, ndarray::array![[1.4, 5.1]]);
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
    let mut rows = CsvReader::open(path, bytes, options.delimiter)?;
    rows.choose(options, None)?;
    let mut values = Vec::new();
    rows.read(&mut values, |_, _, _| Ok(()))?;
    let columns = rows.columns();
    Ok(Features { features: array(path, values, columns.len())?, columns })
}

/// Opens the file at this path.
fn opened(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| failed(path, source))
}
