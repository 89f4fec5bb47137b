//! What softmax_cross_entropy and nll take alike: options, weights, and what a mean divides by.

use bytemuck::{Pod, Zeroable};

use super::{On, column_sum, fits, flag, on};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{Access, Buffer, Constant, Context, ElementLaunch, Form, Kernel, LinearGrid, Operand, View};
use crate::matrix::Matrix;
use crate::targets::Targets;

pub(super) static ROW_WEIGHTS: Kernel = Kernel {
    name: "row_weights",
    file: "rows/targets.wgsl",
    forms: Form::PLAIN,
    params: size_of::<RowWeightParams>(),
    buffers: &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Write],
    overrides: &["THREADS", "PER_THREAD", "DISTRIBUTIONS"],
    sizes: &[],
};

/// `Contract` in `shaders/rows/targets.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Terms {
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
    terms: Terms,
    count: u32,
    first_col: u32,
    cols: u32,
    classes: u32,
}

/// How the rows' losses become the loss whose gradient is wanted.
///
/// ```
/// assert_eq!(wgpu_mlp::ops::Reduction::default(), wgpu_mlp::ops::Reduction::Mean);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reduction {
    /// Each row by itself: the gradient of every loss with respect to its own row.
    None,
    /// The sum divided by the sum of the rows' weights.
    #[default]
    Mean,
    /// The sum.
    Sum,
}

/// The options of PyTorch's `CrossEntropyLoss`, with its definitions, and a weight a row beside them.
///
/// Rows whose label is -100 count for nothing whatever the options are: see [`Targets::classes`].
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
    /// `1 x classes`, on the logits' device; 1 each where there is none.
    pub class_weights: Option<Matrix>,
    /// `rows x 1`, on the logits' device: each row's loss is multiplied by its own; 1 each where there is none.
    pub sample_weights: Option<Matrix>,
    /// Rows of this class give no loss and no gradient and are not counted. For class ids only.
    pub ignore_class: Option<u32>,
    /// The part of each target, from 0 to 1, that is spread evenly over all classes.
    pub label_smoothing: f32,
    /// Mean, sum, or none.
    pub reduction: Reduction,
}

impl CrossEntropy {
    /// Refuses options that do not go with these targets.
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
        match self.ignore_class {
            Some(_) if targets.are_distributions() => {
                Err(Error::Combination { op, rule: "ignore_class goes with class ids; the targets are distributions" })
            }
            Some(class) if class as usize >= x.cols() => {
                Err(Error::Option { op, option: "ignore_class", rule: "one of the classes", value: class.into() })
            }
            _ => Ok(()),
        }
    }

    /// Whether every row that counts weighs 1, and the host knows how many those are.
    pub(super) fn is_plain(&self) -> bool {
        self.class_weights.is_none() && self.sample_weights.is_none() && self.ignore_class.is_none()
    }

    /// `SPREAD` for the shader: whether a row's mass lies on more than its class.
    pub(super) fn spread(&self, targets: &Targets) -> Constant {
        ("SPREAD", flag(targets.are_distributions() || self.label_smoothing != 0.0))
    }

    /// The contract for the twin, whose weights live where x does.
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
            ignored: self.ignore_class,
            smoothing: self.label_smoothing,
            mean: self.reduction == Reduction::Mean,
        })
    }

    /// The contract for the kernels: with what a mean divides by where a gradient is wanted.
    pub(super) fn on_gpu<'a>(
        &'a self,
        op: &'static str,
        x: &'a Matrix,
        targets: &Targets,
        y: &'a Buffer,
        gradient: bool,
    ) -> Result<OnGpu<'a>> {
        let buffer = |weights: &'a Option<Matrix>| match weights {
            None => Ok(None),
            Some(weights) => match on(op, [x, weights])? {
                On::Gpu(_, [_, weights]) => Ok(Some(weights)),
                On::Cpu(_) => Ok(None),
            },
        };
        let (weights, samples) = (buffer(&self.class_weights)?, buffer(&self.sample_weights)?);
        let mut contract = OnGpu { weights, samples, divisor: None, stand_in: y, terms: self.terms(targets) };
        if gradient && self.reduction == Reduction::Mean && !self.is_plain() {
            contract.divisor = contract.weight_sum(&y.context(), op, targets)?;
            contract.terms.divided = u32::from(contract.divisor.is_some());
        }
        Ok(contract)
    }

    /// The parameters, without weights.
    pub(super) fn terms(&self, targets: &Targets) -> Terms {
        let counted = targets.rows() - targets.ignored_rows();
        let mean = self.reduction == Reduction::Mean;
        let scale = if !mean {
            1.0
        } else if counted == 0 {
            0.0
        } else {
            (1.0 / counted as f64) as f32
        };
        Terms {
            smoothing: self.label_smoothing,
            spread: (f64::from(self.label_smoothing) / targets.class_count() as f64) as f32,
            scale,
            ignored: self.ignore_class.unwrap_or(u32::MAX),
            marked: if targets.ignored_rows() > 0 { Targets::MARK } else { 0 },
            weighted: u32::from(self.class_weights.is_some()),
            sampled: u32::from(self.sample_weights.is_some()),
            divided: 0,
        }
    }
}

