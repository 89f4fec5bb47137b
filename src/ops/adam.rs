//! adam: gradient descent with moments, in place.

use ndarray::Array2;

use super::update::{self, Rule, update};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::Kernel;
use crate::gpu::kernels::update::{ADAM, Hyperparameters};
use crate::matrix::Matrix;
use crate::options::AdamOptions;

/// One step of Adam (Kingma and Ba, [2015](https://arxiv.org/abs/1412.6980), algorithm 1), in place:
/// m = β₁ m + (1 - β₁) dw, v = β₂ v + (1 - β₂) dw², w -= η m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ).
/// With a weight decay λ the rule is AdamW (Loshchilov and Hutter, [2019](https://arxiv.org/abs/1711.05101)): w *= 1 - ηλ comes
/// first.
///
/// `m` and `v` begin as zeros of w's shape; `step` is t, counted from 1. With u = 2⁻²³, the error of m is at most
/// 4u (|β₁ m| + |(1 - β₁) dw|), and that of v at most 6u v. The error of w is at most 2u |(1 - ηλ) w| (half of it without decay),
/// and 16u of the update, and the change of the update that follows from the error of m. These are the errors of one step. β₁ and
/// β₂ are rounded to f32: [`AdamOptions`] says how that matters. Squares below 2⁻¹²⁶ may count as 0: see [`AdamOptions::epsilon`].
///
/// # Errors
/// [`Error::Shape`] unless all have one shape; [`Error::Option`] for a constant outside its range or step 0.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let mut w = Matrix::from_slice(&device, 1, 1, &[1.0])?;
/// let dw = Matrix::from_slice(&device, 1, 1, &[3.0])?;
/// let (mut m, mut v) = (Matrix::zeros(&device, 1, 1)?, Matrix::zeros(&device, 1, 1)?);
/// ops::adam(&mut w, &dw, &mut m, &mut v, &Default::default(), 1)?;
/// assert!((w.to_array()?[[0, 0]] - 0.999).abs() < 1e-6); // the first step has the length of the learning rate
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn adam(
    w: &mut Matrix,
    dw: &Matrix,
    m: &mut Matrix,
    v: &mut Matrix,
    options: &AdamOptions,
    step: u64,
) -> Result<()> {
    update(&Adam { options: *options, step }, w, dw, &mut [m, v], &Default::default(), None)
}

/// The update rule of [`adam`].
pub(crate) struct Adam {
    pub options: AdamOptions,
    pub step: u64,
}

impl Rule for Adam {
    fn check(&self) -> Result<()> {
        let (op, options) = (self.name(), &self.options);
        update::check_size(op, "learning_rate", options.learning_rate)?;
        update::check_decay(op, "beta1", options.beta1)?;
        update::check_decay(op, "beta2", options.beta2)?;
        update::check_positive(op, "epsilon", options.epsilon)?;
        update::check_size(op, "weight_decay", options.weight_decay)?;
        if self.step == 0 {
            return Err(Error::Option { op, option: "step", rule: "at least 1", value: 0.0 });
        }
        Ok(())
    }

    fn kernel(&self) -> &'static Kernel {
        &ADAM
    }

    fn hyperparameters(&self) -> Hyperparameters {
        // In f64: 1 - β loses digits in f32.
        let AdamOptions { learning_rate, beta1, beta2, epsilon, weight_decay } = self.options;
        let unbias = |beta: f64| (1.0 / (1.0 - beta.powf(self.step as f64))) as f32;
        Hyperparameters {
            decay1: beta1 as f32,
            decay2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            unbias1: unbias(beta1),
            unbias2: unbias(beta2),
            epsilon: epsilon as f32,
            keep: (1.0 - learning_rate * weight_decay) as f32,
            ..Hyperparameters::new(learning_rate)
        }
    }

    fn step_on_cpu(&self, w: &mut Array2<f32>, dw: cpu::Gradient<'_, f32>, slots: &mut [&mut Array2<f32>]) {
        if let [m, v] = slots {
            let moments = cpu::Moments { w: w.view_mut(), m: m.view_mut(), v: v.view_mut() };
            cpu::adam(moments, dw, &self.options, self.step);
        }
    }
}
