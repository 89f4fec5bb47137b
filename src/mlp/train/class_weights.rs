//! Weights of the classes' losses in training.

use crate::error::{Error, Result};
use crate::metrics::balanced_by_counts;
#[cfg(doc)]
use crate::metrics::balanced_class_weights;

/// Weights of the classes' losses in training.
///
/// ```
/// use wgpu_mlp::{ClassWeights, FitOptions};
/// let options = FitOptions { class_weights: ClassWeights::Balanced, ..Default::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ClassWeights {
    /// The weight 1 for each class.
    #[default]
    Equal,
    /// The weight rows / (classes that occur · rows of the class), as scikit-learn's `balanced`. So rare classes count as much as
    /// common ones. The rows to train on are counted; in [`Mlp::partial_fit`](crate::Mlp::partial_fit) these are the rows of one
    /// call. See [`balanced_class_weights`].
    Balanced,
    /// The given weights, one for each class.
    Each(Vec<f32>),
}

impl ClassWeights {
    /// The weight of each class for a training with these numbers of rows of each class; `None` if all weights are 1.
    pub(super) fn of(&self, counts: &[u64]) -> Result<Option<Vec<f32>>> {
        match self {
            ClassWeights::Equal => Ok(None),
            ClassWeights::Balanced => Ok(Some(balanced_by_counts(counts))),
            ClassWeights::Each(weights) => check_weights("fit", "class", weights).map(|()| Some(weights.clone())),
        }
    }
}

/// Refuses weights of rows or classes if one of them is negative or not finite.
pub(in crate::mlp) fn check_weights(op: &'static str, what: &'static str, weights: &[f32]) -> Result<()> {
    let fits = |weight: &f32| *weight >= 0.0 && weight.is_finite();
    match weights.iter().position(|weight| !fits(weight)) {
        Some(index) => Err(Error::Weight { op, what, index, value: weights[index] }),
        None => Ok(()),
    }
}

/// The power of two that weights are multiplied by on their way to the device, so that no sum of weighted losses or gradients
/// overflows. It depends on the largest weight. If that is 0 or from 2^-32 to 2^32, the factor is 1; otherwise the factor brings
/// it to about 2^32. Means do not change by a bit. The exception are weights below 2^-158 times the largest, which lose bits or
/// become 0.
pub(in crate::mlp) fn moderating(largest: f32) -> f64 {
    let largest = f64::from(largest);
    let moderate = (-32.0f64).exp2()..=32.0f64.exp2();
    if largest == 0.0 || moderate.contains(&largest) { 1.0 } else { (32.0 - largest.log2().floor()).exp2() }
}

/// These weights of classes multiplied by the factor of [`moderating`], which depends on the classes that count. The weight of a
/// class without rows may be so large that beside it all other weights would become 0.
pub(super) fn moderated(mut weights: Vec<f32>, counts: impl Fn(usize) -> bool) -> Vec<f32> {
    let of_class = |(class, weight): (usize, &f32)| if counts(class) { *weight } else { 0.0 };
    let scale = moderating(weights.iter().enumerate().map(of_class).fold(0.0, f32::max));
    // The weight of a class that does not count may be beyond f32 now. No loss contains it.
    weights.iter_mut().for_each(|weight| *weight = ((f64::from(*weight) * scale) as f32).min(f32::MAX));
    weights
}
