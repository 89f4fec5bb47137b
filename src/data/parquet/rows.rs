//! The rows of a Parquet file as a source: row groups are read as they are needed.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::DataType;

use super::super::errors::refuse;
use super::cache::Cache;
use super::columns::Columns;
use super::groups::Groups;
use super::labels::read_labels;
use super::options::ParquetOptions;
use super::reader::Reader;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::source::{RowError, RowSource};

/// A Parquet file as a source of rows.
///
/// Only columns that hold features are read, and only row groups that have rows that are asked for. A row group is decoded
/// as a whole, and kept until others need its room: see [`ParquetOptions::cache_bytes`]. Of a row group that has no room
/// even alone, the rows that are asked for are read batch by batch, and nothing is kept.
///
/// A file whose features fit into `cache_bytes` is decoded once. From a larger file, a training in shuffled order needs
/// rows of nearly all row groups for each batch, and decodes most of the file again for each; with many steps an epoch this
/// takes far longer than the training. Raise `cache_bytes`, or convert the file once with
/// [`write_npy_rows`](crate::data::write_npy_rows): of a `.npy` file each row is read by itself. Rows in the order of the
/// file, as `predict` reads them, are decoded once if each row group alone fits into the cache; a larger row group is
/// decoded from its beginning for each batch.
///
/// NaN and infinity are values. A null is an error that names its row.
///
/// ```
/// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
/// use wgpu_mlp::{Device, FitOptions, Mlp};
///
/// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
/// let flowers = ParquetRows::open("examples/data/flowers.parquet", &options)?;
/// let mut model = Mlp::new(&Device::cpu(), &[flowers.columns().len(), 8, flowers.classes().len()], 7)?;
/// model.fit(&flowers, flowers.labels(), &FitOptions { epochs: 5, ..Default::default() })?;
/// assert_eq!(model.predict(&flowers)?.len(), 150);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub struct ParquetRows {
    pub(super) groups: Groups,
    pub(super) names: Vec<String>,
    pub(super) labels: Vec<i64>,
    pub(super) classes: Vec<String>,
    /// Whether the labels are strings.
    pub(super) has_names: bool,
}

impl ParquetRows {
    /// Opens a file. Its footer is read, and the column of the labels; of a column of lists also the first row.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read; [`Error::Format`] when it is no Parquet file or damaged, and for a label
    /// that is null, no whole number or not among [`ParquetOptions::classes`]; [`Error::Data`] without rows, without the
    /// columns asked for or with columns of other types; [`Error::Combination`] for options that exclude each other;
    /// [`Error::HostMemory`] where the host has no room for the labels.
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetFeatures, ParquetOptions, ParquetRows};
    /// let petals = ParquetFeatures::Columns(vec!["petal_width".into(), "petal_length".into()]);
    /// let options = ParquetOptions { features: petals, ..Default::default() };
    /// let rows = ParquetRows::open("examples/data/flowers.parquet", &options)?;
    /// assert_eq!(rows.columns(), ["petal_width", "petal_length"]);
    ///
    /// let options = ParquetOptions { label: Some("species".into()), ..Default::default() };
    /// let error = ParquetRows::open("examples/data/flowers.parquet", &options).unwrap_err();
    /// assert!(error.to_string().contains("the label must be one column of the file; got \"species\" of the columns"));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn open(path: impl AsRef<Path>, options: &ParquetOptions) -> Result<Self> {
        let cache = Arc::new(Cache::new(options.cache_bytes));
        Self::of(Reader::open(path.as_ref())?, options, &cache, 0)
    }

    /// The rows of a file that is open. Its row groups are kept in this cache, and numbered there from this number on.
    pub(super) fn of(reader: Reader, options: &ParquetOptions, cache: &Arc<Cache>, first: usize) -> Result<Self> {
        let fields = reader.fields()?;
        let columns = Columns::choose(&reader.path, &fields, options)?;
        if reader.is_empty() {
            let found = format!("{} row groups without rows", reader.rows().len());
            return refuse(&reader.path, "there must be a row", found);
        }
        let roots: Vec<_> = columns.roots().into_iter().chain(columns.label).collect();
        reader.check(&roots)?;
        let (labels, classes) = match columns.label {
            Some(label) => read_labels(&reader, label, &fields[label], &options.classes)?,
            None => (Vec::new(), Vec::new()),
        };
        let has_names = columns.label.is_some_and(|label| *fields[label].data_type() == DataType::Utf8);
        let mut names = vec![String::new(); columns.features.len()];
        for (root, feature) in &columns.features {
            names[*feature].clone_from(fields[*root].name());
        }
        let groups = Groups::new(reader, columns, cache, first)?;
        Ok(ParquetRows { groups, names, labels, classes, has_names })
    }

    /// The labels of all rows: integers and floats that are whole numbers as they are, booleans as 0 and 1, of strings
    /// the index into [`ParquetRows::classes`]. Empty without [`ParquetOptions::label`].
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let rows = ParquetRows::open("examples/data/flowers.parquet", &options)?;
    /// assert_eq!((rows.labels().len(), rows.labels()[149]), (150, 2));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The classes of labels that are strings, in the order of their numbers. Empty for other labels.
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let rows = ParquetRows::open("examples/data/flowers.parquet", &options)?;
    /// assert_eq!(rows.classes(), ["aster", "lily", "rose"]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The names of the columns with the features, in the order of the features; of a column of lists its name alone.
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let rows = ParquetRows::open("examples/data/flowers.parquet", &options)?;
    /// assert_eq!(rows.columns(), ["petal_length", "petal_width", "sepal_length", "sepal_width"]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn columns(&self) -> &[String] {
        &self.names
    }
}

impl RowSource for ParquetRows {
    fn dim(&self) -> (usize, usize) {
        self.groups.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        self.groups.read_rows(rows, into)
    }

    fn writes_all(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        let (rows, cols) = self.dim();
        format!("{}, a Parquet file of {rows}x{cols}", self.groups.reader.path.display())
    }
}

impl fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetRows").field("path", &self.groups.reader.path).field("dim", &self.dim()).finish()
    }
}
