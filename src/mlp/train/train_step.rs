//! Single training steps, for programs with their own training loop.

use super::step_options::StepOptions;
use super::step_shape::StepShape;
use crate::error::Result;
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::mlp::Mlp;
#[cfg(doc)]
use crate::ops;
use crate::ops::Pending;
use crate::optim::OptimizerState;
use crate::targets::Targets;

impl Mlp {
    /// The shapes (m, k, n) of the products in a training step on a batch of this number of rows, for
    /// [`Device::tune`](crate::Device::tune).
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
            // The first layer computes no gradient of its input.
            both.into_iter().chain((index > 0).then_some(back))
        };
        widths.flat_map(of_layer).collect()
    }

    /// Trains one step on a batch that is already on the model's device: forward pass, mean cross-entropy, backward pass and the
    /// optimizer's update.
    ///
    /// On a GPU this is six dispatches for two layers with up to 16 classes, without weights, an ignored class and clipping. The
    /// call does not wait; the returned value reads the step's statistics when they are wanted.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for features, targets or an optimizer's state that do not fit,
    /// [`Error::OtherDevice`](crate::Error::OtherDevice) if they are on another device,
    /// [`Error::Option`](crate::Error::Option) for a norm limit, a penalty or a number of the optimizer that is out of range.
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

    /// Trains one step as [`Mlp::train_step`] does, with options.
    ///
    /// # Errors
    /// As [`Mlp::train_step`]; for the options also the errors of [`ops::softmax_cross_entropy`] and [`ops::dropout`].
    pub fn train_step_with(
        &mut self,
        x: &Matrix,
        targets: &Targets,
        options: &StepOptions,
        state: &mut OptimizerState,
    ) -> Result<Pending> {
        let (weighted, distributed) = (options.loss.sample_weights.is_some(), targets.are_distributions());
        let shape = StepShape { rows: x.rows(), weighted, distributed, checked: false, over_ranks: false };
        self.prepare(shape, options, state);
        self.record_step(x, targets, options, state)
    }
}
