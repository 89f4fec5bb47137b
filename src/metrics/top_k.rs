//! Top-k accuracy.

use ndarray::ArrayView2;

use super::length::same_length;
use crate::error::{Error, Result};
use crate::targets::{Label, Targets, ignored_rows};

/// The top-k accuracy: the share of rows whose label is among their `k` most probable classes. `probs` is `rows x classes`; logits
/// or log-probabilities give the same result. Rows with the label -100 do not count; if no other rows are left, the result is NaN.
///
/// Of equal probabilities the lower class comes first, so for k = 1 the prediction is the row's first maximum. (scikit-learn's
/// `top_k_accuracy_score` takes the higher class first.) A row with a NaN is a miss for every k. Any other row is a hit if k is at
/// least the number of classes.
///
/// # Errors
/// [`Error::Empty`] without rows or classes; [`Error::Shape`] unless there is a label for each row; [`Error::Target`]
/// for a label that is not a class; [`Error::Option`] for k = 0.
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

/// Whether the class is among the k most probable classes of its row, so that fewer than k classes come before it.
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

/// Refuses k = 0.
pub(crate) fn check_k(op: &'static str, k: usize) -> Result<()> {
    if k == 0 { Err(Error::Option { op, option: "k", rule: "at least 1", value: 0.0 }) } else { Ok(()) }
}
