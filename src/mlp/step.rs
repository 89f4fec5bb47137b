//! One step of training.

use super::Mlp;
use crate::error::Result;
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::ops::{self, CrossEntropy, GradientRoom, InputGradient, Pending, Statistics};
use crate::optim::OptimizerState;
use crate::plan::DryStep;
use crate::targets::Targets;

/// What [`Mlp::train_step_with`] does beside the usual.
///
/// ```
/// use wgpu_mlp::StepOptions;
/// let options = StepOptions { dropout: 0.5, seed: 7, ..Default::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct StepOptions {
    /// The loss: weights, an ignored class, label smoothing, and how rows are reduced.
    pub loss: CrossEntropy,
    /// The share of the hidden layers' outputs that is left out, from 0 up to but not including 1.
    pub dropout: f32,
    /// Seed of what is left out; it differs from step to step and from layer to layer.
    pub seed: u64,
}

impl Mlp {
    /// The products (m, k, n) of a training step with batches of so many rows: what [`Device::tune`](crate::Device::tune)
    /// wants to know.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::auto()?, &[64, 128, 10], 0)?;
    /// let shapes = model.tuning_shapes(256);
    /// assert_eq!(shapes[..2], [[256, 64, 128], [64, 256, 128]]);
    /// model.device().tune(&shapes[..1])?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn tuning_shapes(&self, batch: usize) -> Vec<[usize; 3]> {
        let widths = self.layers.iter().map(Dense::widths).enumerate();
        let of_layer = |(index, (inputs, outputs)): (usize, (usize, usize))| {
            let back = [batch, outputs, inputs];
            let both = [[batch, inputs, outputs], [inputs, batch, outputs]];
            // Nobody asks for the gradient of the features.
            both.into_iter().chain((index > 0).then_some(back))
        };
        widths.flat_map(of_layer).collect()
    }

    /// One step of training on a batch that is on the model's device already: forward, mean cross-entropy, backward and the
    /// optimizer's update, in at most six launches for a model of two layers and up to 16 classes. Nothing here waits for the device;
    /// what comes back is read when it is wanted.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for features or targets that do not fit,
    /// [`Error::OtherDevice`](crate::Error::OtherDevice) for those of another device.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Targets};
    /// let device = Device::cpu();
    /// let mut model = Mlp::new(&device, &[4, 16, 3], 0)?;
    /// let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// let x = Matrix::from_slice(&device, 2, 4, &[1.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.5, 0.0])?;
    /// let y = Targets::classes(&device, &[0u8, 2], 3)?;
    /// let first = model.train_step(&x, &y, &mut optimizer)?;
    /// let second = model.train_step(&x, &y, &mut optimizer)?;
    /// assert!(second.read()?.mean_loss() < first.read()?.mean_loss());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn train_step(&mut self, x: &Matrix, targets: &Targets, state: &mut OptimizerState) -> Result<Pending> {
        self.train_step_with(x, targets, &StepOptions::default(), state)
    }

    /// [`Mlp::train_step`] with options.
    ///
    /// # Errors
    /// As [`Mlp::train_step`], and those of [`ops::softmax_cross_entropy`] and [`ops::dropout`] for the options.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, StepOptions, Targets};
    /// let device = Device::cpu();
    /// let mut model = Mlp::new(&device, &[4, 16, 3], 0)?;
    /// let mut optimizer = OptimizerState::new(Optimizer::adam(1e-3));
    /// let (x, y) = (Matrix::zeros(&device, 2, 4)?, Targets::classes(&device, &[0u8, 2], 3)?);
    /// let step = model.train_step_with(&x, &y, &StepOptions { dropout: 0.5, ..Default::default() }, &mut optimizer)?;
    /// assert_eq!(step.read()?.rows, 2);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn train_step_with(
        &mut self,
        x: &Matrix,
        targets: &Targets,
        options: &StepOptions,
        state: &mut OptimizerState,
    ) -> Result<Pending> {
        let (weighted, distributed) = (options.loss.sample_weights.is_some(), targets.are_distributions());
        self.prepare(DryStep { rows: x.rows(), weighted, distributed, looked_at: false }, options, state);
        self.record_step(x, targets, options, state)
    }

    /// [`Mlp::train_step_with`], which compiles each kernel when it comes to it.
    pub(crate) fn record_step(
        &mut self,
        x: &Matrix,
        targets: &Targets,
        options: &StepOptions,
        state: &mut OptimizerState,
    ) -> Result<Pending> {
        let Some((last, hidden)) = self.layers.split_last() else { return Ok(Pending::ready(Statistics::default())) };
        let StepOptions { loss, dropout, seed } = options;
        // Each layer of each step leaves out others.
        let counter = |index: usize| state.steps().wrapping_mul(self.layers.len() as u64).wrapping_add(index as u64);
        let mut inputs = vec![x.clone()];
        for (index, layer) in hidden.iter().enumerate() {
            let outputs = layer.infer(&inputs[index])?;
            let left = if *dropout > 0.0 { ops::dropout(&outputs, *dropout, *seed, counter(index))? } else { outputs };
            inputs.push(left);
        }
        let head = ops::linear_cross_entropy(&inputs[hidden.len()], last.weights(), last.biases(), targets, loss)?;
        let shapes: Vec<_> = self.layers.iter().map(Dense::widths).collect();
        let rooms = GradientRoom::of_all(&self.device, x.rows(), &shapes)?;
        let mut gradients = Vec::with_capacity(2 * rooms.len());
        let mut dy = head.dlogits().clone();
        for (index, (layer, room)) in self.layers.iter().zip(&rooms).enumerate().rev() {
            // Popped, so that its memory serves the next.
            let Some(input) = inputs.pop() else { break };
            let [weights, biases] = if index == 0 {
                room.parameters(&input, &dy)?
            } else {
                let (of_parameters, dx) = room.all(&input, &dy, InputGradient::ThroughRelu(layer.weights()))?;
                dy = if *dropout > 0.0 { ops::dropout_backward(&dx, *dropout, *seed, counter(index - 1))? } else { dx };
                of_parameters
            };
            gradients.extend([biases, weights]);
        }
        gradients.reverse();
        state.step_all(self.layers.iter_mut().flat_map(Dense::all_parameters_mut).collect(), &gradients)?;
        Ok(head.into_pending())
    }
}
