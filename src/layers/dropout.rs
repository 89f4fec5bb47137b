//! The dropout layer, which leaves out elements at random during training.

use super::kept;
use crate::error::{Error, Result};
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
    /// The shape of the last forward pass, and its number; no number if that was not in training.
    kept: Option<((usize, usize), Option<u64>)>,
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
            self.kept = Some((x.shape(), None));
            return Ok(x.clone());
        }
        let y = ops::dropout(x, self.rate, self.seed, self.passes)?;
        self.kept = Some((x.shape(), Some(self.passes)));
        self.passes += 1;
        Ok(y)
    }

    /// The backward pass: leaves out and scales those elements of dY that the last forward pass left out and scaled in X.
    ///
    /// # Errors
    /// [`Error::NoForward`] before a forward pass; [`Error::Shape`] unless dY has the shape of X.
    pub fn backward(&self, dy: &Matrix) -> Result<Matrix> {
        let (shape, pass) = kept("dropout", "backward", &self.kept)?;
        // An element's place decides whether it is left out, so another shape would lose other elements.
        if dy.shape() != *shape {
            let (left, right) = ((*shape).into(), dy.shape().into());
            return Err(Error::Shape { op: "dropout", rule: "both shapes must be equal", left, right });
        }
        match pass {
            Some(pass) => ops::dropout_backward(dy, self.rate, self.seed, *pass),
            None => Ok(dy.clone()),
        }
    }
}
