//! Options of reading Parquet files.

/// Options of [`ParquetRows::open`](super::ParquetRows::open) and
/// [`ParquetRows::open_shards`](super::ParquetRows::open_shards): which columns are read, and how much of them is kept.
///
/// ```
/// use wgpu_mlp::data::{ParquetFeatures, ParquetOptions};
/// let features = ParquetFeatures::List("embedding".into());
/// let options = ParquetOptions { features, label: Some("kind".into()), ..Default::default() };
/// assert_eq!(options.cache_bytes, 128 << 20);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ParquetOptions {
    /// The columns with the features; by default all columns of numbers.
    pub features: ParquetFeatures,
    /// The column with the labels: integers, floats that are whole numbers, booleans or strings. There is none by
    /// default.
    pub label: Option<String>,
    /// The classes of labels that are strings, in the order of their ids. If this is empty, the default, they are those
    /// of the file, or of all files of [`ParquetRows::open_shards`](super::ParquetRows::open_shards): sorted, by value
    /// where all are numbers. For a test file pass the classes of the training file, and those of all files for each that
    /// is opened by itself: as one of [`Shards`](crate::source::Shards), or by one of several ranks. Otherwise a class
    /// that a file lacks shifts the ids of the others.
    pub classes: Vec<String>,
    /// How many bytes of decoded row groups are kept in memory; 128 MiB by default. Several files that are opened as
    /// shards share them. A row group has 4 bytes a value. Row groups that several threads decode at the same time come
    /// on top.
    pub cache_bytes: usize,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        let features = ParquetFeatures::default();
        ParquetOptions { features, label: None, classes: Vec::new(), cache_bytes: 128 << 20 }
    }
}

/// Columns of a Parquet file that hold the features: booleans, integers of 1 to 8 bytes, f16, f32 or f64.
///
/// ```
/// use wgpu_mlp::data::ParquetFeatures;
/// assert_eq!(ParquetFeatures::default(), ParquetFeatures::Numeric);
/// assert_ne!(ParquetFeatures::Columns(vec!["x".into()]), ParquetFeatures::List("x".into()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ParquetFeatures {
    /// All columns of numbers but that of the labels, in the order of the file. Columns of text, dates and the like are
    /// left out, and so is the index of a pandas table, whether it has a name or is stored as `__index_level_0__`. A
    /// duration is stored as an integer, and read as one. A file with a column of lists or maps of numbers, be it in a
    /// struct, is refused, since that may well be what holds the features: name them by one of the others.
    #[default]
    Numeric,
    /// The columns with these names, in this order.
    Columns(Vec<String>),
    /// One column of lists of numbers, all of one length: an embedding. The lists may be of fixed or of variable size.
    List(String),
}
