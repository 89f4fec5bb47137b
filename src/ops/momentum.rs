//! momentum: gradient descent with a velocity, in place.

use ndarray::Array2;

use super::update::{self, Rule, update};
use crate::cpu;
use crate::error::Result;
use crate::gpu::Kernel;
use crate::gpu::kernels::update::{Hyperparameters, MOMENTUM};
use crate::matrix::Matrix;
use crate::options::MomentumOptions;

/// One step with momentum μ, in place, as in PyTorch's `SGD`: velocity = μ · velocity + dw, w -= η · velocity. With Nesterov's step
/// (Sutskever et al., [2013](https://proceedings.mlr.press/v28/sutskever13.html)) w -= η (dw + μ · velocity).
///
/// The velocity begins as zeros of w's shape. With u = 2⁻²³ its error is at most e = 2u (|μ velocity| + |dw|). The error of w is at
/// most u |w| + η (e + 2u |d|) for a step along d = velocity. With Nesterov's step, μ e + 2u (|dw| + |μ velocity|) takes the place
/// of e.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless all have one shape; [`Error::Option`](crate::Error::Option) for a constant
/// outside its range.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops, ops::MomentumOptions};
/// let device = Device::cpu();
/// let (mut w, mut velocity) = (Matrix::zeros(&device, 1, 1)?, Matrix::zeros(&device, 1, 1)?);
/// let dw = Matrix::from_slice(&device, 1, 1, &[-1.0])?;
/// let options = MomentumOptions { learning_rate: 1.0, momentum: 0.5, nesterov: false };
/// for _ in 0..3 {
///     ops::momentum(&mut w, &dw, &mut velocity, &options)?;
/// }
/// assert_eq!(w.to_array()?[[0, 0]], 1.0 + 1.5 + 1.75);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn momentum(w: &mut Matrix, dw: &Matrix, velocity: &mut Matrix, options: &MomentumOptions) -> Result<()> {
    update(options, w, dw, &mut [velocity], &Default::default(), None)
}

impl Rule for MomentumOptions {
    fn check(&self) -> Result<()> {
        update::check_size(self.name(), "learning_rate", self.learning_rate)?;
        update::check_decay(self.name(), "momentum", self.momentum)
    }

    fn kernel(&self) -> &'static Kernel {
        &MOMENTUM
    }

    fn hyperparameters(&self) -> Hyperparameters {
        let (decay1, nesterov) = (self.momentum as f32, self.nesterov.into());
        Hyperparameters { decay1, nesterov, ..Hyperparameters::new(self.learning_rate) }
    }

    fn step_on_cpu(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, slots: &mut [&mut Array2<f32>]) {
        if let [velocity] = slots {
            cpu::momentum(w.view_mut(), dw, velocity.view_mut(), self);
        }
    }
}
