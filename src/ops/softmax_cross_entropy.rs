//! softmax_cross_entropy: loss, gradient and statistics of a batch of logits in one pass.

use bytemuck::{Pod, Zeroable};

use super::statistics::{self, Pending, Record, Statistics};
use super::{
    BY_ROW_AND_TARGETS, COMMON, EACH_ROW, ELEMENTS, ELEMENTWISE, HEAD, On, OnTargets, RECORD, ROW_CLASS, ROWS, TARGETS,
    column_sum, fits, on, on_targets, row_constants, target_operand,
};
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{
    Access, Buffer, Context, ElementLaunch, Kernel, LinearGrid, Operand, RowLaunch, View, WHOLE_ROWS, Window,
};
use crate::matrix::Matrix;
use crate::targets::Targets;

const OP: &str = "softmax_cross_entropy";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    source: &[
        COMMON,
        ROWS,
        EACH_ROW,
        WHOLE_ROWS,
        TARGETS,
        ROW_CLASS,
        RECORD,
        HEAD,
        include_str!("../../shaders/softmax_cross_entropy.wgsl"),
    ],
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Write, Access::Write, Access::Write],
    overrides: BY_ROW_AND_TARGETS,
    sizes: &[],
};

pub(super) static ROW_WEIGHTS: Kernel = Kernel {
    name: "row_weights",
    source: &[COMMON, ELEMENTS, include_str!("../../shaders/row_weights.wgsl")],
    params: size_of::<WeightParams>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &[],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    window: Window,
    smoothing: f32,
    scale: f32,
    ignored: u32,
    weighted: u32,
    divided: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct WeightParams {
    count: u32,
    first_col: u32,
    cols: u32,
    ignored: u32,
    weighted: u32,
}

/// How the rows' losses become the loss whose gradient is wanted.
///
/// ```
/// assert_eq!(wgpu_mlp::ops::Reduction::default(), wgpu_mlp::ops::Reduction::Mean);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Each row by itself: the gradient of every loss with respect to its own row.
    None,
    /// The sum divided by the sum of the rows' weights (for distributions: by the rows).
    #[default]
    Mean,
    /// The sum.
    Sum,
}

/// The options of PyTorch's `CrossEntropyLoss`, with its definitions.
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
    /// Rows of this class give no loss and no gradient and are not counted. For class ids only.
    pub ignore_class: Option<u32>,
    /// The part of each target, from 0 to 1, that is spread evenly over all classes.
    pub label_smoothing: f32,
    /// Mean, sum, or none.
    pub reduction: Reduction,
}

/// What [`softmax_cross_entropy`] gives.
#[derive(Debug)]
pub struct Head {
    losses: Matrix,
    dlogits: Matrix,
    pending: Pending,
}

impl Head {
    pub(super) fn new(losses: Matrix, dlogits: Matrix, pending: Pending) -> Self {
        Head { losses, dlogits, pending }
    }

    /// The rows' losses, weighted but not reduced, `rows x 1`.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, ops};
    /// # let device = Device::cpu();
    /// # let logits = Matrix::zeros(&device, 4, 2)?;
    /// # let targets = Targets::classes(&device, &[0u8, 1, 0, 1], 2)?;
    /// let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
    /// assert_eq!(head.losses().shape(), (4, 1));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn losses(&self) -> &Matrix {
        &self.losses
    }

    /// The gradient of the reduced loss with respect to the logits, `rows x classes`.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, ops};
    /// # let device = Device::cpu();
    /// # let logits = Matrix::zeros(&device, 1, 2)?;
    /// # let targets = Targets::classes(&device, &[1u8], 2)?;
    /// let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
    /// assert_eq!(head.dlogits().to_array()?.row(0).to_vec(), [0.5, -0.5]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn dlogits(&self) -> &Matrix {
        &self.dlogits
    }

    /// What the batch adds up to. On a GPU this waits.
    ///
    /// # Errors
    /// As [`Matrix::to_array`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Targets, ops};
    /// # let device = Device::cpu();
    /// # let logits = Matrix::zeros(&device, 1, 2)?;
    /// # let targets = Targets::classes(&device, &[1u8], 2)?;
    /// let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
    /// assert!((head.stats()?.mean_loss() - std::f64::consts::LN_2).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn stats(&self) -> Result<Statistics> {
        self.pending.read()
    }

    /// The statistics by themselves, to be read later.
    pub(crate) fn into_pending(self) -> Pending {
        self.pending
    }
}

