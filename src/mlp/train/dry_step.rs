//! Dry runs of training steps on a device that only counts the allocations and launches.

use super::step_options::StepOptions;
pub(crate) use super::step_shape::StepShape;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::mlp::Mlp;
use crate::ops::{CrossEntropy, Pending, bank};
use crate::optim::OptimizerState;
use crate::planned::planned_targets;
use crate::targets::Targets;

impl StepShape {
    /// Runs a step of this shape on a model on a dry device, and returns the number of kernels that it launches. The class
    /// weights of the options must be on that device.
    pub(crate) fn run(self, model: &mut Mlp, options: &StepOptions, state: &mut OptimizerState) -> Result<u64> {
        let StepShape { rows, weighted, distributed, checked, over_ranks: _ } = self;
        let (dry, classes) = (model.device().clone(), model.classes());
        let before = checked.then(|| (model.clone(), state.clone()));
        let launched = dry.counters().dispatches;
        let x = Matrix::planned(&dry, "features", rows, model.inputs())?;
        let y = planned_targets(&dry, rows, classes, distributed)?;
        let sample_weights = weighted.then(|| Matrix::planned(&dry, "row weights", rows, 1)).transpose()?;
        let options = StepOptions { loss: CrossEntropy { sample_weights, ..options.loss.clone() }, ..*options };
        let step = self.record(model, (&x, &y), &options, state)?;
        drop(options);
        let launched = dry.counters().dispatches - launched;
        let check = before.is_some().then(|| model.record_finite_check(state)).transpose()?;
        drop((before, x, step, check));
        Ok(launched)
    }

    /// Records a step of this shape. For a step over ranks, memory without content stands for the gradients that the ranks would
    /// have added up.
    pub(super) fn record(
        self,
        model: &mut Mlp,
        (x, y): (&Matrix, &Targets),
        options: &StepOptions,
        state: &mut OptimizerState,
    ) -> Result<Pending> {
        if !self.over_ranks {
            return model.record_step(x, y, options, state);
        }
        let share = model.record_share((x, &vec![0; self.rows]), y, options, state.steps(), &mut |_, _, _| Ok(()))?;
        share.whole(model.layers.len())?;
        let sums = bank::room(model.device(), "gradients", &model.parameter_shapes())?;
        model.record_update_by(sums, state)?;
        Ok(share.pending)
    }
}

/// A network of these widths on a dry device, without content.
pub(crate) fn planned_model(dry: &Device, widths: &[usize]) -> Result<Mlp> {
    let shapes: Vec<_> = widths.windows(2).flat_map(|pair| [(pair[0], pair[1]), (1, pair[1])]).collect();
    Mlp::from_matrices(dry, bank::room(dry, "parameters", &shapes)?)
}
