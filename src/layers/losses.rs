//! The two losses: on probabilities, clipped; and on logits, with softmax built in.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, CrossEntropy, Head, Reduction, Statistics};
use crate::targets::Targets;
use crate::waiting::{Waiting, at_once};

/// -ln clip(p_t) a row, and its mean. The notebook's `Loss_CategoricalCrossEntropy`, for class ids and one-hot rows.
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
    /// The mean over the rows, unweighted.
    ///
    /// ```
    /// let loss = wgpu_mlp::layers::CategoricalCrossEntropy::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// With weights, an ignored class, label smoothing, or another reduction.
    ///
    /// ```
    /// use wgpu_mlp::{layers::CategoricalCrossEntropy, ops::CrossEntropy};
    /// let loss = CategoricalCrossEntropy::with_options(CrossEntropy { label_smoothing: 0.1, ..Default::default() });
    /// ```
    pub fn with_options(options: CrossEntropy) -> Self {
        CategoricalCrossEntropy { options }
    }

    /// The rows' losses, `rows x 1`, with probabilities clipped to [`ops::CLIP`] `..= 1 -` [`ops::CLIP`].
    ///
    /// # Errors
    /// As [`ops::nll`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::CategoricalCrossEntropy};
    /// # let device = Device::cpu();
    /// let probs = Matrix::from_slice(&device, 1, 2, &[0.0, 1.0])?;
    /// let losses = CategoricalCrossEntropy::new().forward(&probs, &Targets::classes(&device, &[0u8], 2)?)?;
    /// assert!((losses.to_array()?[[0, 0]] - 16.118095).abs() < 1e-5); // -ln 1e-7, not infinity
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn forward(&self, probs: &Matrix, targets: &Targets) -> Result<Matrix> {
        ops::nll_with(probs, targets, &self.options)
    }

    /// The rows' losses as the options reduce them: their weighted mean, or their sum for [`Reduction::Sum`], and for
    /// [`Reduction::None`] too, whose losses row by row are those of [`CategoricalCrossEntropy::forward`]. It is always the
    /// value whose gradient [`CategoricalCrossEntropy::backward`] gives. On a GPU this waits.
    ///
    /// # Errors
    /// As [`ops::nll`] and [`Matrix::to_array`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::CategoricalCrossEntropy};
    /// # let device = Device::cpu();
    /// let probs = Matrix::from_slice(&device, 2, 2, &[0.5, 0.5, 0.5, 0.5])?;
    /// let loss = CategoricalCrossEntropy::new().calculate(&probs, &Targets::classes(&device, &[0u8, 1], 2)?)?;
    /// assert!((loss - std::f64::consts::LN_2).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn calculate(&self, probs: &Matrix, targets: &Targets) -> Result<f64> {
        at_once(self.calculate_by(Waiting::Blocking, probs, targets))
    }

    /// [`CategoricalCrossEntropy::calculate`] without blocking the thread.
    ///
    /// # Errors
    /// As [`CategoricalCrossEntropy::calculate`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::CategoricalCrossEntropy};
    /// # let device = Device::cpu();
    /// let probs = Matrix::from_slice(&device, 2, 2, &[0.5, 0.5, 0.5, 0.5])?;
    /// let (targets, loss) = (Targets::classes(&device, &[0u8, 1], 2)?, CategoricalCrossEntropy::new());
    /// let value = pollster::block_on(loss.calculate_async(&probs, &targets))?;
    /// assert_eq!(value, loss.calculate(&probs, &targets)?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn calculate_async(&self, probs: &Matrix, targets: &Targets) -> Result<f64> {
        self.calculate_by(Waiting::Yielding, probs, targets).await
    }

    async fn calculate_by(&self, waiting: Waiting, probs: &Matrix, targets: &Targets) -> Result<f64> {
        let losses = self.forward(probs, targets)?;
        let sum = ops::column_sum(&losses)?.to_array_by(waiting).await?.sum();
        match self.options.reduction {
            Reduction::Mean => Ok(f64::from(sum) / ops::nll_weight_sum(waiting, probs, targets, &self.options).await?),
            Reduction::Sum | Reduction::None => Ok(sum.into()),
        }
    }

    /// -y / (clip(p) · rows), or as the options have it: the gradient of the mean, finite also at p = 0.
    ///
    /// # Errors
    /// As [`ops::nll_backward`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::CategoricalCrossEntropy};
    /// # let device = Device::cpu();
    /// let probs = Matrix::from_slice(&device, 1, 2, &[0.5, 0.5])?;
    /// let dprobs = CategoricalCrossEntropy::new().backward(&probs, &Targets::classes(&device, &[0u8], 2)?)?;
    /// assert_eq!(dprobs.to_array()?.row(0).to_vec(), [-2.0, 0.0]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn backward(&self, probs: &Matrix, targets: &Targets) -> Result<Matrix> {
        ops::nll_backward_with(probs, targets, &self.options)
    }
}

