//! The choice of a CSV file's columns: by place, or by name in the header.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Debug;
use std::path::Path;

use csv::ByteRecord;

use super::csv_cell::refuse_cell;
use super::csv_columns::Columns;
use super::csv_delimiter;
use super::csv_options::{Column, CsvOptions};
use super::errors::{listed, refuse, shown};
use crate::error::{Error, Result};

/// The rule that a file breaks if it has no such column for the labels.
const LABEL: &str = "the label must be one column of the file";
/// The rule that a file breaks if it has no such column to leave out.
const SKIP: &str = "a column to leave out must be one column of the file";
/// The rule that a file breaks if it has no such column for a feature.
const FEATURE: &str = "a feature must be one column of the file";
/// The rule that a file breaks if a named feature is in the column of the labels.
const BOTH: &str = "the column of the labels cannot hold a feature as well: CsvOptions::label chooses it, and read_csv_features \
                    reads a file without labels";
/// The rule that a file breaks if features are named, the label is not, and several columns may be the label.
const BY_PLACE: &str = "CsvOptions::label must name the label if there is another column beside the named features";
/// The rule that a file breaks if features are named and its first row is no header.
pub(super) const NO_HEADER: &str = "CsvOptions::features needs a header, and the first row seems to be none: \
                                    CsvOptions::header decides";

/// The first rows of a file, from whose columns some are chosen.
pub(super) struct Choice<'a> {
    pub path: &'a Path,
    /// The first row, which is the header if there is one.
    pub first: &'a ByteRecord,
    /// The first row and the next one, if there is one.
    pub rows: &'a [ByteRecord],
    /// The text of the first row, as if it were a single cell.
    pub start: &'a str,
    pub options: &'a CsvOptions,
    /// The column with the labels, if there are labels.
    pub label: Option<&'a Column>,
}

impl Choice<'_> {
    /// Whether the label or a column to leave out is named, so that the first row must be a header.
    pub fn is_by_name(&self) -> bool {
        self.label.into_iter().chain(&self.options.skip).any(|column| matches!(column, Column::Name(_)))
    }

    /// The columns that the options choose.
    pub fn columns(&self) -> Result<Columns> {
        let options = self.options;
        let excluded = |rule| Err(Error::Combination { op: "read_csv", rule });
        if options.header == Some(false) && (self.is_by_name() || !options.features.is_empty()) {
            return excluded("a file without a header has no column by name");
        }
        let label = self.label.map(|label| self.find(label, LABEL)).transpose()?;
        let skipped = options.skip.iter().map(|column| self.find(column, SKIP)).collect::<Result<Vec<_>>>()?;
        if label.is_some_and(|label| skipped.contains(&label)) {
            return excluded("the column of the labels cannot be left out");
        }
        let columns = Columns::new(self.first.len(), label, &skipped);
        if options.features.is_empty() {
            return Ok(columns);
        }
        let features = self.features(&columns)?;
        Ok(columns.with_features(features))
    }

    /// The columns of the features that the options name. `columns` has the label and the columns to leave out.
    fn features(&self, columns: &Columns) -> Result<Vec<usize>> {
        // The place of each name, or none if several columns have it.
        let mut places: HashMap<Cow<'_, str>, Option<usize>> = HashMap::new();
        for (place, cell) in self.first.iter().enumerate() {
            places.entry(String::from_utf8_lossy(cell)).and_modify(|known| *known = None).or_insert(Some(place));
        }
        let has_header = || self.options.header.is_some() || self.is_by_name() || columns.has_header(self.rows);
        let (mut chosen, mut taken) = (Vec::new(), vec![false; self.first.len()]);
        for name in &self.options.features {
            let place = match places.get(name.as_str()) {
                Some(Some(place)) => *place,
                None if !has_header() => return refuse(self.path, NO_HEADER, shown(self.start.as_bytes())),
                _ => self.named(name, FEATURE, name)?,
            };
            let rule = if taken[place] {
                "each column may be asked for once"
            } else if Some(place) == columns.label {
                BOTH
            } else if columns.is_left_out(place) {
                "a column to leave out cannot hold a feature"
            } else {
                taken[place] = true;
                chosen.push(place);
                continue;
            };
            return refuse(self.path, rule, format!("column {}, {}", place + 1, shown(name.as_bytes())));
        }
        Ok(chosen)
    }

    /// Checks the label in a file with a header whose features are named. A label that is chosen by its place must be the only
    /// column left: in a file with one more column than the training file, another column may be at that place.
    pub fn check_label(&self, columns: &Columns) -> Result<()> {
        let (Some(other), Some(label)) = (columns.unnamed, columns.label) else { return Ok(()) };
        if matches!(self.label, Some(Column::Name(_))) {
            return Ok(());
        }
        let named =
            |place: usize| format!("column {}, {}", place + 1, shown(self.first.get(place).unwrap_or_default()));
        refuse(self.path, BY_PLACE, format!("{}, and the label by its place in {}", named(other), named(label)))
    }

    /// The index of a column, which must be in the file exactly once. Otherwise the error has the given rule.
    fn find(&self, column: &Column, rule: &'static str) -> Result<usize> {
        let width = self.first.len();
        let found = match column {
            Column::Last => width.checked_sub(1),
            Column::Index(index) => Some(*index).filter(|index| *index < width),
            Column::Name(name) => return self.named(name, rule, column),
        };
        found.map_or_else(|| self.none(rule, column), Ok)
    }

    /// The index of the column with this name, which must be in the header exactly once. Otherwise the error has the given rule,
    /// and says what was asked for.
    fn named(&self, name: &str, rule: &'static str, asked: &dyn Debug) -> Result<usize> {
        let is_named = |cell: &[u8]| String::from_utf8_lossy(cell) == name;
        let mut places = self.first.iter().enumerate().filter(|(_, cell)| is_named(cell));
        match (places.next(), places.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some((place, _)), Some((again, _))) => {
                let found = format!("{asked:?} in columns {} and {} of {}", place + 1, again + 1, self.names());
                refuse(self.path, rule, found)
            }
            (None, _) => match csv_delimiter::named(self.options.delimiter, self.start, name) {
                Some(rule) => refuse_cell(self.path, self.first, 0, rule, shown(self.start.as_bytes())),
                None => self.none(rule, asked),
            },
        }
    }

    /// The error for a column that is not in the file.
    fn none<T>(&self, rule: &'static str, asked: &dyn Debug) -> Result<T> {
        refuse(self.path, rule, format!("{asked:?} of the columns {}", self.names()))
    }

    /// The first names of the header.
    fn names(&self) -> String {
        let names = self.first.iter().map(|name| String::from_utf8_lossy(name).into_owned());
        listed(self.first.len(), names)
    }
}
