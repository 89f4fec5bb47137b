//! The columns of a CSV file: the features, the label, and the columns that are left out.

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
}
