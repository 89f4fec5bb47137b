//! Several Parquet files as one source: their features are the same, and their labels have common classes.

use std::fmt;
use std::mem::take;
use std::path::Path;
use std::sync::Arc;

use super::super::classes::Classes;
use super::super::errors::refuse;
use super::cache::Cache;
use super::options::ParquetOptions;
use super::reader::Reader;
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
    /// [`ParquetFeatures::Columns`](super::ParquetFeatures::Columns) that holds whatever the order in the files is. Files
    /// without rows are left out. Labels that are strings get the classes of all files.
    /// [`ParquetOptions::cache_bytes`] is what all files together may keep. Each file stays open as long as the source is
    /// there: the system limits their number, often to 1024 a process.
    ///
    /// # Errors
    /// As [`ParquetRows::open`]; [`Error::Data`] also for a file whose features or labels are others than the first
    /// file's, with both paths, and where no file has a row; [`Error::Empty`] without files.
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
        let (mut files, mut groups, mut empty) = (Vec::<ParquetRows>::new(), 0, None);
        for path in paths {
            let reader = Reader::open(path.as_ref())?;
            // Programs that write a table in parts leave parts without rows, whose columns may have no types yet.
            if reader.is_empty() {
                empty = empty.or(Some(reader.path));
                continue;
            }
            let file = Self::of(reader, options, &cache, groups)?;
            if let Some(first) = files.first() {
                file.check_like(first)?;
            }
            groups += file.groups.count();
            files.push(file);
        }
        let Some(first) = files.first() else {
            return match empty {
                Some(path) => refuse(&path, "one of the files must have a row", "none".into()),
                None => Err(Error::Empty { op: OP, shape: Shape { rows: 0, cols: 0 } }),
            };
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
        let [found, wanted] = [self, first].map(|file| if file.has_names { "strings" } else { "numbers" });
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
    if !files.iter().any(|file| file.has_names) {
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
        let files = &self.shards.shards;
        let mut of_files = vec![Vec::new(); files.len()];
        for (place, row) in rows.iter().enumerate() {
            let file = self.shards.shard_of(*row)?;
            of_files[file].push((row - self.shards.first_row(file), place));
        }
        let mut wanted = Vec::new();
        for (file, rows) in of_files.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            let groups = files[file].groups.by_group(rows)?;
            wanted.extend(groups.into_iter().map(|(group, rows)| (file, group, rows)));
        }
        // What is kept of any file is read first, before row groups of other files take its room.
        wanted.sort_by_cached_key(|(file, group, _)| !files[*file].groups.is_kept(*group));
        for (file, group, rows) in wanted {
            let first = self.shards.first_row(file);
            let numbered = |error: RowError| RowError { row: error.row.saturating_add(first), ..error };
            files[file].groups.read_group(group, rows, into).map_err(numbered)?;
        }
        Ok(())
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