/// Softmax and cross-entropy in one: the mean loss of logits; backward probabilities, minus 1 at the target, over rows.
/// The notebook's `Activation_Softmax_Loss_CategoricalCrossentropy`, with the unclipped loss.
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
    /// The mean over the rows, unweighted.
    ///
    /// ```
    /// let loss = wgpu_mlp::layers::SoftmaxCrossEntropy::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// With weights, an ignored class, label smoothing, or another reduction.
    ///
    /// ```
    /// use wgpu_mlp::{layers::SoftmaxCrossEntropy, ops::CrossEntropy};
    /// let loss = SoftmaxCrossEntropy::with_options(CrossEntropy { label_smoothing: 0.1, ..Default::default() });
    /// ```
    pub fn with_options(options: CrossEntropy) -> Self {
        SoftmaxCrossEntropy { options, kept: None }
    }

    /// The rows' losses as the options reduce them: their weighted mean, or their sum for [`Reduction::Sum`], and for
    /// [`Reduction::None`] too. There PyTorch gives a loss a row ([`Head::losses`] of [`ops::softmax_cross_entropy`]); what
    /// comes back here is always the value whose gradient [`SoftmaxCrossEntropy::backward`] gives. On a GPU this waits.
    ///
    /// # Errors
    /// As [`ops::softmax_cross_entropy`] and [`Matrix::to_array`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
    /// # let device = Device::cpu();
    /// let logits = Matrix::from_slice(&device, 1, 2, &[1000.0, 0.0])?;
    /// let loss = SoftmaxCrossEntropy::new().forward(&logits, &Targets::classes(&device, &[1u8], 2)?)?;
    /// assert_eq!(loss, 1000.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn forward(&mut self, logits: &Matrix, targets: &Targets) -> Result<f64> {
        self.record(logits, targets)?;
        Ok(self.reduced(self.stats()?))
    }

    /// [`SoftmaxCrossEntropy::forward`] without blocking the thread. The forward pass is recorded when the future is first
    /// polled: one that is dropped after that leaves it to [`SoftmaxCrossEntropy::backward`] and
    /// [`SoftmaxCrossEntropy::stats`].
    ///
    /// # Errors
    /// As [`SoftmaxCrossEntropy::forward`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
    /// # let device = Device::cpu();
    /// let logits = Matrix::from_slice(&device, 1, 2, &[1000.0, 0.0])?;
    /// let (targets, mut loss) = (Targets::classes(&device, &[1u8], 2)?, SoftmaxCrossEntropy::new());
    /// assert_eq!(pollster::block_on(loss.forward_async(&logits, &targets))?, 1000.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn forward_async(&mut self, logits: &Matrix, targets: &Targets) -> Result<f64> {
        self.record(logits, targets)?;
        Ok(self.reduced(self.stats_async().await?))
    }

    /// What the rows' losses come to, of which the options make the gradient.
    fn reduced(&self, stats: Statistics) -> f64 {
        match self.options.reduction {
            Reduction::Mean => stats.mean_loss(),
            Reduction::Sum | Reduction::None => stats.loss_sum,
        }
    }

    /// The forward pass without the wait: the loss is for [`SoftmaxCrossEntropy::stats`] to read when it is wanted.
    ///
    /// # Errors
    /// As [`ops::softmax_cross_entropy`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
    /// # let device = Device::cpu();
    /// let mut loss = SoftmaxCrossEntropy::new();
    /// loss.record(&Matrix::zeros(&device, 1, 2)?, &Targets::classes(&device, &[0u8], 2)?)?;
    /// let dlogits = loss.backward()?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn record(&mut self, logits: &Matrix, targets: &Targets) -> Result<()> {
        let head = ops::softmax_cross_entropy(logits, targets, &self.options)?;
        self.kept = Some((logits.clone(), head));
        Ok(())
    }

    /// Loss, accuracy and what else the last forward pass adds up to. On a GPU this waits.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; as [`Matrix::to_array`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
    /// # let device = Device::cpu();
    /// let mut loss = SoftmaxCrossEntropy::new();
    /// loss.record(&Matrix::zeros(&device, 1, 2)?, &Targets::classes(&device, &[0u8], 2)?)?;
    /// assert_eq!(loss.stats()?.accuracy(), 1.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn stats(&self) -> Result<Statistics> {
        kept("softmax_cross_entropy", &self.kept)?.1.stats()
    }

    /// [`SoftmaxCrossEntropy::stats`] without blocking the thread.
    ///
    /// # Errors
    /// As [`SoftmaxCrossEntropy::stats`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
    /// # let device = Device::cpu();
    /// let mut loss = SoftmaxCrossEntropy::new();
    /// loss.record(&Matrix::zeros(&device, 1, 2)?, &Targets::classes(&device, &[0u8], 2)?)?;
    /// assert_eq!(pollster::block_on(loss.stats_async())?.accuracy(), 1.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn stats_async(&self) -> Result<Statistics> {
        kept("softmax_cross_entropy", &self.kept)?.1.stats_async().await
    }

    /// The probabilities of the last forward pass, `rows x classes`.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, layers::SoftmaxCrossEntropy};
    /// # let device = Device::cpu();
    /// let mut loss = SoftmaxCrossEntropy::new();
    /// loss.forward(&Matrix::zeros(&device, 1, 2)?, &Targets::classes(&device, &[0u8], 2)?)?;
    /// assert_eq!(loss.output()?.to_array()?.row(0).to_vec(), [0.5, 0.5]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn output(&self) -> Result<Matrix> {
        ops::softmax(&kept("softmax_cross_entropy", &self.kept)?.0)
    }

    /// The gradient with respect to the logits, as the options reduce it.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass.
    ///
    /// ```
    /// # use wgpu_mlp::layers::SoftmaxCrossEntropy;
    /// assert!(SoftmaxCrossEntropy::new().backward().is_err());
    /// ```
    pub fn backward(&self) -> Result<Matrix> {
        Ok(kept("softmax_cross_entropy", &self.kept)?.1.dlogits().clone())
    }
}
