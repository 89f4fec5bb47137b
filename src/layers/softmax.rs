//! Softmax: probabilities.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// exp(x - m) / Σ exp(x - m) a row; backward through the Jacobian. The notebook's `Activation_Softmax`.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, layers::Softmax};
/// let mut softmax = Softmax::new();
/// let probs = softmax.forward(&Matrix::zeros(&Device::cpu(), 1, 4)?)?;
/// assert_eq!(probs.to_array()?.row(0).to_vec(), [0.25; 4]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Softmax {
    output: Option<Matrix>,
}

impl Softmax {
    /// A layer that has seen nothing yet.
    ///
    /// ```
    /// let softmax = wgpu_mlp::layers::Softmax::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Probabilities from logits, which are kept for `backward`.
    ///
    /// # Errors
    /// As [`ops::softmax`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, layers::Softmax};
    /// let probs = Softmax::new().forward(&Matrix::from_slice(&Device::cpu(), 1, 3, &[4.8, 1.21, 2.385])?)?;
    /// assert!((probs.to_array()?.sum() - 1.0).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn forward(&mut self, logits: &Matrix) -> Result<Matrix> {
        let probs = ops::softmax(logits)?;
        self.output = Some(probs.clone());
        Ok(probs)
    }

    /// p · (dp - Σ_j dp_j p_j): dp through the Jacobian of each row.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; [`Error::Shape`](crate::Error::Shape)
    /// unless dp has the shape of p.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, layers::Softmax};
    /// # let device = Device::cpu();
    /// let mut softmax = Softmax::new();
    /// softmax.forward(&Matrix::zeros(&device, 1, 2)?)?;
    /// let dlogits = softmax.backward(&Matrix::from_slice(&device, 1, 2, &[1.0, 0.0])?)?;
    /// assert_eq!(dlogits.to_array()?.row(0).to_vec(), [0.25, -0.25]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn backward(&self, dprobs: &Matrix) -> Result<Matrix> {
        ops::softmax_backward(kept("softmax", &self.output)?, dprobs)
    }
}
