//! Shape of a training step: what decides which kernels it launches.

use std::mem::Discriminant;

use crate::ops::Reduction;
use crate::optim::Optimizer;

/// The shape of a training step on a given model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepShape {
    pub rows: usize,
    /// Whether each row has a weight.
    pub weighted: bool,
    /// Whether the targets are distributions.
    pub distributed: bool,
    /// Whether the step is followed by a check that all values are finite, with a copy of the state before it.
    pub checked: bool,
    /// Whether the rows are a share of a batch, whose gradients several ranks add up before they update.
    pub over_ranks: bool,
}

/// A step whose kernels were compiled: its shape and all options that choose between kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::mlp) struct PreparedStep {
    pub shape: StepShape,
    pub optimizer: (Discriminant<Optimizer>, bool),
    pub dropout: bool,
    pub class_weights: bool,
    pub ignore_index: bool,
    pub label_smoothing: bool,
    pub reduction: Reduction,
}
