//! The softmax layer.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// The softmax layer: forward exp(x - m) / Σ exp(x - m) for each row with its maximum m, backward the product with the
/// row's Jacobian. This is the notebook's `Activation_Softmax`.
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
    /// A layer that has not made a forward pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// The forward pass, from logits to probabilities, which are kept for [`Softmax::backward`].
    ///
    /// # Errors
    /// As [`ops::softmax`].
    pub fn forward(&mut self, logits: &Matrix) -> Result<Matrix> {
        let probs = ops::softmax(logits)?;
        self.output = Some(probs.clone());
        Ok(probs)
    }

    /// The backward pass: p · (dp - Σ_j dp_j p_j), the product of dp with the Jacobian of each row.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; [`Error::Shape`](crate::Error::Shape)
    /// unless dp has the shape of p.
    pub fn backward(&self, dprobs: &Matrix) -> Result<Matrix> {
        ops::softmax_backward(kept("softmax", "backward", &self.output)?, dprobs)
    }
}
