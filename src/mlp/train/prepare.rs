//! Preparation of training steps: their kernels are compiled together, before the first step needs them.

use super::dry_step::planned_model;
use super::step_options::StepOptions;
use super::step_shape::{PreparedStep, StepShape};
use crate::matrix::Matrix;
use crate::mlp::Mlp;
use crate::ops::CrossEntropy;
use crate::optim::OptimizerState;

/// The number of steps of different shapes that a model prepares. More are not worth their dry runs, as when every
/// batch has another number of rows.
const MAX_PREPARED: usize = 8;

impl Mlp {
    /// Compiles the kernels of a step of this shape, unless that was done before. Errors are left to the step itself,
    /// which meets them again.
    pub(super) fn prepare(&mut self, shape: StepShape, options: &StepOptions, state: &OptimizerState) {
        let loss = &options.loss;
        let prepared = PreparedStep {
            shape,
            optimizer: state.way(),
            dropout: options.dropout > 0.0,
            class_weights: loss.class_weights.is_some(),
            ignore_class: loss.ignore_class.is_some(),
            label_smoothing: loss.label_smoothing != 0.0,
            reduction: loss.reduction,
        };
        if self.prepared.len() == MAX_PREPARED || self.prepared.contains(&prepared) {
            return;
        }
        self.prepared.push(prepared);
        self.device.compile_ahead(|dry| {
            let weights = |weights: &Matrix| Matrix::planned(dry, "class weights", weights.rows(), weights.cols());
            let class_weights = loss.class_weights.as_ref().map(weights).transpose()?;
            let loss = CrossEntropy { class_weights, sample_weights: None, ..loss.clone() };
            let options = StepOptions { loss, ..*options };
            shape.run(&mut planned_model(dry, &self.widths())?, &options, &mut state.emptied()).map(drop)
        });
    }
}
