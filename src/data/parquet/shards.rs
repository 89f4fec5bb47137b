//! Several Parquet files as one source: their features are the same, and their labels have common classes.

use std::fmt;
use std::mem::take;
use std::path::Path;
use std::sync::Arc;

use super::super::classes::Classes;
use super::super::errors::refuse;
use super::cache::Cache;
use super::options::ParquetOptions;
use super::rows::ParquetRows;
use crate::error::{Error, Result, Shape};
use crate::host_memory::host_room;
use crate::source::{RowError, RowSource, Shards};

/// The name that errors have.
const OP: &str = "ParquetRows::open_shards";

/// Several Parquet files as one source, from [`ParquetRows::open_shards`]: the rows of the first file, then those of the
/// second, and so on.
///
/// ```
/// use wgpu_mlp::data::{ParquetOptions, ParquetRows, ParquetShards};
/// use wgpu_mlp::{Device, FitOptions, Mlp};
/// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
/// let paths = ["examples/data/flowers.parquet", "examples/data/flowers.parquet"];
/// let flowers: ParquetShards = ParquetRows::open_shards(paths, &options)?;
/// let mut model = Mlp::new(&Device::cpu(), &[flowers.columns().len(), 8, flowers.classes().len()], 7)?;
/// model.fit(&flowers, flowers.labels(), &FitOptions { epochs: 2, ..Default::default() })?;
/// assert_eq!(model.predict(&flowers)?.len(), 300);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub struct ParquetShards {
    shards: Shards<ParquetRows>,
    names: Vec<String>,
    labels: Vec<i64>,
    classes: Vec<String>,
}

impl ParquetRows {
    /// Opens several files as one source: those of [`shard_paths`](crate::data::shard_paths), for example.
    ///
    /// All files must have the same features: columns of the same names in one order, or lists of one length. With
    /// [`ParquetFeatures::Columns`](super::ParquetFeatures::Columns) that holds whatever the order in the files is.
    /// Labels that are strings get the classes of all files. [`ParquetOptions::cache_bytes`] is what all files together
    /// may keep.
    ///
    /// # Errors
    /// As [`ParquetRows::open`]; [`Error::Data`] also for a file whose features or labels are others than the first
    /// file's, with both paths; [`Error::Empty`] without files.
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows, shard_paths};
    /// use wgpu_mlp::source::RowSource;
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let flowers = ParquetRows::open_shards(shard_paths("examples/data/flow*.parquet")?, &options)?;
    /// assert_eq!((flowers.dim(), flowers.labels().len()), ((150, 4), 150));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn open_shards<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        options: &ParquetOptions,
    ) -> Result<ParquetShards> {
        let cache = Arc::new(Cache::new(options.cache_bytes));
        let (mut files, mut groups) = (Vec::<ParquetRows>::new(), 0);
        for path in paths {
            let file = Self::open_with(path.as_ref(), options, &cache, groups)?;
            if let Some(first) = files.first() {
                file.check_like(first)?;
            }
            groups += file.groups.count();
            files.push(file);
        }
        let Some(first) = files.first() else {
            return Err(Error::Empty { op: OP, shape: Shape { rows: 0, cols: 0 } });
        };
        let names = first.names.clone();
        let (labels, classes) = joined(&mut files, &options.classes)?;
        Ok(ParquetShards { shards: Shards::new(files)?, names, labels, classes })
    }

    /// Checks that features and labels are what the first file has.
    fn check_like(&self, first: &ParquetRows) -> Result<()> {
        let (path, other) = (&self.groups.reader.path, first.groups.reader.path.display());
        let all = self.names.len().max(first.names.len());
        if let Some(place) = (0..all).find(|place| self.names.get(*place) != first.names.get(*place)) {
            let shown = |names: &[String]| names.get(place).map_or("none".into(), |name| format!("{name:?}"));
            let rule = "all files must have the same features in one order, as ParquetFeatures::Columns gives them";
            let (found, wanted) = (shown(&self.names), shown(&first.names));
            return refuse(path, rule, format!("{found} as feature {place}, where {other} has {wanted}"));
        }
        let [found, wanted] = [self, first].map(|file| file.groups.dim().1);
        if found != wanted {
            let rule = "the lists of all files must have one length";
            return refuse(path, rule, format!("{found} values, where those of {other} have {wanted}"));
        }
        // A file has a row, and so a class if its labels are strings.
        let [found, wanted] = [self, first].map(|file| if file.classes.is_empty() { "numbers" } else { "strings" });
        if found != wanted {
            let rule = "the labels of all files must be strings, or those of none";
            return refuse(path, rule, format!("{found}, where those of {other} are {wanted}"));
        }
        Ok(())
    }
}

/// The labels of all files, which are taken out of them, and their classes: those asked for, or those of all files.
fn joined(files: &mut [ParquetRows], asked: &[String]) -> Result<(Vec<i64>, Vec<String>)> {
    let count = files.iter().map(|file| file.labels.len()).sum();
    let mut labels = host_room::<i64>(OP, count, 1)?;
    if files.iter().all(|file| file.classes.is_empty()) {
        files.iter_mut().for_each(|file| labels.extend(take(&mut file.labels)));
        return Ok((labels, Vec::new()));
    }
    let (mut known, mut ids) = (Classes::new(asked), host_room::<u32>(OP, count, 1)?);
    for file in files {
        // A class that was asked for is known, and any other one becomes so.
        let own: Vec<u32> = take(&mut file.classes).iter().map(|class| known.id(class).unwrap_or(0)).collect();
        ids.extend(take(&mut file.labels).into_iter().map(|label| own[label as usize]));
    }
    let classes = known.finish(asked, &mut ids);
    labels.extend(ids.into_iter().map(i64::from));
    Ok((labels, classes))
}

impl ParquetShards {
    /// The labels of all rows, file by file, as those of [`ParquetRows::labels`].
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let rows = ParquetRows::open_shards(["examples/data/flowers.parquet"; 2], &options)?;
    /// assert_eq!((rows.labels().len(), rows.labels()[299]), (300, 2));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The classes of labels that are strings, in the order of their numbers: those of all files. Empty for other labels.
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let rows = ParquetRows::open_shards(["examples/data/flowers.parquet"; 2], &options)?;
    /// assert_eq!(rows.classes(), ["aster", "lily", "rose"]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The names of the columns with the features, as those of [`ParquetRows::columns`].
    ///
    /// ```
    /// use wgpu_mlp::data::{ParquetOptions, ParquetRows};
    /// let options = ParquetOptions { label: Some("kind".into()), ..Default::default() };
    /// let rows = ParquetRows::open_shards(["examples/data/flowers.parquet"; 2], &options)?;
    /// assert_eq!(rows.columns(), ["petal_length", "petal_width", "sepal_length", "sepal_width"]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn columns(&self) -> &[String] {
        &self.names
    }
}

impl RowSource for ParquetShards {
    fn dim(&self) -> (usize, usize) {
        self.shards.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        self.shards.read_rows(rows, into)
    }

    fn writes_all(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        self.shards.name()
    }
}

impl fmt::Debug for ParquetShards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetShards").field("files", &self.name()).field("dim", &self.dim()).finish()
    }
}
