//! The cross-entropy of clipped probabilities.

use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, CrossEntropy, Reduction};
use crate::targets::Targets;
use crate::waiting::blocking_and_async;

/// The categorical cross-entropy of probabilities: -ln clip(p_t) for each row, and its mean. This is the notebook's
/// `Loss_CategoricalCrossEntropy`, for class ids and one-hot rows.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, layers::CategoricalCrossEntropy};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 1, 3, &[0.7, 0.1, 0.2])?;
/// let targets = Targets::classes(&device, &[0u8], 3)?;
/// let loss = CategoricalCrossEntropy::new().calculate(&probs, &targets)?;
/// assert!((loss - 0.35667494393873245).abs() < 1e-6);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CategoricalCrossEntropy {
    options: CrossEntropy,
}

impl CategoricalCrossEntropy {
    /// A loss whose value is the unweighted mean over the rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// A loss with these options: weights, an ignored class, label smoothing, or another reduction.
    pub fn with_options(options: CrossEntropy) -> Self {
        CategoricalCrossEntropy { options }
    }

    /// The loss of each row, `rows x 1`, with probabilities clipped to [`ops::CLIP`] `..= 1 -` [`ops::CLIP`].
    ///
    /// # Errors
    /// As [`ops::nll`].
    pub fn forward(&self, probs: &Matrix, targets: &Targets) -> Result<Matrix> {
        ops::nll_with(probs, targets, &self.options)
    }

    blocking_and_async! {
        /// The loss of the batch: the weighted mean of the rows' losses, or their sum for [`Reduction::Sum`] and
        /// [`Reduction::None`]. ([`CategoricalCrossEntropy::forward`] gives the losses row by row.)
        /// [`CategoricalCrossEntropy::backward`] gives the gradient of this value. A mean over weights that sum to 0 is NaN, and its
        /// gradient is 0. On a GPU this waits.
        ///
        /// # Errors
        /// As [`ops::nll`] and [`Matrix::to_array`].
        pub fn calculate, calculate_async(&self, probs: &Matrix, targets: &Targets) -> Result<f64> = |waiting| {
            let losses = self.forward(probs, targets)?;
            let sum = f64::from(ops::column_sum(&losses)?.to_array_by(waiting).await?.sum());
            match self.options.reduction {
                Reduction::Mean => {
                    let weight_sum = ops::nll_weight_sum(waiting, probs, targets, &self.options).await?;
                    // Smoothing gives losses to rows of weight 0, too. A mean over no weight is NaN nevertheless.
                    Ok(if weight_sum == 0.0 { f64::NAN } else { sum / weight_sum })
                }
                Reduction::Sum | Reduction::None => Ok(sum),
            }
        }
    }

    /// The gradient with respect to the probabilities, -y / (clip(p) · rows) for the unweighted mean. It is finite also where p = 0.
    ///
    /// # Errors
    /// As [`ops::nll_backward`].
    pub fn backward(&self, probs: &Matrix, targets: &Targets) -> Result<Matrix> {
        ops::nll_backward_with(probs, targets, &self.options)
    }
}
