//! Metrics of predictions, computed on the host: confusion matrices, reports by class, top-k accuracy, and class
//! weights.
//!
//! The definitions are those of scikit-learn with `zero_division=0`, except that [`top_k_accuracy`] takes the lower of two equally
//! probable classes first.
//!
//! ```
//! use wgpu_mlp::metrics::ConfusionMatrix;
//! let (labels, predictions) = ([0u8, 0, 1, 1, 1, 2], [0u32, 1, 1, 1, 0, 2]);
//! let matrix = ConfusionMatrix::new(&labels, &predictions, 3)?.with_names(["ant", "bee", "cat"])?;
//! assert_eq!(matrix.counts()[[0, 1]], 1); // one ant was taken for a bee
//! println!("{matrix}\n{}", matrix.report());
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```

mod class_weights;
mod confusion;
mod length;
mod report;
mod top_k;

pub(crate) use class_weights::balanced_by_counts;
pub use class_weights::balanced_class_weights;
pub use confusion::ConfusionMatrix;
pub(crate) use length::same_length;
pub use report::{ClassificationReport, Scores};
pub use top_k::top_k_accuracy;
pub(crate) use top_k::{check_k, in_top_k};
