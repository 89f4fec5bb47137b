//! The rows of one or several CSV files as one table. Later files have the columns of the first.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use ndarray::Array2;

use super::classes::Classes;
use super::csv_cell::{are_one_number, is_missing_label};
use super::csv_options::{Column, CsvOptions};
use super::csv_reader::{CsvReader, NOTHING};
use super::errors::{refuse, shown};
use super::table::Table;
use crate::error::{Error, Result, Shape};
use crate::host_memory::no_room;

/// The files that have been read so far.
pub(super) struct CsvFiles<'a> {
    options: &'a CsvOptions,
    first: Option<First>,
    /// The number of files.
    count: usize,
    classes: Classes,
    labels: Vec<u32>,
    values: Vec<f32>,
}

impl<'a> CsvFiles<'a> {
    /// No files yet.
    pub(super) fn new(options: &'a CsvOptions) -> Result<Self> {
        let classes = Classes::new("read_csv", &options.classes)?;
        Ok(CsvFiles { options, first: None, count: 0, classes, labels: Vec::new(), values: Vec::new() })
    }

    /// Reads a file after those before it; errors name `path`.
    pub(super) fn read(&mut self, path: &Path, bytes: &mut dyn Read) -> Result<()> {
        let mut rows = CsvReader::open(path, bytes, self.options.delimiter)?;
        let options = self.first.as_ref().map_or(self.options, |first| first.options_for(rows.first_row()));
        rows.choose(options, Some(&options.label))?;
        match &self.first {
            Some(first) => first.check(path, &rows)?,
            None => self.first = Some(First::new(path, &rows, self.options)),
        }
        let (classes, labels) = (&mut self.classes, &mut self.labels);
        rows.read(&mut self.values, |rows, row, column| {
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
        self.count += 1;
        Ok(())
    }

    /// The table with the rows of all files.
    pub(super) fn table(self) -> Result<Table> {
        let CsvFiles { options, first, count, classes, mut labels, values } = self;
        let Some(first) = first else {
            return Err(Error::Empty { op: "read_csv_shards", shape: Shape { rows: 0, cols: 0 } });
        };
        let classes = classes.finish(&options.classes, &mut labels);
        let files = match count {
            1 => first.path.display().to_string(),
            _ => format!("{} and {} more", first.path.display(), count - 1),
        };
        warn_of_labels(&files, &classes, options);
        let features = array(&first.path, values, first.columns.len())?;
        Ok(Table { features, labels, classes, columns: first.columns, label: first.label })
    }
}

/// The columns of the first file, which later files must have.
struct First {
    path: PathBuf,
    /// The names of the features' columns.
    columns: Vec<String>,
    /// The column of the labels.
    label: Column,
    /// The names of all columns, if there is a header.
    header: Option<ByteRecord>,
    /// The number of all columns.
    width: usize,
    /// Whether the caller's options name the features.
    is_by_name: bool,
    /// The options for files whose columns have the same places as here: the caller's, with or without a header as here.
    by_place: CsvOptions,
    /// The options for files with other headers, which choose the columns by name.
    by_name: CsvOptions,
}

impl First {
    fn new(path: &Path, rows: &CsvReader<'_>, options: &CsvOptions) -> Self {
        let (columns, label) = (rows.columns(), rows.label().unwrap_or_default());
        let (header, width, is_by_name) = (rows.header().cloned(), rows.width(), !options.features.is_empty());
        let by_place = CsvOptions { header: Some(header.is_some()), ..options.clone() };
        let (named, features) = (label.clone(), columns.clone());
        let by_name = CsvOptions { label: named, features, skip: Vec::new(), ..by_place.clone() };
        First { path: path.into(), columns, label, header, width, is_by_name, by_place, by_name }
    }

    /// The options for a later file with this first row. If it is the header of the first file, the columns are chosen by place,
    /// since several of those that are left out, or several features, may have one name.
    fn options_for(&self, row: Option<&ByteRecord>) -> &CsvOptions {
        match &self.header {
            Some(header) if row != Some(header) => &self.by_name,
            _ => &self.by_place,
        }
    }

    /// Checks that a later file has no columns that the first lacks, unless the caller's options name the features.
    fn check(&self, path: &Path, rows: &CsvReader<'_>) -> Result<()> {
        let first = self.path.display();
        if let (Some(known), Some(header)) = (&self.header, rows.header()) {
            let known: HashSet<&[u8]> = known.iter().collect();
            return match header.iter().enumerate().find(|(_, name)| !known.contains(name)) {
                Some((place, name)) if !self.is_by_name => {
                    let rule = "all files must have the columns of the first, unless CsvOptions::features names them";
                    refuse(path, rule, format!("column {}, {}, which {first} lacks", place + 1, shown(name)))
                }
                _ => Ok(()),
            };
        }
        if rows.width() != self.width {
            let rule = "all files must have as many columns as the first";
            return refuse(path, rule, format!("{}, where {first} has {}", rows.width(), self.width));
        }
        Ok(())
    }
}

/// The array of these values, which has `cols` columns, and must have a row; errors name `path`.
pub(super) fn array(path: &Path, values: Vec<f32>, cols: usize) -> Result<Array2<f32>> {
    let rows = values.len() / cols.max(1);
    if rows == 0 {
        return refuse(path, NOTHING, Shape { rows, cols }.to_string());
    }
    Array2::from_shape_vec((rows, cols), values)
        .or_else(|error| refuse(path, "the table must fit into this machine's memory", error.to_string()))
}

/// Warns about labels that may mean something else than classes of their own.
fn warn_of_labels(files: &str, classes: &[String], options: &CsvOptions) {
    for class in classes.iter().filter(|class| is_missing_label(class)) {
        log::warn!("read_csv: {files}: the label {class:?} is a class of its own, and not a missing one");
    }
    // Classes that are all numbers are sorted by value, so equal numbers are neighbours.
    let found = if options.classes.is_empty() { classes } else { &[] };
    for pair in found.windows(2).filter(|pair| are_one_number(&pair[0], &pair[1])) {
        let (left, right) = (&pair[0], &pair[1]);
        log::warn!("read_csv: {files}: the labels {left:?} and {right:?} are two classes, though they are one number");
    }
}
