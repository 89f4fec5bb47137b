//! The columns of a CSV file: the features, the label, and the columns that are left out.

use std::path::Path;

use csv::ByteRecord;

use super::csv_cell::{is_missing, number};

/// The columns of a CSV file.
#[derive(Default)]
pub(super) struct Columns {
    /// The number of all columns.
    pub width: usize,
    /// The column with the labels.
    pub label: Option<usize>,
    /// The columns of the features, in the order of the features.
    features: Vec<usize>,
    /// For each column, whether its cells are left out, so that they may contain anything.
    left_out: Vec<bool>,
    /// The first column that is left out only because the features are named, and it is not among them.
    pub unnamed: Option<usize>,
}

impl Columns {
    /// The columns of a file with `width` columns. All are features in the order of the file, except the label and those to skip.
    pub fn new(width: usize, label: Option<usize>, skipped: &[usize]) -> Self {
        let mut left_out = vec![false; width];
        skipped.iter().for_each(|column| left_out[*column] = true);
        let features = (0..width).filter(|column| Some(*column) != label && !left_out[*column]).collect();
        Columns { width, label, features, left_out, unnamed: None }
    }

    /// These columns, but with only the given ones as features, in the given order.
    pub fn with_features(self, features: Vec<usize>) -> Self {
        let mut left_out = vec![true; self.width];
        features.iter().for_each(|column| left_out[*column] = false);
        let unnamed = self.features.iter().copied().find(|column| left_out[*column]);
        Columns { features, left_out, unnamed, ..self }
    }

    /// Whether this column holds a feature.
    pub fn is_feature(&self, column: usize) -> bool {
        Some(column) != self.label && self.left_out.get(column) == Some(&false)
    }

    /// Whether the cells of this column are left out.
    pub fn is_left_out(&self, column: usize) -> bool {
        self.left_out.get(column) == Some(&true)
    }

    /// The columns of the features, in the order of the features.
    pub fn features(&self) -> &[usize] {
        &self.features
    }

    /// Whether the first of these rows seems to be a header: see `CsvOptions::header`.
    pub fn has_header(&self, rows: &[ByteRecord]) -> bool {
        let named = (0..self.width).any(|column| {
            let is_label = Some(column) == self.label;
            let differs = self.is_feature(column) || is_label && is_text(rows.get(1), column) == Some(false);
            is_text(rows.first(), column) == Some(true) && differs
        });
        named || rows.first().is_some_and(|first| self.is_numbered(first))
    }

    /// Whether the features of the first row are the numbers of the columns, from 0 on. pandas writes these if columns have no
    /// names. Only two of them may as well be data.
    fn is_numbered(&self, first: &ByteRecord) -> bool {
        let features = || first.iter().enumerate().filter(|(column, _)| self.is_feature(*column));
        let is = |cell: &[u8], number: usize| cell == number.to_string().as_bytes();
        let counted = features().zip(0..).all(|((column, cell), count)| is(cell, column) || is(cell, count));
        features().count() > 2 && counted
    }

    /// Warns about a feature whose column has no name. pandas writes its index in this way by default.
    pub fn warn_of_unnamed(&self, path: &Path, header: &ByteRecord) {
        let unnamed = |column: &&usize| header.get(**column) == Some(&[][..]);
        if let Some(column) = self.features.iter().find(unnamed) {
            let (path, column) = (path.display(), column + 1);
            log::warn!(
                "read_csv: {path}: column {column} has no name, as an index of pandas, and is read as a feature"
            );
        }
    }

    /// Warns about a first row that is taken for data, though a column that is left out has a text there and a number below it.
    pub fn warn_of_text(&self, path: &Path, rows: &[ByteRecord]) {
        let changes = |column: usize| [0, 1].map(|row| is_text(rows.get(row), column)) == [Some(true), Some(false)];
        if (0..self.width).any(|column| self.is_left_out(column) && changes(column)) {
            let path = path.display();
            log::warn!(
                "read_csv: {path}: the first row is taken for data, though it may be a header; CsvOptions::header decides"
            );
        }
    }

    /// Warns about a first row that seems to be a header, but has numbers too. It may be data with a wrong cell, which would be
    /// an error in any other row.
    pub fn warn_of_numbers(&self, path: &Path, header: &ByteRecord) {
        let is_number = |column: &&usize| header.get(**column).is_some_and(|cell| number(cell).is_some());
        let numbers = self.features.iter().filter(is_number).count();
        if (1..self.features.len()).contains(&numbers) {
            let path = path.display();
            log::warn!(
                "read_csv: {path}: the first row is taken for a header, though it has numbers; CsvOptions::header decides"
            );
        }
    }
}

/// Whether a row's cell in this column is text, and neither a number nor a missing value; none without such a cell.
fn is_text(row: Option<&ByteRecord>, column: usize) -> Option<bool> {
    let cell = row?.get(column)?;
    Some(!is_missing(cell) && number(cell).is_none())
}
