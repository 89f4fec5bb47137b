//! softmax_cross_entropy: loss, gradient and statistics of a batch of logits in one pass.

use super::head::Head;
use super::loss_options::CrossEntropy;
use super::operands::{OnTargets, on_targets};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;
use crate::targets::Targets;

const OP: &str = "softmax_cross_entropy";

/// Softmax and cross-entropy in one op: loss, gradient and statistics from the logits. For each row, with p = softmax(x) and
/// q_c = v w_c ((1 - s) y_c + s / C),
///
/// - loss = Σ_c q_c · -ln p_c,
/// - dlogits_c = (p_c Σ_j q_j - q_c) / divisor; the divisor is 1, or for [`Reduction::Mean`](super::Reduction::Mean) the sum
///   of the rows' weights.
///
/// `logits` is `rows x classes`; y is the row's one-hot or distribution, w the class weights, v the row's sample weight, s
/// the smoothing, C the number of classes. A row's weight is v times the weight of its class; for distributions it is v. Rows of
/// the ignored class, or marked with -100, give loss and gradient 0 and are not counted. The loss is not clipped: if the logit of a
/// row's class is -inf, the loss is infinite. Rows without a softmax (see [`softmax`](super::softmax)) give NaN in their own loss
/// and gradient, and are counted. A mean over no rows, or over weights that sum to 0, is NaN, and its gradient is 0. The
/// definitions are those of PyTorch's
/// [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
///
/// Error of a loss, with u = 2⁻²³: at most Σ q (2⁻²¹ + u (23 + 2 log₂ C + C / 64)) + 4u |loss|, and (20 + C / 64) u |loss| for the
/// sums over q. Error of a gradient: [`softmax`](super::softmax)'s bound times Σ q, and 4u (p Σ q + q) + (20 + C / 64) u p Σ q, all
/// over the divisor; and 4u |dlogits| for the division and the error of the divisor, that of [`column_sum`](super::column_sum).
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row, a column a class, and a weight a class or a row;
/// [`Error::Option`](crate::Error::Option) for a smoothing outside 0 ..= 1 or an ignored class that is none;
/// [`Error::Combination`](crate::Error::Combination) for an ignored class with distributions;
/// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding.
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
            let statistics = rows.statistics();
            Ok(Head::on_cpu(logits.device(), rows.losses, rows.dlogits, statistics))
        }
        OnTargets::Gpu(gpu, x, y) => {
            let loss = options.on_gpu(OP, logits, targets, y)?;
            let buffers = kernels::softmax_cross_entropy(gpu, x, &loss)?;
            Ok(Head::on_gpu(logits.device(), logits.shape(), buffers))
        }
    }
}
