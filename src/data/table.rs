//! Tables: the features and labels of CSV files.

use ndarray::Array2;

use super::csv_options::Column;
#[cfg(doc)]
use super::csv_options::CsvOptions;

/// The features and labels of a CSV file, or of several.
///
/// ```
/// # let path = std::env::temp_dir().join("wgpu-mlp-doc-table.csv");
/// # std::fs::write(&path, "5.1,setosa\n7.0,versicolor\n").unwrap();
/// let table = wgpu_mlp::data::read_csv(&path, &Default::default())?;
/// assert_eq!((table.features.dim(), table.labels), ((2, 1), vec![0, 1]));
/// assert_eq!(table.label, wgpu_mlp::data::Column::Index(1));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Table {
    /// The features, a row for each row of the file.
    pub features: Array2<f32>,
    /// The label of each row: an index into `classes`.
    pub labels: Vec<u32>,
    /// The classes: the different labels as the file spells them, in the order of their ids.
    pub classes: Vec<String>,
    /// The names of the features' columns, or their indices in the file if there is no header. If they are names, they are the
    /// [`CsvOptions::features`] that read the same features from another file.
    pub columns: Vec<String>,
    /// The column of the labels: by its name, or by its index in the file if there is no header. A name is the
    /// [`CsvOptions::label`] that finds the labels in another file, whatever other columns that has.
    pub label: Column,
}

/// The features of a CSV file without labels.
///
/// ```
/// # let path = std::env::temp_dir().join("wgpu-mlp-doc-columns.csv");
/// # std::fs::write(&path, "petal,sepal\n1.4,5.1\n").unwrap();
/// let new = wgpu_mlp::data::read_csv_features(&path, &Default::default())?;
/// assert_eq!(new.columns, ["petal", "sepal"]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Features {
    /// The features, a row for each row of the file.
    pub features: Array2<f32>,
    /// The names of the features' columns, or their indices in the file if there is no header.
    pub columns: Vec<String>,
}
