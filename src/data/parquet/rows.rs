//! The rows of a Parquet file, or of several, as a source: row groups are read as they are needed.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::super::errors::refuse;
use super::cache::Cache;
use super::file::{ParquetFile, joined};
use super::groups::{Before, Groups, Wanted};
use super::options::ParquetOptions;
use super::reader::Reader;
use crate::error::{Error, Result, Shape};
use crate::source::{RowError, RowSource};

/// The name that errors have.
const OP: &str = "ParquetRows::open_shards";

/// A Parquet file as a source of rows, or several: the rows of the first file, then those of the second, and so on.
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
    files: Vec<Groups>,
    /// The ends of all row groups, in rows of all files.
    ends: Vec<usize>,
    cache: Arc<Cache>,
    names: Vec<String>,
    labels: Vec<i64>,
    classes: Vec<String>,
}

impl ParquetRows {
    /// Opens a file. Its footer is read, and the column of the labels; of a column of lists also the first row.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read; [`Error::Format`] when it is no Parquet file or damaged, for a label that
    /// is null, no whole number or not among [`ParquetOptions::classes`], and for a first list that is null or empty;
    /// [`Error::Data`] without rows, without the columns asked for or with columns of other types;
    /// [`Error::Combination`] for options that exclude each other; [`Error::HostMemory`] where the host has no room for
    /// the labels.
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
        Self::open_shards([path], options)
    }

    /// Opens several files as one source: those of [`shard_paths`](crate::data::shard_paths), for example.
    ///
    /// All files must have the same features: columns of the same names in one order, or lists of one length. With
    /// [`ParquetFeatures::Columns`](super::ParquetFeatures::Columns) the columns may be in another order in each file.
    /// Files without rows are left out, whatever their columns are. Labels that are strings get the classes of all files.
    /// [`ParquetOptions::cache_bytes`] is what all files together may keep. Each file stays open as long as the source is
    /// there: the system limits their number, often to 1024 a process.
    ///
    /// # Errors
    /// As [`ParquetRows::open`]; [`Error::Data`] also for a file whose features or labels are others than the first
    /// file's, with both paths, and where no file has a row; [`Error::Shape`] for more rows than this machine can count;
    /// [`Error::Empty`] without files.
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows, shard_paths};
    /// use wgpu_mlp::source::RowSource;
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let flowers = ParquetRows::open_shards(shard_paths("examples/data/flow*.parquet")?, &options)?;
    /// assert_eq!((flowers.dim(), flowers.labels().len()), ((150, 4), 150));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn open_shards<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, options: &ParquetOptions) -> Result<Self> {
        let cache = Arc::new(Cache::new(options.cache_bytes));
        let (mut files, mut before, mut empty) = (Vec::<ParquetFile>::new(), Before::default(), None);
        for path in paths {
            let reader = Reader::open(path.as_ref())?;
            // Programs that write a table in parts leave parts without rows, whose columns may have no types yet.
            if reader.is_empty() {
                empty = empty.or(Some(reader));
                continue;
            }
            let file = ParquetFile::new(reader, options, &cache, before, files.first())?;
            before = file.groups.behind()?;
            files.push(file);
        }
        let Some(first) = files.first() else {
            let Some(empty) = empty else { return Err(Error::Empty { op: OP, shape: Shape { rows: 0, cols: 0 } }) };
            let found = format!("{} row groups without rows", empty.rows().len());
            return refuse(&empty.path, "there must be a row", found);
        };
        let names = first.names.clone();
        let (labels, classes) = joined(OP, &mut files, &options.classes)?;
        let files: Vec<_> = files.into_iter().map(|file| file.groups).collect();
        let ends = files.iter().flat_map(Groups::ends).collect();
        Ok(ParquetRows { files, ends, cache, names, labels, classes })
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
        (self.ends.last().copied().unwrap_or(0), self.files[0].cols())
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        let group_of = |(place, row): (usize, &usize)| {
            let group = self.ends.partition_point(|end| end <= row);
            if group == self.ends.len() {
                return Err(RowError::beyond(*row, self.dim().0));
            }
            let first = if group == 0 { 0 } else { self.ends[group - 1] };
            Ok((group, (row - first, place)))
        };
        let mut wanted: Vec<(usize, Wanted)> = rows.iter().enumerate().map(group_of).collect::<Result<_, _>>()?;
        wanted.sort_by_key(|(group, _)| *group);
        let of_group = |rows: &[(usize, Wanted)]| (rows[0].0, rows.iter().map(|(_, row)| *row).collect::<Vec<_>>());
        let mut groups: Vec<_> = wanted.chunk_by(|(group, _), (next, _)| group == next).map(of_group).collect();
        // What is kept is read first, before other row groups take its room.
        groups.sort_by_cached_key(|(group, _)| !self.cache.has(*group));
        for (group, wanted) in groups {
            let file = self.files.partition_point(|file| file.end() <= group);
            self.files[file].read_group(group, wanted, into)?;
        }
        Ok(())
    }

    fn writes_all(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        let (rows, cols) = self.dim();
        let first = self.files[0].reader.path.display();
        match self.files.len() {
            1 => format!("{first}, a Parquet file of {rows}x{cols}"),
            files => format!("{first}, the first of {files} Parquet files of {rows}x{cols} together"),
        }
    }
}

impl fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.files.iter().map(|file| &file.reader.path).collect();
        f.debug_struct("ParquetRows").field("paths", &paths).field("dim", &self.dim()).finish()
    }
}
