//! Recording of a training step: forward pass, loss, backward pass, update.

use super::{Mlp, StepOptions};
use crate::error::Result;
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::ops::{self, Gradients, Pending, Statistics};
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
        let mut gradients = Gradients::new(&self.device, x.rows(), &shapes)?;
        let mut dy = head.dlogits().clone();
        for (index, layer) in self.layers.iter().enumerate().rev() {
            // The input is popped so that its memory is reused by the next layer.
            let Some(input) = inputs.pop() else { break };
            if index == 0 {
                gradients.set(index, &input, &dy)?;
            } else {
                dy = gradients.set_and_go_back(index, &input, &dy, layer.weights())?;
                if *dropout > 0.0 {
                    dy = ops::dropout_backward(&dy, *dropout, *seed, counter(index - 1))?;
                }
            }
        }
        self.join_parameters()?;
        state.step_joined(self.layers.iter_mut().flat_map(Dense::all_parameters_mut).collect(), &gradients)?;
        Ok(head.into_pending())
    }
}
