//! The loss layer of softmax and cross-entropy together, on logits.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, CrossEntropy, Head, Reduction};
use crate::statistics::Statistics;
use crate::targets::Targets;
use crate::waiting::blocking_and_async;

/// Softmax and cross-entropy in one layer. Forward gives the mean loss of the logits. Backward gives their gradient: the
/// probabilities, minus 1 at the target, divided by the number of rows. This is the notebook's
/// `Activation_Softmax_Loss_CategoricalCrossentropy`, with the unclipped loss.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
/// let device = Device::cpu();
/// let mut loss = SoftmaxCrossEntropy::new();
/// let value = loss.forward(&Matrix::zeros(&device, 1, 2)?, &Targets::classes(&device, &[0u8], 2)?)?;
/// assert!((value - std::f64::consts::LN_2).abs() < 1e-6);
/// assert_eq!(loss.backward()?.to_array()?.row(0).to_vec(), [-0.5, 0.5]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct SoftmaxCrossEntropy {
    options: CrossEntropy,
    kept: Option<(Matrix, Head)>,
}

impl SoftmaxCrossEntropy {
    /// A loss whose value is the unweighted mean over the rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// A loss with these options: weights, an ignored class, label smoothing, or another reduction.
    pub fn with_options(options: CrossEntropy) -> Self {
        SoftmaxCrossEntropy { options, kept: None }
    }

    blocking_and_async! {
        /// The loss of the batch: the weighted mean of the rows' losses, or their sum for [`Reduction::Sum`] and
        /// [`Reduction::None`]. (For the latter PyTorch returns a loss for each row; here [`Head::losses`] of
        /// [`ops::softmax_cross_entropy`] has them.) [`SoftmaxCrossEntropy::backward`] gives the gradient of this value. On a GPU
        /// this waits.
        ///
        /// The asynchronous form records the forward pass when the future is first polled. If the future is dropped after that,
        /// [`SoftmaxCrossEntropy::backward`] and [`SoftmaxCrossEntropy::stats`] still use the recorded pass.
        ///
        /// # Errors
        /// As [`ops::softmax_cross_entropy`] and [`Matrix::to_array`].
        pub fn forward, forward_async(&mut self, logits: &Matrix, targets: &Targets) -> Result<f64> = |waiting| {
            self.record(logits, targets)?;
            Ok(self.reduced(kept("softmax_cross_entropy", "forward", &self.kept)?.1.stats_by(waiting).await?))
        }

        /// Loss, accuracy and the other sums of the last forward pass. On a GPU this waits.
        ///
        /// # Errors
        /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; as [`Matrix::to_array`].
        pub fn stats, stats_async(&self) -> Result<Statistics> = |waiting| {
            kept("softmax_cross_entropy", "stats", &self.kept)?.1.stats_by(waiting).await
        }
    }

    /// The loss of all rows. The backward pass gives its gradient.
    fn reduced(&self, stats: Statistics) -> f64 {
        match self.options.reduction {
            Reduction::Mean => stats.mean_loss(),
            Reduction::Sum | Reduction::None => stats.loss_sum,
        }
    }

    /// Records the forward pass without waiting for it; [`SoftmaxCrossEntropy::stats`] reads the loss later.
    ///
    /// # Errors
    /// As [`ops::softmax_cross_entropy`].
    pub fn record(&mut self, logits: &Matrix, targets: &Targets) -> Result<()> {
        let head = ops::softmax_cross_entropy(logits, targets, &self.options)?;
        self.kept = Some((logits.clone(), head));
        Ok(())
    }

    /// The probabilities of the last forward pass, `rows x classes`.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass.
    pub fn output(&self) -> Result<Matrix> {
        ops::softmax(&kept("softmax_cross_entropy", "output", &self.kept)?.0)
    }

    /// The gradient of the loss with respect to the logits.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass.
    pub fn backward(&self) -> Result<Matrix> {
        Ok(kept("softmax_cross_entropy", "backward", &self.kept)?.1.dlogits().clone())
    }
}
