//! nll and nll_backward: the negative log-likelihood of clipped probabilities.

use super::loss_options::CrossEntropy;
use super::operands::{OnTargets, on_targets};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;
use crate::targets::Targets;
use crate::waiting::Waiting;

/// The clip of the probabilities: they become at least `CLIP` and at most `1 - CLIP` before the logarithm, so that the loss stays
/// finite.
pub const CLIP: f64 = 1e-7;

/// The negative log-likelihood of each row, `rows x 1`: -ln clip(p_t, ε, 1 - ε) with ε = [`CLIP`], or Σ_c y_c · -ln clip(p_c) for a
/// distribution.
///
/// `probs` is `rows x classes`. The result is finite for every probability from 0 to 1. It is NaN if the probability of the row's
/// class is NaN; with distributions or smoothing, if any probability of the row is NaN. Error: at most 2⁻²¹ + 4u |loss|, and Σ y
/// 2⁻²¹ + (24 + C / 64) u |loss| for distributions over C classes, u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row and a column a class;
/// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 1, 3, &[0.7, 0.1, 0.2])?;
/// let losses = ops::nll(&probs, &Targets::classes(&device, &[0u32], 3)?)?;
/// assert!((losses.to_array()?[[0, 0]] - 0.35667494).abs() < 1e-6);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn nll(probs: &Matrix, targets: &Targets) -> Result<Matrix> {
    nll_with(probs, targets, &CrossEntropy::default())
}

/// The losses of [`nll`] with options: Σ_c q_c · -ln clip(p_c) for each row, weighted but not reduced. The options and the masses q
/// are those of [`softmax_cross_entropy`](super::softmax_cross_entropy). Ignored rows give 0.
///
/// Error: at most Σ q 2⁻²¹ + (24 + C / 64) u |loss|, u = 2⁻²³.
///
/// # Errors
/// Those of [`softmax_cross_entropy`](super::softmax_cross_entropy).
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 2, 2, &[0.5, 0.5, 0.5, 0.5])?;
/// let targets = Targets::classes(&device, &[0, -100], 2)?;
/// let options = ops::CrossEntropy {
///     sample_weights: Some(Matrix::from_slice(&device, 2, 1, &[3.0, 1.0])?),
///     ..Default::default()
/// };
/// let losses = ops::nll_with(&probs, &targets, &options)?.to_array()?;
/// assert!((losses[[0, 0]] - 3.0 * 2f32.ln()).abs() < 1e-6);
/// assert_eq!(losses[[1, 0]], 0.0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn nll_with(probs: &Matrix, targets: &Targets, options: &CrossEntropy) -> Result<Matrix> {
    options.check("nll", probs, targets)?;
    match on_targets("nll", probs, targets)? {
        OnTargets::Cpu(p, y) => Ok(Matrix::on_cpu(probs.device(), cpu::nll(p, y, options.on_cpu("nll", probs)?, CLIP))),
        OnTargets::Gpu(gpu, p, y) => {
            let loss = options.on_gpu("nll", probs, targets, y)?;
            Ok(Matrix::on_gpu(probs.device(), probs.rows(), 1, kernels::nll(gpu, p, &loss, clip())?))
        }
    }
}

/// The gradient of the mean of [`nll`]: dprobs = -y / (clip(p, ε, 1 - ε) · rows), 0 where y is 0.
///
/// p is clipped as in [`nll`], so that the gradient is finite at p = 0.
/// Error: at most 6u |dprobs|, u = 2⁻²³; and 2⁻¹²⁶ / clip(p), since y / rows may come out as 0 where it is below 2⁻¹²⁶.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row and a column a class;
/// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 1, 2, &[0.5, 0.5])?;
/// let dprobs = ops::nll_backward(&probs, &Targets::classes(&device, &[1u32], 2)?)?;
/// assert_eq!(dprobs.to_array()?.row(0).to_vec(), [0.0, -2.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn nll_backward(probs: &Matrix, targets: &Targets) -> Result<Matrix> {
    nll_backward_with(probs, targets, &CrossEntropy::default())
}

/// The gradient of the reduced losses of [`nll_with`]: dprobs = -q / clip(p, ε, 1 - ε) / divisor, and 0 where q is 0. The divisor
/// is 1, or for [`Reduction::Mean`](super::Reduction::Mean) the sum of the rows' weights.
///
/// Error: at most 10u |dprobs| with u = 2⁻²³, the error of the divisor, which is that of [`column_sum`](super::column_sum), and
/// 2⁻¹²⁶ / clip(p), since q / divisor may come out as 0 where it is below 2⁻¹²⁶. The divisor is applied first. So weights may be any
/// normal numbers of f32, as long as their sum is a normal number too.
///
/// # Errors
/// Those of [`softmax_cross_entropy`](super::softmax_cross_entropy).
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 1, 2, &[0.5, 0.5])?;
/// let targets = Targets::classes(&device, &[1u32], 2)?;
/// let options = ops::CrossEntropy { label_smoothing: 0.5, ..Default::default() };
/// let dprobs = ops::nll_backward_with(&probs, &targets, &options)?;
/// assert_eq!(dprobs.to_array()?.row(0).to_vec(), [-0.5, -1.5]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn nll_backward_with(probs: &Matrix, targets: &Targets, options: &CrossEntropy) -> Result<Matrix> {
    const OP: &str = "nll_backward";
    options.check(OP, probs, targets)?;
    match on_targets(OP, probs, targets)? {
        OnTargets::Cpu(p, y) => {
            Ok(Matrix::on_cpu(probs.device(), cpu::nll_backward(p, y, options.on_cpu(OP, probs)?, CLIP)))
        }
        OnTargets::Gpu(gpu, p, y) => {
            let loss = options.on_gpu(OP, probs, targets, y)?;
            let dprobs = kernels::nll_backward(gpu, p, &loss, clip())?;
            Ok(Matrix::on_gpu(probs.device(), probs.rows(), probs.cols(), dprobs))
        }
    }
}

/// The sum of the rows' weights, the divisor of the mean of [`nll_with`]'s losses. On a GPU this waits.
pub(crate) async fn nll_weight_sum(
    waiting: Waiting,
    probs: &Matrix,
    targets: &Targets,
    options: &CrossEntropy,
) -> Result<f64> {
    if options.is_plain() {
        return Ok((targets.rows() - targets.ignored_rows()) as f64);
    }
    match on_targets("nll", probs, targets)? {
        OnTargets::Cpu(_, y) => {
            let options = options.on_cpu("nll", probs)?;
            Ok(cpu::weight_sum(y, options, [targets.rows(), targets.class_count()]).into())
        }
        OnTargets::Gpu(gpu, _, y) => match options.on_gpu("nll", probs, targets, y)?.weight_sum(gpu, "nll")? {
            Some(sum) => Ok(gpu.read::<f32>(waiting, &sum).await?.iter().map(|sum| f64::from(*sum)).sum()),
            None => Ok(targets.rows() as f64),
        },
    }
}

/// The bounds between which probabilities are clipped, as the kernels take them.
fn clip() -> [f32; 2] {
    [CLIP as f32, (1.0 - CLIP) as f32]
}
