//! Dropout: some elements left out at random while training.

use super::kept;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// Leaves out each element with probability `rate` and divides the others by 1 - rate; others each time. Not when training is
/// over: then it changes nothing.
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
    /// The last pass's number; none of it where nothing was left out.
    kept: Option<Option<u64>>,
}

impl Dropout {
    /// With this rate, and choices that follow from the seed.
    ///
    /// ```
    /// let dropout = wgpu_mlp::layers::Dropout::new(0.1, 0);
    /// ```
    pub fn new(rate: f32, seed: u64) -> Self {
        Dropout { rate, seed, passes: 0, kept: None }
    }

    /// [`ops::dropout`] while training, else X itself.
    ///
    /// # Errors
    /// As [`ops::dropout`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, layers::Dropout};
    /// let x = Matrix::zeros(&Device::cpu(), 1, 4)?;
    /// assert!(Dropout::new(1.0, 0).forward(&x, true).is_err());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
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

    /// dY with the same elements left out and scaled as in the last forward pass.
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, layers::Dropout};
    /// assert!(Dropout::new(0.5, 0).backward(&Matrix::zeros(&Device::cpu(), 1, 4)?).is_err());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn backward(&self, dy: &Matrix) -> Result<Matrix> {
        match kept("dropout", &self.kept)? {
            Some(pass) => ops::dropout_backward(dy, self.rate, self.seed, *pass),
            None => Ok(dy.clone()),
        }
    }
}
