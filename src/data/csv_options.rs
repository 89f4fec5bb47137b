//! Options of reading CSV files.

/// Options of [`read_csv`](super::read_csv): how a file is read.
///
/// ```
/// use wgpu_mlp::data::{Column, CsvOptions};
/// let options = CsvOptions { delimiter: b';', label: Column::Name("species".into()), ..Default::default() };
/// assert_eq!(options.header, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct CsvOptions {
    /// The byte between two cells; a comma by default.
    pub delimiter: u8,
    /// Whether the first row names the columns. With `None`, the default, the first row is a header when one of its
    /// features is not a number, or when its label is not a number and the next row's is. A first row of the columns' numbers
    /// 0, 1, 2 and so on, three or more, is a header too: pandas writes these for columns without names.
    pub header: Option<bool>,
    /// The column with the labels; the last by default.
    pub label: Column,
    /// The columns to leave out, such as a row's number or name, whose cells may hold anything; none by default.
    pub skip: Vec<Column>,
    /// The classes, in the order of their ids. If this is empty, the default, they are those of the file: sorted, by
    /// value where all are numbers. For a test file, pass the training file's classes; otherwise a class that the test
    /// file lacks shifts the ids of the others.
    pub classes: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { delimiter: b',', header: None, label: Column::Last, skip: Vec::new(), classes: Vec::new() }
    }
}

/// Names a column of a CSV file.
///
/// ```
/// use wgpu_mlp::data::Column;
/// assert_eq!(Column::default(), Column::Last);
/// assert_ne!(Column::Name("species".into()), Column::Index(4));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Column {
    /// The last column.
    #[default]
    Last,
    /// The column with this index, from 0.
    Index(usize),
    /// The column that the header calls so.
    Name(String),
}
