//! Preparation of training steps: compiles their kernels together before the first step needs them.

use super::dry_step::planned_model;
use super::step_options::StepOptions;
use super::step_shape::{PreparedStep, StepShape};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::mlp::Mlp;
use crate::ops::CrossEntropy;
use crate::optim::OptimizerState;

/// The number of steps of different shapes that a model prepares. More would not be worth their dry runs, for example if every
/// batch has another number of rows.
const MAX_PREPARED: usize = 8;

impl Mlp {
    /// Compiles the kernels of a step of this shape, unless that was done before. Errors are ignored here: the step itself meets
    /// them again and reports them.
    pub(super) fn prepare(&mut self, shape: StepShape, options: &StepOptions, state: &OptimizerState) {
        let loss = &options.loss;
        let prepared = PreparedStep {
            shape,
            optimizer: state.way(),
            dropout: options.dropout > 0.0,
            class_weights: loss.class_weights.is_some(),
            ignore_index: loss.ignore_index.is_some(),
            label_smoothing: loss.label_smoothing != 0.0,
            reduction: loss.reduction,
        };
        if self.prepared.len() == MAX_PREPARED || self.prepared.contains(&prepared) {
            return;
        }
        self.prepared.push(prepared);
        self.device.compile_ahead(|dry| self.step_dry(dry, shape, options, state));
    }

    /// Runs a step of this shape on a dry device, with a model of the same widths.
    fn step_dry(&self, dry: &Device, shape: StepShape, options: &StepOptions, state: &OptimizerState) -> Result<()> {
        let loss = &options.loss;
        let weights = |weights: &Matrix| Matrix::planned(dry, "class weights", weights.rows(), weights.cols());
        let class_weights = loss.class_weights.as_ref().map(weights).transpose()?;
        let loss = CrossEntropy { class_weights, sample_weights: None, ..loss.clone() };
        let options = StepOptions { loss, ..*options };
        shape.run(&mut planned_model(dry, &self.widths())?, &options, &mut state.emptied()).map(drop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::gpu::Preset;
    use crate::ops::Reduction;
    use crate::optim::Optimizer;
    use crate::targets::Targets;

    const ROWS: usize = 37;
    /// Network widths: the first two end in few classes, the last one in many; the loss has a kernel for each case.
    const WIDTHS: [&[usize]; 3] = [&[20, 10], &[20, 33, 16, 10], &[20, 33, 130]];
    /// Limits of bindings: one holds all of an operand, the other only some of its rows.
    const BINDINGS: [Option<u64>; 2] = [None, Some(2048)];

    fn plain() -> OptimizerState {
        OptimizerState::new(Optimizer::sgd(0.1))
    }

    fn clipped() -> OptimizerState {
        OptimizerState::new(Optimizer::adam(1e-3)).with_clip_norm(1.0)
    }

    /// Checks that a model's step and its dry run launch the same kernels in the same order and forms.
    fn compare(device: &Device, widths: &[usize], (step, options, state): &(StepShape, StepOptions, OptimizerState)) {
        let launched = |on: &Device| on.context().map(|gpu| gpu.take_entries()).unwrap();
        let (classes, mut model) = (widths[widths.len() - 1], Mlp::new(device, widths, 0).unwrap());
        let class_weights = options.loss.class_weights.as_ref().map(|_| Matrix::zeros(device, 1, classes).unwrap());
        let mut options = options.clone();
        options.loss.class_weights = class_weights;
        let dry = device.dry();
        model.step_dry(&dry, *step, &options, state).unwrap();
        let ahead = launched(&dry);
        let x = Matrix::zeros(device, step.rows, widths[0]).unwrap();
        let y = match step.distributed {
            true => Targets::distributions(device, Array2::zeros((step.rows, classes)).view()),
            false => Targets::classes(device, &vec![0_u8; step.rows], classes),
        };
        options.loss.sample_weights = step.weighted.then(|| Matrix::zeros(device, step.rows, 1).unwrap());
        launched(device);
        let (before, mut state) = (step.checked.then(|| (model.clone(), state.clone())), state.clone());
        step.record(&mut model, (&x, &y.unwrap()), &options, &mut state).unwrap();
        let _look = before.as_ref().map(|_| model.record_finite_check(&state).unwrap());
        let own = launched(device);
        let name = format!("{widths:?}: {step:?}, {options:?}, {:?}", state.optimizer());
        assert_eq!(ahead.launches, own.launches, "{name}");
        assert_eq!(ahead.variants, own.variants, "{name}");
    }

    #[test]
    fn dry_runs_launch_what_steps_launch() {
        let step = StepShape { rows: ROWS, weighted: false, distributed: false, checked: false, over_ranks: false };
        let over_ranks = StepShape { over_ranks: true, ..step };
        let with_loss = |change: fn(&mut CrossEntropy)| {
            let mut options = StepOptions::default();
            change(&mut options.loss);
            options
        };
        let no_weights = Matrix::zeros(&Device::cpu(), 1, 1).unwrap();
        let weighted = CrossEntropy { class_weights: Some(no_weights), ..Default::default() };
        let cases = [
            (step, StepOptions::default(), plain()),
            (step, StepOptions { dropout: 0.5, ..Default::default() }, plain()),
            (step, StepOptions::default(), clipped()),
            (step, StepOptions { dropout: 0.5, ..Default::default() }, clipped()),
            (StepShape { checked: true, ..step }, StepOptions::default(), clipped()),
            (StepShape { weighted: true, ..step }, StepOptions::default(), plain()),
            (StepShape { distributed: true, ..step }, StepOptions::default(), plain()),
            (step, StepOptions { loss: weighted, ..Default::default() }, plain()),
            (step, with_loss(|loss| loss.label_smoothing = 0.1), plain()),
            (step, with_loss(|loss| loss.ignore_index = Some(1)), plain()),
            (step, with_loss(|loss| loss.reduction = Reduction::Sum), plain()),
            (StepShape { rows: 1, ..step }, StepOptions::default(), plain()),
            (over_ranks, StepOptions { dropout: 0.5, ..Default::default() }, plain()),
            (StepShape { checked: true, weighted: true, ..over_ranks }, StepOptions::default(), clipped()),
        ];
        for preset in Preset::ALL {
            for bytes in BINDINGS {
                let device = Device::dry_as(preset);
                let device = device.with_options(|options| options.debug.max_binding_bytes = bytes).unwrap();
                for case in &cases {
                    WIDTHS.iter().for_each(|widths| compare(&device, widths, case));
                }
            }
        }
    }
}
