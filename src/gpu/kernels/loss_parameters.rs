//! Parameters and weights that the kernels of losses share, and the kernel of row weights. A mean is divided by the sum of these
//! weights.

use bytemuck::{Pod, Zeroable};

use super::column_sum;
use super::constants::flag;
use super::target_buffer::TargetBuffer;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Constant, Context, ElementLaunch, Form, Kernel, LinearGrid, Operand};

pub(super) static ROW_WEIGHTS: Kernel = Kernel {
    name: "row_weights",
    file: "rows/row_weights.wgsl",
    forms: Form::PLAIN,
    params: size_of::<RowWeightParams>(),
    buffers: &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Write],
    overrides: &["THREADS", "PER_THREAD", "DISTRIBUTIONS"],
    sizes: &[],
};

/// The parameters of a loss: `LossParameters` in `shaders/rows/masses.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct LossParameters {
    smoothing: f32,
    spread: f32,
    scale: f32,
    ignored: u32,
    marked: u32,
    weighted: u32,
    sampled: u32,
    divided: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct RowWeightParams {
    loss: LossParameters,
    count: u32,
    classes: u32,
}

/// Targets, weights and options of a loss over `rows x classes` logits or probabilities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LossInputs<'a> {
    pub rows: usize,
    pub classes: usize,
    pub targets: TargetBuffer<'a>,
    /// A weight for each class.
    pub class_weights: Option<&'a Buffer>,
    /// A weight for each row.
    pub sample_weights: Option<&'a Buffer>,
    /// The class whose rows do not count.
    pub ignored_class: Option<u32>,
    /// The class id that marks rows that do not count, if the host knows that there are some.
    pub mark: Option<u32>,
    /// The number of those rows.
    pub marked_rows: usize,
    pub label_smoothing: f32,
    /// Whether gradients are those of a mean.
    pub mean: bool,
}

impl LossInputs<'_> {
    /// The override `SPREAD`: whether classes other than the row's own have a mass.
    pub(super) fn spread(&self) -> Constant {
        ("SPREAD", flag(self.targets.are_distributions() || self.label_smoothing != 0.0))
    }

    /// The override `DISTRIBUTIONS`: whether targets are distributions.
    pub(super) fn distributions(&self) -> Constant {
        ("DISTRIBUTIONS", flag(self.targets.are_distributions()))
    }

    /// The parameters. `divided` says whether a buffer holds the divisor of a mean.
    pub(super) fn parameters(&self, divided: bool) -> LossParameters {
        let counted = self.rows - self.marked_rows;
        let scale = if !self.mean {
            1.0
        } else if counted == 0 {
            0.0
        } else {
            (1.0 / counted as f64) as f32
        };
        LossParameters {
            smoothing: self.label_smoothing,
            spread: (f64::from(self.label_smoothing) / self.classes as f64) as f32,
            scale,
            ignored: self.ignored_class.unwrap_or(u32::MAX),
            marked: self.mark.unwrap_or(0),
            weighted: u32::from(self.class_weights.is_some()),
            sampled: u32::from(self.sample_weights.is_some()),
            divided: u32::from(divided),
        }
    }

    /// Class weights, sample weights and divisor as operands; `stand_in` is bound in place of those that are missing.
    pub(super) fn operands<'b>(&'b self, divisor: Option<&'b Buffer>, stand_in: &Operand<'b>) -> [Operand<'b>; 3] {
        [
            self.class_weights.map_or(stand_in.clone(), |weights| Operand::Fixed(weights.into())),
            self.sample_weights.map_or(stand_in.clone(), |weights| Operand::PerRow(weights, 1)),
            divisor.map_or(stand_in.clone(), |divisor| Operand::Fixed(divisor.into())),
        ]
    }

    /// The divisor of a gradient, if the loss is a mean and the host does not know its divisor.
    pub(super) fn divisor(&self, gpu: &Context, op: &'static str) -> Result<Option<Buffer>> {
        let known = self.class_weights.is_none() && self.sample_weights.is_none() && self.ignored_class.is_none();
        if self.mean && !known { self.weight_sum(gpu, op) } else { Ok(None) }
    }

    /// The sum of the rows' weights, by which a mean is divided; none if it is the number of rows.
    pub(crate) fn weight_sum(&self, gpu: &Context, op: &'static str) -> Result<Option<Buffer>> {
        if self.targets.are_distributions() {
            let sum = |weights| column_sum::column_sum(gpu, op, weights, (self.rows, 1));
            return self.sample_weights.map(sum).transpose();
        }
        let row_weights = self.row_weights(gpu, op)?;
        column_sum::reduce(gpu, op, row_weights, self.rows, 1).map(Some)
    }

    /// The weight of each row with a class id: its own weight times the weight of its class, or 0 if the row does not count.
    fn row_weights(&self, gpu: &Context, op: &'static str) -> Result<Buffer> {
        gpu.split_whole_rows(op, 1, self.classes)?;
        let out = gpu.buffer(op, self.rows, 1)?;
        let [threads, per_thread] = LinearGrid::constants();
        let ids = Operand::Matrix(self.targets.buffer());
        let launch = ElementLaunch {
            kernel: &ROW_WEIGHTS,
            constants: &[threads, per_thread, ("DISTRIBUTIONS", 0.0)],
            operands: &[
                ids.clone(),
                self.class_weights.map_or(ids.clone(), |weights| Operand::Fixed(weights.into())),
                self.sample_weights.map_or(ids.clone(), Operand::Matrix),
                ids,
                Operand::Matrix(&out),
            ],
        };
        gpu.launch_elements(gpu.split_flat(self.rows as u64), &launch, |block, _| RowWeightParams {
            loss: self.parameters(false),
            count: block.words(),
            classes: self.classes as u32,
        })?;
        Ok(out)
    }
}
