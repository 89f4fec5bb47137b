//! How good predictions are, on the host: confusion matrices, reports by class, top-k accuracy, class weights.
//!
//! The definitions are scikit-learn's, with `zero_division=0`.
//!
//! ```
//! use wgpu_mlp::metrics::ConfusionMatrix;
//! let (labels, predictions) = ([0u8, 0, 1, 1, 1, 2], [0u32, 1, 1, 1, 0, 2]);
//! let matrix = ConfusionMatrix::new(&labels, &predictions, 3)?.with_names(["ant", "bee", "cat"])?;
//! assert_eq!(matrix.counts()[[0, 1]], 1); // one ant was taken for a bee
//! println!("{matrix}\n{}", matrix.report());
//! # Ok::<(), wgpu_mlp::Error>(())
//! ```

mod confusion;
mod report;

use ndarray::ArrayView2;

use crate::error::{Error, Result, Shape};
use crate::targets::{Label, Targets, ignored_rows};

pub use confusion::ConfusionMatrix;
pub use report::{ClassificationReport, Scores};

/// The share of rows whose label is among their `k` most probable classes; `probs` is `rows x classes`, and logits or
/// logarithms serve as well.
///
/// Of equal probabilities the lower class comes first, so that k = 1 asks for the row's first maximum. A row with a NaN
/// is a miss for every k; any other is a hit where k is the number of classes or more.
///
/// # Errors
/// [`Error::Empty`] without rows or classes; [`Error::Shape`] unless there is a label for each row; [`Error::Target`] for
/// a label that is no class; [`Error::Option`] for k = 0.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::metrics::top_k_accuracy;
/// let probs = array![[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.4, 0.4, 0.2], [f32::NAN, 0.5, 0.5]];
/// let labels = [1u8, 1, 0, 1];
/// assert_eq!(top_k_accuracy(probs.view(), &labels, 1)?, 0.5);
/// assert_eq!(top_k_accuracy(probs.view(), &labels, 2)?, 0.75);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn top_k_accuracy<L: Label>(probs: ArrayView2<'_, f32>, labels: &[L], k: usize) -> Result<f64> {
    let rule = "there must be a label for each row";
    same_length("top_k_accuracy", rule, probs.dim().into(), labels.len())?;
    check_k("top_k_accuracy", k)?;
    let ids = Targets::check(labels, probs.ncols())?;
    let hits = probs.rows().into_iter().zip(&ids).filter(|(row, id)| in_top_k(row.iter().copied(), **id, k)).count();
    Ok(hits as f64 / (ids.len() - ignored_rows(labels)) as f64)
}

/// Whether fewer than k classes come before this one.
pub(crate) fn in_top_k(row: impl Iterator<Item = f32> + Clone, class: u32, k: usize) -> bool {
    let Some(own) = row.clone().nth(class as usize) else { return false };
    let mut before = 0;
    for (other, value) in row.enumerate() {
        if value.is_nan() {
            return false;
        }
        before += usize::from(value > own || (value == own && other < class as usize));
    }
    before < k
}

/// An error unless there is a class to look at.
pub(crate) fn check_k(op: &'static str, k: usize) -> Result<()> {
    if k == 0 { Err(Error::Option { op, option: "k", rule: "at least 1", value: 0.0 }) } else { Ok(()) }
}

/// Class weights that make every class count alike, scikit-learn's `class_weight="balanced"`:
/// rows / (classes that occur · rows of the class).
///
/// The rows' weights add up to the number of rows. A class without rows has weight 0: there is nothing to weigh, and in a
/// loss over other rows it counts for nothing. (scikit-learn's estimators do not know such classes.)
///
/// # Errors
/// [`Error::Empty`] without labels or classes; [`Error::Target`] for a label that is no class.
///
/// ```
/// use wgpu_mlp::metrics::balanced_class_weights;
/// assert_eq!(balanced_class_weights(&[0u8, 0, 0, 1], 2)?, [4.0 / (2.0 * 3.0), 2.0]);
/// assert_eq!(balanced_class_weights(&[0u8, 0, 0, 2], 3)?, [4.0 / (2.0 * 3.0), 0.0, 2.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn balanced_class_weights<L: Label>(labels: &[L], classes: usize) -> Result<Vec<f32>> {
    let ids = Targets::check(labels, classes)?;
    let mut counts: Vec<u64> = crate::matrix::host_room("balanced_class_weights", 1, classes)?;
    counts.resize(classes, 0);
    // Rows without a target count for no class.
    ids.iter().for_each(|id| counts.get_mut(*id as usize).into_iter().for_each(|count| *count += 1));
    let rows: u64 = counts.iter().sum();
    let occurring = counts.iter().filter(|count| **count > 0).count();
    let weight = |count: u64| (rows as f64 / (occurring as f64 * count as f64)) as f32;
    Ok(counts.into_iter().map(|count| if count == 0 { 0.0 } else { weight(count) }).collect())
}

/// An error unless there are as many labels as rows.
fn same_length(op: &'static str, rule: &'static str, left: Shape, labels: usize) -> Result<()> {
    if left.rows != labels {
        return Err(Error::Shape { op, rule, left, right: Shape { rows: labels, cols: 1 } });
    }
    Ok(())
}

/// A quotient of counts; 0 over nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
