//! Optimizers: what is done with a gradient. Their state lives on the device.

use crate::error::{Error, Result};
use crate::matrix::{Joined, Matrix};
use crate::ops::{self, AdamOptions, Gradients};

/// How parameters follow their gradients.
///
/// ```
/// use wgpu_mlp::Optimizer;
/// let optimizer = Optimizer::adam(1e-3);
/// let plain = Optimizer::sgd(0.1);
/// assert_ne!(optimizer, plain);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Optimizer {
    /// w -= learning_rate · dw: [`ops::sgd`].
    Sgd {
        /// Step size.
        learning_rate: f64,
    },
    /// [`ops::adam`].
    Adam(AdamOptions),
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::Adam(AdamOptions::default())
    }
}

impl Optimizer {
    /// Plain gradient descent.
    ///
    /// ```
    /// assert_eq!(wgpu_mlp::Optimizer::sgd(0.5), wgpu_mlp::Optimizer::Sgd { learning_rate: 0.5 });
    /// ```
    pub fn sgd(learning_rate: f64) -> Self {
        Optimizer::Sgd { learning_rate }
    }

    /// Adam with its usual decays.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, ops::AdamOptions};
    /// assert_eq!(Optimizer::adam(1e-3), Optimizer::Adam(AdamOptions::default()));
    /// ```
    pub fn adam(learning_rate: f64) -> Self {
        Optimizer::Adam(AdamOptions { learning_rate, ..Default::default() })
    }
}

/// An optimizer at work: its step count and, for Adam, two moments a parameter, on the parameters' device.
///
/// ```
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
/// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState, layers::Dense};
/// let device = Device::cpu();
/// let mut layers = [Dense::new(&device, 3, 2, &mut ChaCha12Rng::seed_from_u64(0))?];
/// let mut optimizer = OptimizerState::new(Optimizer::adam(1e-3));
/// let y = layers[0].forward(&Matrix::zeros(&device, 5, 3)?)?;
/// layers[0].backward(&y)?;
/// optimizer.step(layers.iter_mut().flat_map(|layer| layer.parameters_mut()))?;
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OptimizerState {
    optimizer: Optimizer,
    step: u64,
    moments: Vec<(Matrix, Matrix)>,
}

impl OptimizerState {
    /// Before the first step.
    ///
    /// ```
    /// use wgpu_mlp::{Optimizer, OptimizerState};
    /// let optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// ```
    pub fn new(optimizer: Optimizer) -> Self {
        OptimizerState { optimizer, step: 0, moments: Vec::new() }
    }

    /// One update of all parameters of a model: in one launch where they lie side by side, and their gradients too.
    pub(crate) fn step_joined(&mut self, mut parameters: Vec<&mut Matrix>, gradients: &Gradients) -> Result<()> {
        let device = parameters.first().map(|first| first.device().clone());
        if let (Some(device), Some(joined)) = (&device, Joined::of(&parameters)) {
            let done = match &self.optimizer {
                Optimizer::Sgd { learning_rate } => ops::sgd_joined(&joined, gradients, *learning_rate)?,
                Optimizer::Adam(options) => {
                    if self.moments.is_empty() {
                        let zeros = || Matrix::zeros(device, 1, joined.count());
                        self.moments.push((zeros()?, zeros()?));
                    }
                    let (m, v) = &mut self.moments[0];
                    if m.shape() != (1, joined.count()) {
                        let rule = "an optimizer's state serves the parameters that it began with";
                        let (left, right) = (m.shape().into(), (1, joined.count()).into());
                        return Err(Error::Shape { op: "adam", rule, left, right });
                    }
                    ops::adam_joined(&joined, gradients, m, v, options, self.step + 1)?
                }
            };
            if done {
                self.step += 1;
                return Ok(());
            }
        }
        let mut apart = Vec::with_capacity(parameters.len());
        for layer in 0..parameters.len() / 2 {
            if let Some(device) = &device {
                let (dweights, dbiases) = gradients.of_pair(device, layer)?;
                apart.extend([dweights, dbiases]);
            }
        }
        self.step(parameters.iter_mut().map(|parameter| &mut **parameter).zip(&apart))
    }

    /// One update of all parameters, each with its gradient; they come in the same order every time.
    ///
    /// # Errors
    /// As [`ops::sgd`] and [`ops::adam`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState};
    /// let device = Device::cpu();
    /// let mut w = Matrix::from_slice(&device, 1, 1, &[1.0])?;
    /// let dw = Matrix::from_slice(&device, 1, 1, &[2.0])?;
    /// OptimizerState::new(Optimizer::sgd(0.25)).step([(&mut w, &dw)].into_iter())?;
    /// assert_eq!(w.to_array()?[[0, 0]], 0.5);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn step<'a>(&mut self, parameters: impl Iterator<Item = (&'a mut Matrix, &'a Matrix)>) -> Result<()> {
        self.step += 1;
        for (index, (parameter, gradient)) in parameters.enumerate() {
            match &self.optimizer {
                Optimizer::Sgd { learning_rate } => ops::sgd(parameter, gradient, *learning_rate)?,
                Optimizer::Adam(options) => {
                    if self.moments.len() == index {
                        let (rows, cols) = parameter.shape();
                        let zeros = || Matrix::zeros(parameter.device(), rows, cols);
                        self.moments.push((zeros()?, zeros()?));
                    }
                    let (m, v) = &mut self.moments[index];
                    ops::adam(parameter, gradient, m, v, options, self.step)?;
                }
            }
        }
        Ok(())
    }
}
