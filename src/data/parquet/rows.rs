//! The rows of one or several Parquet files as a source. Row groups are read when they are needed.

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

/// The op that errors name.
const OP: &str = "ParquetRows::open_shards";

/// One or several Parquet files as a source: the rows of the first file, then those of the second, and so on.
///
/// Only columns with features are read, and only row groups with rows that are asked for. A row group is decoded as a whole, and
/// kept until its memory is needed for others: see [`ParquetOptions::cache_bytes`]. If a row group alone is larger than the
/// cache, only the rows that are asked for are read from it, batch by batch, and nothing is kept.
///
/// A file whose features fit into `cache_bytes` is decoded once. With a larger file, a training in shuffled order needs rows of
/// almost all row groups for each batch, and so decodes most of the file for each batch. With many steps in an epoch this takes
/// far longer than the training itself. Increase `cache_bytes` then, or convert the file once with
/// [`write_npy_rows`](crate::data::write_npy_rows): from a `.npy` file each row is read by itself. If rows are read in the order
/// of the file, as `predict` does, each row group is decoded once if it fits into the cache. A larger row group is decoded from
/// its beginning for each batch.
///
/// NaN and infinity are accepted as values. A null is an error that names its row.
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
    /// The end of each row group, in rows counted over all files.
    ends: Vec<usize>,
    cache: Arc<Cache>,
    names: Vec<String>,
    labels: Vec<i64>,
    classes: Vec<String>,
}

impl ParquetRows {
    /// Opens a file. Its footer and the column of the labels are read, and of a column of lists also the first row.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read; [`Error::Format`] when it is no Parquet file or is damaged, for a label that
    /// is null, not a whole number or not among [`ParquetOptions::classes`], and for a first list that is null or empty;
    /// [`Error::Data`] without rows, without the columns asked for, or if these have other types; [`Error::Combination`] for
    /// options that exclude each other; [`Error::HostMemory`] if the host has no memory for the labels.
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

    /// Opens several files as one source, for example the files of [`shard_paths`](crate::data::shard_paths).
    ///
    /// All files must have the same features: columns with the same names in the same order, or lists of the same length. With
    /// [`ParquetFeatures::Columns`](super::ParquetFeatures::Columns) the order of the columns may differ between files. Files
    /// without rows are left out, whatever their columns are. If labels are strings, their classes are those of all files.
    /// [`ParquetOptions::cache_bytes`] limits the cache of all files together. All files stay open as long as the source exists;
    /// the system limits the number of open files, often to 1024 for each process.
    ///
    /// # Errors
    /// As [`ParquetRows::open`]; [`Error::Data`] also for a file whose features or labels differ from the first file's, with both
    /// paths, and if no file has a row; [`Error::Shape`] for more rows than this machine can count; [`Error::Empty`] without
    /// files.
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
            // Programs that write a table in parts may write parts without rows, whose columns may have no types yet.
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

    /// The labels of all rows. Integers, and floats that are whole numbers, are unchanged; booleans are 0 and 1; strings are
    /// indices into [`ParquetRows::classes`]. The list is empty without [`ParquetOptions::label`].
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The classes of labels that are strings, in the order of their ids. The list is empty for other labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The names of the columns with the features, in the order of the features. For a column of lists it is that column's name
    /// alone.
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
        // Row groups in the cache are read first, before others take their place.
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
