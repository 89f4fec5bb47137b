//! Options for reading Parquet files.

/// Options for [`ParquetRows::open`](super::ParquetRows::open) and [`ParquetRows::open_shards`](super::ParquetRows::open_shards):
/// the columns to read, and the size of the cache.
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
    /// The columns with the features; all columns of numbers by default.
    pub features: ParquetFeatures,
    /// The column with the labels. They are integers, floats that are whole numbers, booleans or strings. By default there are no
    /// labels.
    pub label: Option<String>,
    /// The classes of labels that are strings, in the order of their ids. If this is empty, the default, they are the classes of
    /// the file, or of all files of [`ParquetRows::open_shards`](super::ParquetRows::open_shards). They are sorted: by value if
    /// all are numbers. For a test file, pass the classes of the training file. If files are opened separately, as
    /// [`Shards`](crate::source::Shards) or by several ranks, pass the classes of all files each time. Otherwise a class that is
    /// missing in a file changes the ids of the others.
    pub classes: Vec<String>,
    /// The number of bytes of decoded row groups that are kept in memory; 128 MiB by default. Files that are opened together by
    /// `open_shards` share it. A row group has 4 bytes for each value. Row groups that several threads decode at the same time
    /// come in addition.
    pub cache_bytes: usize,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        let features = ParquetFeatures::default();
        ParquetOptions { features, label: None, classes: Vec::new(), cache_bytes: 128 << 20 }
    }
}

/// The columns of a Parquet file that hold the features: booleans, integers of 1 to 8 bytes, f16, f32 or f64. The fields of a
/// struct are not columns: store them as columns of their own.
///
/// ```
/// use wgpu_mlp::data::ParquetFeatures;
/// assert_eq!(ParquetFeatures::default(), ParquetFeatures::Numeric);
/// assert_ne!(ParquetFeatures::Columns(vec!["x".into()]), ParquetFeatures::List("x".into()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ParquetFeatures {
    /// All columns of numbers except the labels, in the order of the file. Columns of text, dates and similar types are left out,
    /// and so is the index of a pandas table, whether it has a name or is stored as `__index_level_0__`. A duration is stored as
    /// an integer, and is read as one. A file is refused if it has a column of lists, maps or structs of numbers, since that
    /// column may hold the features. Name the features by another variant then.
    #[default]
    Numeric,
    /// The columns with these names, in this order.
    Columns(Vec<String>),
    /// A single column of lists of numbers with equal lengths, such as embeddings. The lists may be of fixed or of variable size.
    List(String),
}
