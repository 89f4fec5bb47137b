//! The kernels of a model's steps, compiled at the same time before the first of them.

use std::mem::Discriminant;

use super::Mlp;
use super::step::StepOptions;
use crate::matrix::Matrix;
use crate::ops::{CrossEntropy, Reduction};
use crate::optim::{Optimizer, OptimizerState};
use crate::plan::{DryStep, planned_model};

/// A model prepares no more kinds of steps than this, so that batches which all differ in their rows cost no dry run each.
const MOST_PREPARED: usize = 8;

/// What decides which kernels a step launches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prepared {
    step: DryStep,
    optimizer: (Discriminant<Optimizer>, bool),
    dropout: bool,
    class_weights: bool,
    ignore_class: bool,
    label_smoothing: bool,
    reduction: Reduction,
}

impl Mlp {
    /// Compiles the kernels of such a step, unless that was done before. An error is one of the step itself, which tells.
    pub(super) fn prepare(&mut self, step: DryStep, options: &StepOptions, state: &OptimizerState) {
        let loss = &options.loss;
        let prepared = Prepared {
            step,
            optimizer: state.way(),
            dropout: options.dropout > 0.0,
            class_weights: loss.class_weights.is_some(),
            ignore_class: loss.ignore_class.is_some(),
            label_smoothing: loss.label_smoothing != 0.0,
            reduction: loss.reduction,
        };
        if self.prepared.len() == MOST_PREPARED || self.prepared.contains(&prepared) {
            return;
        }
        self.prepared.push(prepared);
        self.device.compile_ahead(|dry| {
            let weights = |weights: &Matrix| Matrix::planned(dry, "class weights", weights.rows(), weights.cols());
            let class_weights = loss.class_weights.as_ref().map(weights).transpose()?;
            let loss = CrossEntropy { class_weights, sample_weights: None, ..loss.clone() };
            let options = StepOptions { loss, ..*options };
            step.run(&mut planned_model(dry, &self.widths())?, &options, &mut state.emptied()).map(drop)
        });
    }
}
