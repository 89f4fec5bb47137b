//! linear_cross_entropy: a classifier's last layer and its loss, in one kernel where there are few classes.

use super::head::Head;
use super::linear::linear;
use super::loss_options::CrossEntropy;
use super::operands::{On, fits, gpu_targets, on};
use super::softmax_cross_entropy::softmax_cross_entropy;
use crate::error::{Error, Result};
use crate::gpu::kernels;
use crate::matrix::Matrix;
use crate::options::Activation;
use crate::targets::Targets;

const OP: &str = "linear_cross_entropy";

/// The cross-entropy of a dense layer's logits XW + b, as [`softmax_cross_entropy`] defines it, for X `rows x inputs`,
/// W `inputs x classes` and b `1 x classes`. With up to 16 classes, and without weights and an ignored class, one kernel computes it
/// and stores no logits. Otherwise two kernels do.
///
/// Error: let e be the largest error of a row's logits, which is that of [`linear`]. The bound of the loss is that of
/// [`softmax_cross_entropy`] and 2e Σ q more. The bound of the gradient is p (exp(2e) - 1) Σ q / divisor more.
///
/// # Errors
/// Those of [`linear`] and of [`softmax_cross_entropy`].
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.]].view())?;
/// let w = Matrix::from_array(&device, array![[1., -1.], [0., 0.5]].view())?;
/// let b = Matrix::zeros(&device, 1, 2)?;
/// let targets = Targets::classes(&device, &[0u8], 2)?;
/// let head = ops::linear_cross_entropy(&x, &w, &b, &targets, &Default::default())?;
/// assert!((head.stats()?.mean_loss() - (1f64 + (-1f64).exp()).ln()).abs() < 1e-6);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn linear_cross_entropy(
    x: &Matrix,
    weights: &Matrix,
    bias: &Matrix,
    targets: &Targets,
    options: &CrossEntropy,
) -> Result<Head> {
    fits(OP, "input columns must equal weight rows", x, weights, x.cols() == weights.rows())?;
    let rule = "the bias must be one row with a value for each weight column";
    fits(OP, rule, weights, bias, bias.shape() == (1, weights.cols()))?;
    let classes = weights.cols();
    if (x.rows(), classes) != (targets.rows(), targets.class_count()) {
        let rule = "there must be a target for each row, of as many classes as weight columns";
        return Err(Error::Shape { op: OP, rule, left: (x.rows(), classes).into(), right: targets.dims() });
    }
    let smooth = (0.0..=1.0).contains(&options.label_smoothing);
    if let On::Gpu(gpu, operands) = on(OP, [x, weights, bias])?
        && options.is_plain()
        && smooth
        && let Some(kernel) = kernels::LinearCrossEntropy::choose(gpu, [x.rows(), classes, x.cols()])
    {
        let y = gpu_targets(OP, x.device(), gpu, targets)?;
        let loss = options.on_gpu(OP, x, targets, y)?;
        let buffers = kernel.launch(gpu, operands, x.cols(), &loss)?;
        return Ok(Head::on_gpu(x.device(), (x.rows(), classes), buffers));
    }
    softmax_cross_entropy(&linear(x, weights, bias, Activation::None)?, targets, options)
}
