//! Recording of a training step: forward pass, loss, backward pass, update.

use super::{Mlp, StepOptions};
use crate::error::Result;
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::ops::bank::Gradient;
use crate::ops::{self, CrossEntropy, GradientRoom, InputGradient, Pending, Reduction};
use crate::optim::OptimizerState;
use crate::targets::Targets;

/// Called with the number of a layer, the memory of its gradients, and these, as soon as they are recorded.
pub(crate) type AfterLayer<'a> = dyn FnMut(usize, &GradientRoom, &[Gradient; 2]) -> Result<()> + 'a;

/// The gradients of a step with the memory that they lie in, layer by layer, and the step's statistics.
#[derive(Default)]
pub(crate) struct StepGradients {
    layers: Vec<(GradientRoom, [Gradient; 2])>,
    pub pending: Pending,
}

impl StepGradients {
    /// The gradients of all parameters, the weights and then the biases of each layer, in the form that updates take.
    fn in_banks(&self) -> Vec<Gradient> {
        self.layers.iter().flat_map(|(_, gradients)| gradients.iter().cloned()).collect()
    }

    /// The gradients of the first layers, up to this number of them, as whole matrices: the weights and then the biases of each.
    pub fn whole(&self, layers: usize) -> Result<Vec<Matrix>> {
        let mut whole = Vec::with_capacity(2 * layers);
        for (room, gradients) in self.layers.iter().take(layers) {
            whole.extend(<[_; 2]>::from(room.whole(gradients)?));
        }
        Ok(whole)
    }
}

impl Mlp {
    /// Records a training step as [`Mlp::train_step_with`] does, but does not compile kernels ahead: a kernel that is missing is
    /// compiled when it is recorded.
    pub(crate) fn record_step(
        &mut self,
        x: &Matrix,
        targets: &Targets,
        options: &StepOptions,
        state: &mut OptimizerState,
    ) -> Result<Pending> {
        let gradients = self.record_gradients((x, None), targets, options, state.steps(), &mut |_, _, _| Ok(()))?;
        self.record_update(&gradients.in_banks(), state)?;
        Ok(gradients.pending)
    }

    /// Records the gradients of this rank's share of a batch: of the sum of its rows' losses. `places` are the places of the rows
    /// in the batch. On the CPU path the gradients are computed when `after_layer` is called.
    pub(crate) fn record_share(
        &self,
        (x, places): (&Matrix, &[u64]),
        targets: &Targets,
        options: &StepOptions,
        step: u64,
        after_layer: &mut AfterLayer<'_>,
    ) -> Result<StepGradients> {
        let loss = CrossEntropy { reduction: Reduction::Sum, ..options.loss.clone() };
        self.record_gradients((x, Some(places)), targets, &StepOptions { loss, ..*options }, step, after_layer)
    }

    /// Records the update of all parameters by gradients that lie side by side in a bank, each of them in one piece.
    pub(crate) fn record_update_by(&mut self, gradients: Vec<Matrix>, state: &mut OptimizerState) -> Result<()> {
        let gradients: Vec<_> = gradients.into_iter().map(Gradient::whole_in_bank).collect();
        self.record_update(&gradients, state)
    }

    /// Records the update of all parameters by these gradients.
    fn record_update(&mut self, gradients: &[Gradient], state: &mut OptimizerState) -> Result<()> {
        state.step_all(self.layers.iter_mut().flat_map(Dense::all_parameters_mut).collect(), gradients)
    }

    /// Records the forward pass, the loss and the backward pass of this step. Rows that are only a part of a batch come with
    /// their places in the batch, by which dropout chooses the outputs that it leaves out.
    fn record_gradients(
        &self,
        (x, places): (&Matrix, Option<&[u64]>),
        targets: &Targets,
        options: &StepOptions,
        step: u64,
        after_layer: &mut AfterLayer<'_>,
    ) -> Result<StepGradients> {
        let Some((last, hidden)) = self.layers.split_last() else { return Ok(StepGradients::default()) };
        let StepOptions { loss, dropout, seed } = options;
        ops::check_rate("dropout", *dropout)?;
        // Each layer in each step has its own counter, so that each draws other random numbers.
        let counter = |index: usize| step.wrapping_mul(self.layers.len() as u64).wrapping_add(index as u64);
        // The backward pass uses the same counter, so it leaves out the same values as the forward pass.
        let dropped = |x: &Matrix, index: usize| match places {
            Some(places) => ops::dropout_rows(x, places, *dropout, *seed, counter(index)),
            None => ops::dropout(x, *dropout, *seed, counter(index)),
        };
        let mut inputs = vec![x.clone()];
        for (index, layer) in hidden.iter().enumerate() {
            let outputs = layer.infer(&inputs[index])?;
            inputs.push(if *dropout > 0.0 { dropped(&outputs, index)? } else { outputs });
        }
        let head = ops::linear_cross_entropy(&inputs[hidden.len()], last.weights(), last.biases(), targets, loss)?;
        let shapes: Vec<_> = self.layers.iter().map(Dense::widths).collect();
        let rooms = GradientRoom::of_all(&self.device, x.rows(), &shapes)?;
        let mut layers = Vec::with_capacity(rooms.len());
        let mut dy = head.dlogits().clone();
        for (index, (layer, room)) in self.layers.iter().zip(rooms).enumerate().rev() {
            // The input is removed from the list, so that the next layer can reuse its memory.
            let Some(input) = inputs.pop() else { break };
            let mut recorded = |gradients: &[Gradient; 2]| after_layer(index, &room, gradients);
            let gradients = if index == 0 {
                let of_parameters = room.parameters(&input, &dy)?;
                recorded(&of_parameters)?;
                of_parameters
            } else {
                let through = InputGradient::ThroughRelu(layer.weights());
                let (of_parameters, dx) = room.all(&input, &dy, through, recorded)?;
                dy = if *dropout > 0.0 { dropped(&dx, index - 1)? } else { dx };
                of_parameters
            };
            layers.push((room, gradients));
        }
        layers.reverse();
        Ok(StepGradients { layers, pending: head.into_pending() })
    }
}
