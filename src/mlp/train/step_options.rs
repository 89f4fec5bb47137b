//! Options of a single training step.

use super::options::FitOptions;
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::host_memory::host_filled;
use crate::matrix::Matrix;
use crate::ops::CrossEntropy;

/// Options of a single training step: see [`Mlp::train_step_with`](crate::Mlp::train_step_with).
///
/// ```
/// use wgpu_mlp::StepOptions;
/// let options = StepOptions { dropout: 0.5, seed: 7, ..Default::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct StepOptions {
    /// The options of the loss: weights, an ignored class, label smoothing, and the reduction over rows.
    pub loss: CrossEntropy,
    /// The share of the hidden layers' outputs that a step leaves out, from 0 up to but not including 1. Features are never left
    /// out, so this has no effect on a model without hidden layers.
    pub dropout: f32,
    /// The seed of dropout; the outputs that are left out differ from step to step and from layer to layer. Steps are counted by the
    /// optimizer's state, so with a new state the same outputs are left out as in the first steps before.
    pub seed: u64,
}

impl FitOptions {
    /// The options of a planned step, for which the labels are not known yet. They have class weights if a training would have
    /// them.
    pub(crate) fn planned_step(&self, device: &Device, classes: usize) -> Result<StepOptions> {
        let one_of_each = host_filled("fit", (1, classes), 1)?;
        self.step_options(device, classes, self.class_weights.of(&one_of_each)?)
    }

    /// The options that all steps of the training share, with the class weights on the device.
    pub(super) fn step_options(
        &self,
        device: &Device,
        classes: usize,
        class_weights: Option<Vec<f32>>,
    ) -> Result<StepOptions> {
        if let Some(weights) = class_weights.as_ref().filter(|weights| weights.len() != classes) {
            let (left, right) = (Shape { rows: 1, cols: weights.len() }, Shape { rows: 1, cols: classes });
            return Err(Error::Shape { op: "fit", rule: "there must be a class weight for each class", left, right });
        }
        let matrix = |weights: Vec<f32>| Matrix::from_slice(device, 1, weights.len(), &weights);
        let loss = CrossEntropy {
            class_weights: class_weights.map(matrix).transpose()?,
            label_smoothing: self.label_smoothing,
            ..Default::default()
        };
        Ok(StepOptions { loss, dropout: self.dropout, seed: self.seed })
    }
}
