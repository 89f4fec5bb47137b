//! softmax_cross_entropy: loss, gradient and statistics of a batch of logits in one pass.

use bytemuck::{Pod, Zeroable};

use super::contract::{CrossEntropy, Terms};
use super::statistics::{self, Pending, Record};
use super::{OnTargets, on_targets, row_constants, target_operand};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Operand, RowLaunch, Window};
use crate::matrix::Matrix;
use crate::statistics::Statistics;
use crate::targets::Targets;
use crate::waiting::{Waiting, at_once};

const OP: &str = "softmax_cross_entropy";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "rows/softmax_cross_entropy.wgsl",
    forms: Form::BY_LANES_ALONG,
    params: size_of::<Params>(),
    buffers: &[
        Access::Read,
        Access::Read,
        Access::Read,
        Access::Read,
        Access::Read,
        Access::Write,
        Access::Write,
        Access::Write,
    ],
    overrides: &["LANES", "ROWS", "FAN", "DISTRIBUTIONS", "SPREAD"],
    sizes: &["HELD"],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    window: Window,
    terms: Terms,
}

/// What [`softmax_cross_entropy`] gives.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let (logits, targets) = (Matrix::zeros(&device, 2, 3)?, Targets::classes(&device, &[0, 2], 3)?);
/// let head: ops::Head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
/// assert_eq!((head.losses().shape(), head.dlogits().shape()), ((2, 1), (2, 3)));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
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
        at_once(self.stats_by(Waiting::Blocking))
    }

    /// [`Head::stats`] without blocking the thread.
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
    /// assert_eq!(pollster::block_on(head.stats_async())?.rows, 1);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn stats_async(&self) -> Result<Statistics> {
        self.stats_by(Waiting::Yielding).await
    }

    pub(crate) async fn stats_by(&self, waiting: Waiting) -> Result<Statistics> {
        self.pending.read_by(waiting).await
    }

    /// The statistics by themselves, to be read later.
    pub(crate) fn into_pending(self) -> Pending {
        self.pending
    }
}

/// Loss and gradient of softmax and cross-entropy, straight from the logits: for each row, with p = softmax(x) and
/// q_c = v w_c ((1 - s) y_c + s / C),
///
/// - loss = Σ_c q_c · -ln p_c,
/// - dlogits_c = (p_c Σ_j q_j - q_c) / divisor; the divisor is 1, or for [`Reduction::Mean`](super::Reduction::Mean) the sum
///   of the rows' weights.
///
/// `logits` is `rows x classes`; y is the row's one-hot or distribution, w the class weights, v the row's sample weight, s
/// the smoothing, C the number of classes. A row's weight is v times its class's; for distributions it is v. Rows of the
/// ignored class, or marked with -100, give loss and gradient 0 and are not counted. The loss is not clipped: a masked
/// target (-inf) costs infinity. Rows without a softmax (see [`softmax`](super::softmax)) give NaN in their own loss
/// and gradient, and are counted. A mean over nothing, or over weights that sum to 0, is NaN, with gradient 0. Definitions
/// as in PyTorch's
/// [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
///
/// Error, u = 2⁻²³: losses at most Σ q (2⁻²¹ + u (23 + 2 log₂ C + C / 64) + 4u |m|) + 4u (Σ q |x| + |loss|) and, for the sums over
/// q, (20 + C / 64) u (Σ q (m - x) + Σ q); gradients [`softmax`](super::softmax)'s bound times Σ q, and 4u (p Σ q + q)
/// + (20 + C / 64) u p Σ q, over the divisor, whose own error is that of [`column_sum`](super::column_sum).
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row, a column a class, and a weight a class or a row;
/// [`Error::Option`](crate::Error::Option) for a smoothing outside 0 ..= 1 or an ignored class that is none;
/// [`Error::Combination`](crate::Error::Combination) for an ignored class with distributions.
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
    options.check(OP, logits, targets)?;
    match on_targets(OP, logits, targets)? {
        OnTargets::Cpu(x, y) => {
            let rows = cpu::softmax_cross_entropy(x, y, options.on_cpu(OP, logits)?);
            Ok(Head {
                pending: Pending::ready(rows.statistics()),
                losses: Matrix::on_cpu(logits.device(), rows.losses),
                dlogits: Matrix::on_cpu(logits.device(), rows.dlogits),
            })
        }
        OnTargets::Gpu(gpu, x, y) => on_gpu(gpu, logits, targets, [x, y], options),
    }
}

fn on_gpu(
    gpu: &Context,
    logits: &Matrix,
    targets: &Targets,
    [x, y]: [&Buffer; 2],
    options: &CrossEntropy,
) -> Result<Head> {
    let (rows, cols) = logits.shape();
    let contract = options.on_gpu(OP, logits, targets, y, true)?;
    let split = gpu.split_rows(OP, rows, cols, cols)?;
    let dlogits = gpu.buffer(OP, rows, cols)?;
    let losses = gpu.buffer(OP, rows, 1)?;
    let records = gpu.buffer(OP, split.groups(), Record::WORDS)?;
    let [weights, samples, divisor] = contract.operands(&Operand::Matrix(x));
    let [lanes, row_count, fan, kind] = row_constants(&split, "DISTRIBUTIONS", targets.are_distributions());
    split.launch(
        gpu,
        &RowLaunch {
            kernel: &KERNEL,
            inputs: 1,
            constants: &[lanes, row_count, fan, kind, options.spread(targets)],
            operands: &[
                Operand::Matrix(x),
                target_operand(targets, y),
                weights,
                samples,
                divisor,
                Operand::Matrix(&dlogits),
                Operand::PerRow(&losses, 1),
                Operand::PerGroup(&records, Record::WORDS),
            ],
        },
        |window| Params { window, terms: contract.terms },
    )?;
    Ok(Head {
        losses: Matrix::on_gpu(logits.device(), rows, 1, losses),
        dlogits: Matrix::on_gpu(logits.device(), rows, cols, dlogits),
        pending: Pending::recorded(statistics::reduce(gpu, OP, records, split.groups())?),
    })
}
