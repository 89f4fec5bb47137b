//! Class weights computed from the number of rows of each class.

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::host_memory::host_filled;
use crate::targets::{Label, Targets};

/// Class weights that make every class count equally: rows / (classes that occur · rows of the class). This is
/// scikit-learn's `class_weight="balanced"`.
///
/// The rows' weights add up to the number of rows. A class without rows has the weight 0. (scikit-learn's estimators do
/// not know such classes.)
///
/// # Errors
/// [`Error::Empty`] without labels or classes; [`Error::Target`] for a label that is not a class; [`Error::Limit`] and
/// [`Error::HostMemory`] for more classes than class ids can name, or than there is room for.
///
/// ```
/// use wgpu_mlp::metrics::balanced_class_weights;
/// assert_eq!(balanced_class_weights(&[0u8, 0, 0, 1], 2)?, [4.0 / (2.0 * 3.0), 2.0]);
/// assert_eq!(balanced_class_weights(&[0u8, 0, 0, 2], 3)?, [4.0 / (2.0 * 3.0), 0.0, 2.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn balanced_class_weights<L: Label>(labels: &[L], classes: usize) -> Result<Vec<f32>> {
    let ids = Targets::check(labels, classes)?;
    let mut counts = host_filled("balanced_class_weights", (1, classes), 0)?;
    // Ignored rows have an id beyond all classes, so that they are not counted.
    ids.iter().for_each(|id| counts.get_mut(*id as usize).into_iter().for_each(|count| *count += 1));
    Ok(balanced_by_counts(&counts))
}

/// The weights of [`balanced_class_weights`], from the number of rows of each class.
pub(crate) fn balanced_by_counts(counts: &[u64]) -> Vec<f32> {
    let rows: u64 = counts.iter().sum();
    let occurring = counts.iter().filter(|count| **count > 0).count();
    let weight = |count: u64| (rows as f64 / (occurring as f64 * count as f64)) as f32;
    counts.iter().map(|count| if *count == 0 { 0.0 } else { weight(*count) }).collect()
}
