//! sgd: plain gradient descent, in place.

use ndarray::Array2;

use super::update::{self, Rule, update};
use crate::cpu;
use crate::error::Result;
use crate::gpu::Kernel;
use crate::gpu::kernels::update::{Hyperparameters, SGD};
use crate::matrix::Matrix;

/// One step of gradient descent, in place: w -= learning_rate · dw. Error: at most u (|w| + 2 |learning_rate · dw|), u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless both have one shape; [`Error::Option`](crate::Error::Option) unless the
/// learning rate is at least 0 and finite.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let mut w = Matrix::from_slice(&device, 1, 2, &[1.0, 2.0])?;
/// let dw = Matrix::from_slice(&device, 1, 2, &[2.0, -2.0])?;
/// ops::sgd(&mut w, &dw, 0.5)?;
/// assert_eq!(w.to_array()?.row(0).to_vec(), [0.0, 3.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn sgd(w: &mut Matrix, dw: &Matrix, learning_rate: f64) -> Result<()> {
    update(&Sgd { learning_rate }, w, dw, &mut [], &Default::default(), None)
}

/// [`sgd`] as a rule.
pub(crate) struct Sgd {
    pub learning_rate: f64,
}

impl Rule for Sgd {
    fn check(&self) -> Result<()> {
        update::check_size(self.name(), "learning_rate", self.learning_rate)
    }

    fn kernel(&self) -> &'static Kernel {
        &SGD
    }

    fn hyperparameters(&self) -> Hyperparameters {
        Hyperparameters::new(self.learning_rate)
    }

    fn step_on_cpu(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, _: &mut [&mut Array2<f32>]) {
        cpu::sgd(w.view_mut(), dw, self.learning_rate as f32);
    }
}