/// A contract's weights and parameters, as the kernels take them.
pub(super) struct OnGpu<'a> {
    weights: Option<&'a Buffer>,
    samples: Option<&'a Buffer>,
    divisor: Option<Buffer>,
    /// Any buffer: bound where there are no weights.
    stand_in: &'a Buffer,
    pub terms: Terms,
}

impl OnGpu<'_> {
    /// Class weights, sample weights, divisor; any operand of the block's stands in for what is not there.
    pub fn operands<'b>(&'b self, stand_in: &Operand<'b>) -> [Operand<'b>; 3] {
        [
            self.weights.map_or(stand_in.clone(), Operand::PerColumn),
            self.samples.map_or(stand_in.clone(), |samples| Operand::PerRow(samples, 1)),
            self.divisor.as_ref().map_or(stand_in.clone(), |divisor| Operand::Fixed(divisor.into())),
        ]
    }

    /// What a mean divides by: none where the parameters have it as a number.
    pub fn weight_sum(&self, gpu: &Context, op: &'static str, targets: &Targets) -> Result<Option<Buffer>> {
        let (rows, classes) = (targets.rows(), targets.class_count());
        if targets.are_distributions() {
            return self.samples.map(|samples| column_sum::sum_of(gpu, op, samples, rows)).transpose(); // else the rows
        }
        let row_weights = gpu.buffer(op, rows, 1)?;
        let [threads, per_thread] = LinearGrid::constants();
        // One by one where a binding does not hold all weights.
        for block in gpu.split_flat(classes as u64).blocks() {
            let weights = self.weights.map(|weights| View::of(weights, classes, 0..1, block.cols.clone()));
            let ids = Operand::Matrix(self.stand_in);
            gpu.launch_elements(
                gpu.split_flat(rows as u64),
                &ElementLaunch {
                    kernel: &ROW_WEIGHTS,
                    constants: &[threads, per_thread, ("DISTRIBUTIONS", 0.0)],
                    operands: &[
                        ids.clone(),
                        weights.map_or(ids.clone(), Operand::Fixed),
                        self.samples.map_or(ids.clone(), Operand::Matrix),
                        ids,
                        Operand::Matrix(&row_weights),
                    ],
                },
                |rows, _| RowWeightParams {
                    terms: self.terms,
                    count: rows.words(),
                    first_col: block.cols.start as u32,
                    cols: block.cols.len() as u32,
                    classes: classes as u32,
                },
            )?;
        }
        column_sum::reduce(gpu, op, row_weights, rows, 1).map(Some)
    }
}
