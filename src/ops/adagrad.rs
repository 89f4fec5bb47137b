//! adagrad: gradient descent with steps that shrink where gradients were large, in place.

use ndarray::Array2;

use super::update::{self, Rule, update};
use crate::cpu;
use crate::error::Result;
use crate::gpu::Kernel;
use crate::gpu::kernels::update::{ADAGRAD, Hyperparameters};
use crate::matrix::Matrix;
use crate::options::AdaGradOptions;

/// One step of AdaGrad (Duchi et al., [2011](https://jmlr.org/papers/v12/duchi11a.html)), in place:
/// squares += dw², w -= η dw / (√squares + ε).
///
/// `squares` begins as zeros of w's shape. Its error is at most 2u squares. The error of w is at most u |w| and 12u of the step,
/// with u = 2⁻²³. Squares below 2⁻¹²⁶ may count as 0: [`AdaGradOptions::epsilon`] says how that changes a step.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless all have one shape; [`Error::Option`](crate::Error::Option) for a constant
/// outside its range.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops, ops::AdaGradOptions};
/// let device = Device::cpu();
/// let (mut w, mut squares) = (Matrix::zeros(&device, 1, 1)?, Matrix::zeros(&device, 1, 1)?);
/// let dw = Matrix::from_slice(&device, 1, 1, &[-5.0])?;
/// ops::adagrad(&mut w, &dw, &mut squares, &AdaGradOptions { learning_rate: 0.5, ..Default::default() })?;
/// assert!((w.to_array()?[[0, 0]] - 0.5).abs() < 1e-6); // the first step has the length of the learning rate
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn adagrad(w: &mut Matrix, dw: &Matrix, squares: &mut Matrix, options: &AdaGradOptions) -> Result<()> {
    update(options, w, dw, &mut [squares], &Default::default(), None)
}

impl Rule for AdaGradOptions {
    fn check(&self) -> Result<()> {
        update::check_size(self.name(), "learning_rate", self.learning_rate)?;
        update::check_positive(self.name(), "epsilon", self.epsilon)
    }

    fn kernel(&self) -> &'static Kernel {
        &ADAGRAD
    }

    fn hyperparameters(&self) -> Hyperparameters {
        Hyperparameters { epsilon: self.epsilon as f32, ..Hyperparameters::new(self.learning_rate) }
    }

    fn step_on_cpu(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, slots: &mut [&mut Array2<f32>]) {
        if let [squares] = slots {
            cpu::adagrad(w.view_mut(), dw, squares.view_mut(), self);
        }
    }
}
