//! rmsprop: gradient descent with steps divided by the gradients' usual size, in place.

use ndarray::Array2;

use super::update::{self, Rule, update};
use crate::cpu;
use crate::error::Result;
use crate::gpu::Kernel;
use crate::gpu::kernels::update::{Hyperparameters, RMSPROP};
use crate::matrix::Matrix;
use crate::options::RmsPropOptions;

/// One step of RMSprop (Tieleman and Hinton, 2012) with decay α, in place, not centred:
/// squares = α squares + (1 - α) dw², w -= η dw / (√squares + ε).
///
/// `squares` begins as zeros of w's shape. Its error is at most 3u squares. The error of w is at most u |w| and 12u of the step,
/// with u = 2⁻²³. Squares below 2⁻¹²⁶ may count as 0: [`RmsPropOptions::epsilon`] says how that changes a step.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless all have one shape; [`Error::Option`](crate::Error::Option) for a constant
/// outside its range.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops, ops::RmsPropOptions};
/// let device = Device::cpu();
/// let (mut w, mut squares) = (Matrix::zeros(&device, 1, 1)?, Matrix::zeros(&device, 1, 1)?);
/// let dw = Matrix::from_slice(&device, 1, 1, &[-5.0])?;
/// ops::rmsprop(&mut w, &dw, &mut squares, &RmsPropOptions { learning_rate: 0.5, decay: 0.75, ..Default::default() })?;
/// assert!((w.to_array()?[[0, 0]] - 1.0).abs() < 1e-6); // 0.5 / √(1 - 0.75)
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn rmsprop(w: &mut Matrix, dw: &Matrix, squares: &mut Matrix, options: &RmsPropOptions) -> Result<()> {
    update(options, w, dw, &mut [squares], &Default::default(), None)
}

impl Rule for RmsPropOptions {
    fn check(&self) -> Result<()> {
        update::check_size(self.name(), "learning_rate", self.learning_rate)?;
        update::check_decay(self.name(), "decay", self.decay)?;
        update::check_positive(self.name(), "epsilon", self.epsilon)
    }

    fn kernel(&self) -> &'static Kernel {
        &RMSPROP
    }

    fn hyperparameters(&self) -> Hyperparameters {
        let (decay2, rest2) = (self.decay as f32, (1.0 - self.decay) as f32);
        Hyperparameters { decay2, rest2, epsilon: self.epsilon as f32, ..Hyperparameters::new(self.learning_rate) }
    }

    fn step_on_cpu(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, slots: &mut [&mut Array2<f32>]) {
        if let [squares] = slots {
            cpu::rmsprop(w.view_mut(), dw, squares.view_mut(), self);
        }
    }
}
