//! An open Parquet file: its features, and the labels of its rows.

use std::mem::take;
use std::sync::Arc;

use arrow_schema::DataType;

use super::super::classes::Classes;
use super::super::errors::refuse;
use super::cache::Cache;
use super::columns::Columns;
use super::groups::{Before, Groups};
use super::labels::read_labels;
use super::options::ParquetOptions;
use super::reader::Reader;
use crate::error::Result;
use crate::host_memory::host_room;

/// An open file, with its features and labels.
pub(super) struct ParquetFile {
    pub groups: Groups,
    /// The names of the features' columns.
    pub names: Vec<String>,
    labels: Vec<i64>,
    classes: Vec<String>,
    /// Whether the labels are strings, which are names of classes.
    has_names: bool,
}

impl ParquetFile {
    /// Chooses the columns, compares them with those of the first file if this is not the first, and reads the labels.
    pub(super) fn new(
        reader: Reader,
        options: &ParquetOptions,
        cache: &Arc<Cache>,
        before: Before,
        first: Option<&ParquetFile>,
    ) -> Result<Self> {
        let fields = reader.fields()?;
        let columns = Columns::choose(&reader.path, &fields, &reader.index_columns(), options)?;
        let roots: Vec<_> = columns.roots().into_iter().chain(columns.label).collect();
        reader.check(&roots)?;
        let label = columns.label;
        let has_names = label.is_some_and(|label| *fields[label].data_type() == DataType::Utf8);
        let mut names = vec![String::new(); columns.features.len()];
        for (root, feature) in &columns.features {
            names[*feature].clone_from(fields[*root].name());
        }
        let groups = Groups::new(reader, columns, cache, before)?;
        let mut file = ParquetFile { groups, names, labels: Vec::new(), classes: Vec::new(), has_names };
        if let Some(first) = first {
            file.check_like(first)?;
        }
        if let Some(label) = label {
            (file.labels, file.classes) = read_labels(&file.groups.reader, label, &fields[label], &options.classes)?;
        }
        Ok(file)
    }

    /// Checks that features and labels are the same kind as in the first file.
    fn check_like(&self, first: &ParquetFile) -> Result<()> {
        let (path, other) = (&self.groups.reader.path, first.groups.reader.path.display());
        let all = self.names.len().max(first.names.len());
        if let Some(place) = (0..all).find(|place| self.names.get(*place) != first.names.get(*place)) {
            let shown = |names: &[String]| names.get(place).map_or("none".into(), |name| format!("{name:?}"));
            let rule = "all files must have the same features in one order, as ParquetFeatures::Columns gives them";
            let (found, wanted) = (shown(&self.names), shown(&first.names));
            return refuse(path, rule, format!("{found} as feature {place}, where {other} has {wanted}"));
        }
        let [found, wanted] = [self, first].map(|file| file.groups.cols());
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

/// Takes the labels out of all files and joins them. Also returns their classes: those asked for, or those of all files.
pub(super) fn joined(op: &'static str, files: &mut [ParquetFile], asked: &[String]) -> Result<(Vec<i64>, Vec<String>)> {
    if let [file] = files {
        return Ok((take(&mut file.labels), take(&mut file.classes)));
    }
    let count = files.iter().map(|file| file.labels.len()).sum();
    let mut labels = host_room::<i64>(op, count, 1)?;
    if !files.iter().any(|file| file.has_names) {
        files.iter_mut().for_each(|file| labels.extend(take(&mut file.labels)));
        return Ok((labels, Vec::new()));
    }
    let (mut known, mut ids) = (Classes::new(op, asked)?, host_room::<u32>(op, count, 1)?);
    for file in files {
        // Each class is known or becomes known here, since a class that was not asked for was refused earlier.
        let own: Vec<u32> = take(&mut file.classes).iter().map(|class| known.id(class).unwrap_or(0)).collect();
        ids.extend(take(&mut file.labels).into_iter().map(|label| own[label as usize]));
    }
    let classes = known.finish(asked, &mut ids);
    labels.extend(ids.into_iter().map(i64::from));
    Ok((labels, classes))
}
