//! Recording of a training step: forward pass, loss, backward pass, update.

use super::{Mlp, StepOptions};
use crate::error::Result;
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::ops::{self, GradientRoom, InputGradient, Pending, Statistics};
use crate::optim::OptimizerState;
use crate::targets::Targets;

impl Mlp {
    /// Records a training step as [`Mlp::train_step_with`] does. Each kernel that is not compiled yet is compiled when
    /// it is recorded.
    pub(crate) fn record_step(
        &mut self,
        x: &Matrix,
        targets: &Targets,
        options: &StepOptions,
        state: &mut OptimizerState,
    ) -> Result<Pending> {
        let Some((last, hidden)) = self.layers.split_last() else { return Ok(Pending::ready(Statistics::default())) };
        let StepOptions { loss, dropout, seed } = options;
        // Each layer in each step draws with a counter of its own.
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
            // The input is popped so that its memory is reused by the next layer.
            let Some(input) = inputs.pop() else { break };
            let [weights, biases] = if index == 0 {
                room.parameters(&input, &dy)?
            } else {
                let (of_parameters, dx) = room.all(&input, &dy, InputGradient::ThroughRelu(layer.weights()))?;
                dy = dx;
                if *dropout > 0.0 {
                    dy = ops::dropout_backward(&dy, *dropout, *seed, counter(index - 1))?;
                }
                of_parameters
            };
            gradients.extend([biases, weights]);
        }
        gradients.reverse();
        state.step_all(self.layers.iter_mut().flat_map(Dense::all_parameters_mut).collect(), &gradients)?;
        Ok(head.into_pending())
    }
}
