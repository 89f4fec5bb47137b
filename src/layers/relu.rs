//! ReLU: max(X, 0).

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// max(X, 0); backward dY · 1\[X > 0\]. The notebook's `Activation_ReLU`.
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
    /// A layer that has seen nothing yet.
    ///
    /// ```
    /// let relu = wgpu_mlp::layers::ReLU::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// max(X, 0), keeping X.
    ///
    /// # Errors
    /// As [`ops::relu`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, layers::ReLU};
    /// let y = ReLU::new().forward(&Matrix::from_slice(&Device::cpu(), 1, 2, &[-1.0, 1.0])?)?;
    /// assert_eq!(y.to_array()?.row(0).to_vec(), [0.0, 1.0]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn forward(&mut self, x: &Matrix) -> Result<Matrix> {
        let y = ops::relu(x)?;
        self.input = Some(x.clone());
        Ok(y)
    }

    /// dY where X > 0, else 0.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; [`Error::Shape`](crate::Error::Shape)
    /// unless dY has the shape of X.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, layers::ReLU};
    /// let dy = Matrix::zeros(&Device::cpu(), 1, 2)?;
    /// assert_eq!(ReLU::new().backward(&dy).unwrap_err().to_string(), "relu: backward needs a forward pass first");
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn backward(&self, dy: &Matrix) -> Result<Matrix> {
        ops::relu_backward(kept("relu", &self.input)?, dy)
    }
}