/// Loss and gradient of softmax and cross-entropy, straight from the logits: for each row, with p = softmax(x) and
/// q_c = w_c ((1 - s) y_c + s / C),
///
/// - loss = Σ_c q_c · -ln p_c,
/// - dlogits_c = (p_c Σ_j q_j - q_c) / divisor; the divisor is 1, or for [`Reduction::Mean`] the sum of the rows' weights.
///
/// `logits` is `rows x classes`; y is the row's one-hot or distribution, w the class weights, s the smoothing, C the
/// number of classes. A row's weight is its class's; for distributions it is 1. The loss is not clipped: a masked
/// target (-inf) costs infinity. Rows without a softmax (see [`softmax`](super::softmax)) give NaN in their own loss
/// and gradient, and are counted. A mean over nothing is NaN, with gradient 0. Definitions as in PyTorch's
/// [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
///
/// Error, u = 2⁻²³: losses at most Σ q (2⁻²¹ + u (6 + log₂ C) + 4u |m|) + 4u (Σ q |x| + |loss|) and, for the sums over
/// q, (20 + C / 64) u (Σ q (m - x) + Σ q); gradients [`softmax`](super::softmax)'s bound times Σ q, and 4u (p Σ q + q)
/// + (20 + C / 64) u p Σ q, over the divisor, whose own error is that of [`column_sum`](super::column_sum).
///
/// # Errors
/// [`Error::Shape`] unless there is a target a row, a column a class, and a weight a class; [`Error::Option`] for a
/// smoothing outside 0 ..= 1 or an ignored class that is none; [`Error::Combination`] for an ignored class with
/// distributions.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let logits = Matrix::from_slice(&device, 2, 2, &[2.0, 0.0, 0.0, 2.0])?;
/// let targets = Targets::classes(&device, &[0u8, 0], 2)?;
/// let head = ops::softmax_cross_entropy(&logits, &targets, &ops::CrossEntropy::default())?;
/// assert_eq!(head.stats()?.accuracy(), 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn softmax_cross_entropy(logits: &Matrix, targets: &Targets, options: &CrossEntropy) -> Result<Head> {
    check(logits, targets, options)?;
    match on_targets(OP, logits, targets)? {
        OnTargets::Cpu(x, y) => on_cpu(logits, x, y, options),
        OnTargets::Gpu(gpu, x, y) => on_gpu(gpu, logits, targets, x, y, options),
    }
}

fn check(logits: &Matrix, targets: &Targets, options: &CrossEntropy) -> Result<()> {
    if let Some(weights) = &options.class_weights {
        let rule = "the class weights must be one row with a value for each class";
        fits(OP, rule, logits, weights, weights.shape() == (1, logits.cols()))?;
    }
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        let value = options.label_smoothing.into();
        return Err(Error::Option { op: OP, option: "label_smoothing", rule: "from 0 to 1", value });
    }
    match options.ignore_class {
        Some(_) if targets.are_distributions() => {
            Err(Error::Combination { op: OP, rule: "ignore_class goes with class ids; the targets are distributions" })
        }
        Some(class) if class as usize >= logits.cols() => {
            Err(Error::Option { op: OP, option: "ignore_class", rule: "one of the classes", value: class.into() })
        }
        _ => Ok(()),
    }
}

fn on_cpu(
    logits: &Matrix,
    x: ndarray::ArrayView2<'_, f32>,
    y: cpu::TargetView<'_, f32>,
    options: &CrossEntropy,
) -> Result<Head> {
    let weights = match &options.class_weights {
        None => None,
        Some(weights) => match on(OP, [logits, weights])? {
            On::Cpu([_, weights]) => Some(weights),
            On::Gpu(..) => None,
        },
    };
    let contract = cpu::Contract {
        weights: weights.as_ref().map(|weights| weights.row(0)),
        ignored: options.ignore_class,
        smoothing: options.label_smoothing,
        mean: options.reduction == Reduction::Mean,
    };
    let rows = cpu::softmax_cross_entropy(x, y, contract);
    Ok(Head {
        pending: Pending::ready(rows.statistics()),
        losses: Matrix::on_cpu(logits.device(), rows.losses),
        dlogits: Matrix::on_cpu(logits.device(), rows.dlogits),
    })
}

