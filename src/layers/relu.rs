//! The ReLU layer.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// The ReLU layer: forward max(X, 0), backward dY · 1\[X > 0\]. This is the notebook's `Activation_ReLU`.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, layers::ReLU};
/// let x = Matrix::from_slice(&Device::cpu(), 1, 3, &[-1.0, 0.0, 2.0])?;
/// let mut relu = ReLU::new();
/// assert_eq!(relu.forward(&x)?.to_array()?.sum(), 2.0);
/// assert_eq!(relu.backward(&x)?.to_array()?.sum(), 2.0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReLU {
    input: Option<Matrix>,
}

impl ReLU {
    /// A layer that has not made a forward pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// The forward pass, max(X, 0). Keeps X for [`ReLU::backward`].
    ///
    /// # Errors
    /// As [`ops::relu`].
    pub fn forward(&mut self, x: &Matrix) -> Result<Matrix> {
        let y = ops::relu(x)?;
        self.input = Some(x.clone());
        Ok(y)
    }

    /// The backward pass: dY where X > 0, else 0.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; [`Error::Shape`](crate::Error::Shape)
    /// unless dY has the shape of X.
    pub fn backward(&self, dy: &Matrix) -> Result<Matrix> {
        ops::relu_backward(kept("relu", "backward", &self.input)?, dy)
    }
}
