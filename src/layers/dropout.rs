//! The dropout layer, which leaves out elements at random during training.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// The dropout layer: sets each element to 0 with probability `rate` and divides the others by 1 - rate. Each forward
/// pass draws anew. Outside of training the layer changes nothing.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, layers::Dropout};
/// let x = Matrix::from_slice(&Device::cpu(), 1, 4, &[1.0; 4])?;
/// let mut dropout = Dropout::new(0.5, 7);
/// let y = dropout.forward(&x, true)?;
/// assert_eq!(dropout.backward(&x)?.to_array()?, y.to_array()?);
/// assert_eq!(dropout.forward(&x, false)?.to_array()?, x.to_array()?);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dropout {
    rate: f32,
    seed: u64,
    passes: u64,
    /// The number of the last forward pass; `Some(None)` if that was not in training.
    kept: Option<Option<u64>>,
}

impl Dropout {
    /// A layer with this rate. The seed determines which elements are left out.
    pub fn new(rate: f32, seed: u64) -> Self {
        Dropout { rate, seed, passes: 0, kept: None }
    }

    /// The forward pass: [`ops::dropout`] in training, else X itself.
    ///
    /// # Errors
    /// As [`ops::dropout`].
    pub fn forward(&mut self, x: &Matrix, training: bool) -> Result<Matrix> {
        if !training {
            self.kept = Some(None);
            return Ok(x.clone());
        }
        let y = ops::dropout(x, self.rate, self.seed, self.passes)?;
        self.kept = Some(Some(self.passes));
        self.passes += 1;
        Ok(y)
    }

    /// The backward pass: leaves out and scales the elements of dY as the last forward pass did those of X.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass.
    pub fn backward(&self, dy: &Matrix) -> Result<Matrix> {
        match kept("dropout", &self.kept)? {
            Some(pass) => ops::dropout_backward(dy, self.rate, self.seed, *pass),
            None => Ok(dy.clone()),
        }
    }
}