fn on_gpu(
    gpu: &Context,
    logits: &Matrix,
    targets: &Targets,
    x: &Buffer,
    y: &Buffer,
    options: &CrossEntropy,
) -> Result<Head> {
    let (rows, cols) = logits.shape();
    let weights = match &options.class_weights {
        None => None,
        Some(weights) => match on(OP, [logits, weights])? {
            On::Gpu(_, [_, weights]) => Some(weights),
            On::Cpu(_) => None,
        },
    };
    let divisor = divisor(gpu, targets, y, weights, options)?;
    let mean = options.reduction == Reduction::Mean;
    let distributions = targets.are_distributions();
    let split = gpu.split_rows(OP, rows, cols, cols)?;
    let dlogits = gpu.buffer(OP, rows, cols)?;
    let losses = gpu.buffer(OP, rows, 1)?;
    let records = gpu.buffer(OP, split.groups(), Record::WORDS)?;
    let operands = [
        Operand::Matrix(x),
        target_operand(targets, y),
        // Any operand of the block's stands in for what is not there.
        weights.map_or(Operand::Matrix(x), Operand::PerColumn),
        divisor.as_ref().map_or(Operand::Matrix(x), |divisor| Operand::Fixed(divisor.into())),
        Operand::Matrix(&dlogits),
        Operand::PerRow(&losses, 1),
        Operand::PerGroup(&records, Record::WORDS),
    ];
    split.launch(
        gpu,
        &RowLaunch {
            kernel: &KERNEL,
            constants: &row_constants(&split, "DISTRIBUTIONS", distributions),
            reductions: 5,
            operands: &operands,
        },
        |window| Params {
            window,
            smoothing: options.label_smoothing,
            scale: if mean { (1.0 / rows as f64) as f32 } else { 1.0 },
            ignored: options.ignore_class.unwrap_or(u32::MAX),
            weighted: u32::from(weights.is_some()),
            divided: u32::from(divisor.is_some()),
        },
    )?;
    Ok(Head {
        losses: Matrix::on_gpu(logits.device(), rows, 1, losses),
        dlogits: Matrix::on_gpu(logits.device(), rows, cols, dlogits),
        pending: Pending::recorded(statistics::reduce(gpu, OP, records, split.groups())?),
    })
}

/// What a mean divides by, where that is not just the number of rows.
fn divisor(
    gpu: &Context,
    targets: &Targets,
    y: &Buffer,
    weights: Option<&Buffer>,
    options: &CrossEntropy,
) -> Result<Option<Buffer>> {
    let plain = weights.is_none() && options.ignore_class.is_none();
    if options.reduction != Reduction::Mean || targets.are_distributions() || plain {
        return Ok(None);
    }
    let rows = targets.rows();
    let row_weights = gpu.buffer(OP, rows, 1)?;
    // One by one where a binding does not hold all weights.
    for classes in gpu.split_flat(targets.class_count() as u64).blocks() {
        let weights = weights.map(|weights| View::of(weights, targets.class_count(), 0..1, classes.cols.clone()));
        gpu.launch_elements(
            gpu.split_flat(rows as u64),
            &ElementLaunch {
                kernel: &ROW_WEIGHTS,
                constants: &LinearGrid::constants(),
                operands: &[
                    Operand::Matrix(y),
                    weights.map_or(Operand::Matrix(y), Operand::Fixed),
                    Operand::Matrix(&row_weights),
                ],
            },
            |block, _| WeightParams {
                count: block.words(),
                first_col: classes.cols.start as u32,
                cols: classes.cols.len() as u32,
                ignored: options.ignore_class.unwrap_or(u32::MAX),
                weighted: u32::from(options.class_weights.is_some()),
            },
        )?;
    }
    column_sum::reduce(gpu, OP, row_weights, rows, 1).map(Some)
}
