//! Options for reading CSV files.

/// Options for [`read_csv`](super::read_csv).
///
/// ```
/// use wgpu_mlp::data::{Column, CsvOptions};
/// let options = CsvOptions { delimiter: b';', label: Column::Name("species".into()), ..Default::default() };
/// assert_eq!(options.header, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct CsvOptions {
    /// The byte between two cells; a comma by default. It may be neither a quote nor the end of a line.
    pub delimiter: u8,
    /// Whether the first row names the columns. With `None`, the default, the first row is a header if one of its features is not
    /// a number or a boolean, or if its label is not one and the label of the next row is. A first row that has the numbers of the
    /// columns, 0, 1, 2 and so on, at least three of them, is also a header: pandas writes these if columns have no names.
    pub header: Option<bool>,
    /// The column with the labels; the last column by default.
    pub label: Column,
    /// The names of the columns with the features, in the order of the features. If this is empty, the default, they are all
    /// columns but the label and those to leave out, in the order of the file. For a test file, pass the training file's
    /// [`Table::columns`](super::Table::columns): the features are then the right ones even if the columns are in another order.
    /// Columns that are not named are left out. If there are such columns besides the label and those to leave out, `label` must
    /// name the label, as [`Table::label`](super::Table::label) does, since the last column may be another one. The file must
    /// have a header.
    pub features: Vec<String>,
    /// The columns to leave out, such as a row's number or name. Their cells may contain anything. None are left out by default.
    pub skip: Vec<Column>,
    /// The classes, in the order of their ids. If this is empty, the default, they are the classes in the file, sorted: by value
    /// if all are numbers. For a test file, pass the training file's classes: otherwise a class that is missing in the test file
    /// changes the ids of the others.
    pub classes: Vec<String>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        let (label, features, skip, classes) = (Column::Last, Vec::new(), Vec::new(), Vec::new());
        CsvOptions { delimiter: b',', header: None, label, features, skip, classes }
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
    /// The column with this index, counted from 0.
    Index(usize),
    /// The column with this name in the header.
    Name(String),
}
