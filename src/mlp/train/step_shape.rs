//! The shape of a training step: the properties that decide which kernels it launches.

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
    /// Whether a check that all values are finite follows the step, and a copy of the state before the step is kept.
    pub checked: bool,
    /// Whether the rows are one rank's share of a batch. The ranks then add up their gradients before they update.
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
