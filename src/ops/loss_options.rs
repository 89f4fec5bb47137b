//! The options of a loss: weights, smoothing, an ignored class and the reduction, for softmax_cross_entropy and nll.

use super::operands::{On, fits, on};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::kernels::{LossInputs, TargetBuffer};
use crate::matrix::Matrix;
use crate::targets::Targets;

/// The reduction of the rows' losses to one number, whose gradient the loss computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reduction {
    /// No reduction: the gradient of each row's loss with respect to that row.
    None,
    /// The mean: the sum of the losses divided by the sum of the rows' weights.
    #[default]
    Mean,
    /// The sum.
    Sum,
}

/// The options of a cross-entropy: those of PyTorch's `CrossEntropyLoss`, with its definitions, and a weight for each row.
///
/// Rows whose label is -100 do not count, whatever the options are: see [`Targets::classes`].
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops::CrossEntropy};
/// let weights = Matrix::from_slice(&Device::cpu(), 1, 3, &[1.0, 2.0, 0.5])?;
/// let options = CrossEntropy { class_weights: Some(weights), label_smoothing: 0.1, ..Default::default() };
/// # let _ = options;
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrossEntropy {
    /// A weight for each class, `1 x classes` on the logits' device; without it every weight is 1.
    pub class_weights: Option<Matrix>,
    /// A weight for each row, `rows x 1` on the logits' device, by which the row's loss is multiplied; without it every weight
    /// is 1.
    pub sample_weights: Option<Matrix>,
    /// The class whose rows give no loss and no gradient and are not counted. For class ids only.
    pub ignore_index: Option<u32>,
    /// The label smoothing: the share of each target, from 0 to 1, that is spread evenly over all classes.
    pub label_smoothing: f32,
    /// The reduction of the rows' losses.
    pub reduction: Reduction,
}

impl CrossEntropy {
    /// Refuses options that do not fit these targets.
    pub(super) fn check(&self, op: &'static str, x: &Matrix, targets: &Targets) -> Result<()> {
        if let Some(weights) = &self.class_weights {
            let rule = "the class weights must be one row with a value for each class";
            fits(op, rule, x, weights, weights.shape() == (1, x.cols()))?;
        }
        if let Some(weights) = &self.sample_weights {
            let rule = "the sample weights must be one column with a value for each row";
            fits(op, rule, x, weights, weights.shape() == (x.rows(), 1))?;
        }
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            let value = self.label_smoothing.into();
            return Err(Error::Option { op, option: "label_smoothing", rule: "from 0 to 1", value });
        }
        match self.ignore_index {
            Some(_) if targets.are_distributions() => {
                Err(Error::Combination { op, rule: "ignore_index goes with class ids; the targets are distributions" })
            }
            Some(class) if class as usize >= x.cols() => {
                Err(Error::Option { op, option: "ignore_index", rule: "one of the classes", value: class.into() })
            }
            _ => Ok(()),
        }
    }

    /// Whether every row that counts has the weight 1, and the host knows the number of these rows.
    pub(super) fn is_plain(&self) -> bool {
        self.class_weights.is_none() && self.sample_weights.is_none() && self.ignore_index.is_none()
    }

    /// The options as the CPU path takes them; the weights live on the device of `x`.
    pub(super) fn on_cpu<'a>(&'a self, op: &'static str, x: &'a Matrix) -> Result<cpu::LossParams<'a, f32>> {
        let view = |weights: &'a Option<Matrix>| match weights {
            None => Ok(None),
            Some(weights) => match on(op, [x, weights])? {
                On::Cpu([_, weights]) => Ok(Some(weights)),
                On::Gpu(..) => Ok(None),
            },
        };
        Ok(cpu::LossParams {
            weights: view(&self.class_weights)?.map(|weights| weights.index_axis_move(ndarray::Axis(0), 0)),
            samples: view(&self.sample_weights)?.map(|weights| weights.index_axis_move(ndarray::Axis(1), 0)),
            ignored: self.ignore_index,
            smoothing: self.label_smoothing,
            mean: self.reduction == Reduction::Mean,
        })
    }

    /// The options as the kernels take them; the weights live on the device of `x`.
    pub(super) fn on_gpu<'a>(
        &'a self,
        op: &'static str,
        x: &'a Matrix,
        targets: &Targets,
        y: TargetBuffer<'a>,
    ) -> Result<LossInputs<'a>> {
        let buffer = |weights: &'a Option<Matrix>| match weights {
            None => Ok(None),
            Some(weights) => match on(op, [x, weights])? {
                On::Gpu(_, [_, weights]) => Ok(Some(weights)),
                On::Cpu(_) => Ok(None),
            },
        };
        Ok(LossInputs {
            rows: targets.rows(),
            classes: targets.class_count(),
            targets: y,
            class_weights: buffer(&self.class_weights)?,
            sample_weights: buffer(&self.sample_weights)?,
            ignored_class: self.ignore_index,
            mark: (targets.ignored_rows() > 0).then_some(Targets::MARK),
            marked_rows: targets.ignored_rows(),
            label_smoothing: self.label_smoothing,
            mean: self.reduction == Reduction::Mean,
        })
    }
}
