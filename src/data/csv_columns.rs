//! The columns of a CSV file: the features, the label, and the columns that are left out.

use std::path::Path;

use csv::ByteRecord;

use super::csv_cell::number;

/// The columns of a CSV file.
#[derive(Default)]
pub(super) struct Columns {
    /// The number of all columns.
    pub width: usize,
    /// The column with the labels.
    pub label: Option<usize>,
    /// The columns whose cells are not read.
    pub skipped: Vec<usize>,
}

impl Columns {
    /// Whether this column holds a feature.
    pub fn is_feature(&self, column: usize) -> bool {
        Some(column) != self.label && !self.skipped.contains(&column)
    }

    /// The columns of the features.
    pub fn features(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.width).filter(|column| self.is_feature(*column))
    }

    /// Warns about a feature whose column has no name. pandas writes its index in this way by default.
    pub fn warn_of_unnamed(&self, path: &Path, header: &ByteRecord) {
        let unnamed = |column: &usize| header.get(*column) == Some(&[][..]);
        if let Some(column) = self.features().find(unnamed) {
            let (path, column) = (path.display(), column + 1);
            log::warn!(
                "read_csv: {path}: column {column} has no name, as an index of pandas, and is read as a feature"
            );
        }
    }

    /// Warns about a first row that seems to be a header, but has numbers too. It may be data with a wrong cell, which would be
    /// an error in any other row.
    pub fn warn_of_numbers(&self, path: &Path, header: &ByteRecord) {
        let is_number = |column: &usize| header.get(*column).is_some_and(|cell| number(cell).is_some());
        let numbers = self.features().filter(is_number).count();
        if (1..self.features().count()).contains(&numbers) {
            let path = path.display();
            log::warn!(
                "read_csv: {path}: the first row is taken for a header, though it has numbers; CsvOptions::header decides"
            );
        }
    }
}
