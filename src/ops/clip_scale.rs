//! clip_scale: the factor that keeps the norm of all gradients together below a limit.

use super::bank::Gradient;
use super::operands::{On, on};
use super::update::check_positive;
use crate::cpu;
use crate::error::{Error, Result, Shape};
use crate::gpu::kernels;
use crate::matrix::Matrix;

const OP: &str = "clip_scale";

/// The scale that clips gradients by their norm: min(1, max_norm / (‖all gradients‖ + 10⁻⁶)), as 1 x 1. PyTorch's `clip_grad_norm_`
/// multiplies gradients by this factor (Pascanu et al., [2013](https://arxiv.org/abs/1211.5063)), and so do the steps of
/// [`OptimizerState::with_clip_norm`](crate::OptimizerState::with_clip_norm).
///
/// The scale is NaN if a gradient is NaN. It is 0 if the sum of the squares is above the largest f32, as it is for every norm above
/// 1.8 · 10¹⁹. The squares are added along a fixed tree. The relative error is at most (22 + 2⁻¹⁸ n + 2⁻⁹ g) u for n values in g
/// gradients, u = 2⁻²³ (derived in the guide's page [`numerics`](crate::guide::numerics)). Squares below 2⁻¹²⁶ may count as 0:
/// compared with the 10⁻⁶, their sum is far below this error.
///
/// # Errors
/// [`Error::Empty`] without gradients, [`Error::OtherDevice`] unless all live on one device; [`Error::Option`] unless the
/// limit is positive and finite.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let dw = Matrix::from_slice(&device, 1, 2, &[3.0, 0.0])?;
/// let db = Matrix::from_slice(&device, 1, 1, &[-4.0])?;
/// let scale = |limit| ops::clip_scale(&[&dw, &db], limit)?.to_array();
/// assert!((scale(1.0)?[[0, 0]] - 0.2).abs() < 1e-6); // the norm is 5
/// assert_eq!(scale(10.0)?[[0, 0]], 1.0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn clip_scale(gradients: &[&Matrix], max_norm: f64) -> Result<Matrix> {
    clip_scale_all(&gradients.iter().map(|gradient| Gradient::from(*gradient)).collect::<Vec<_>>(), max_norm)
}

/// The [`clip_scale`] of gradients that may lie side by side: one launch for each run of neighbours, and one for the scale.
pub(crate) fn clip_scale_all(gradients: &[Gradient], max_norm: f64) -> Result<Matrix> {
    check_max_norm(OP, "max_norm", max_norm)?;
    let first = gradients.first().ok_or(Error::Empty { op: OP, shape: Shape { rows: 0, cols: 0 } })?.matrix();
    let mut views = Vec::new();
    for gradient in gradients {
        if let On::Cpu([_, dw]) = on(OP, [first, gradient.matrix()])? {
            views.push(dw);
        }
    }
    match first.device().context() {
        None => {
            let scale = cpu::clip_scale(&views, max_norm);
            Ok(Matrix::on_cpu(first.device(), ndarray::array![[scale]]))
        }
        Some(gpu) => {
            let sources: Vec<_> = gradients.iter().filter_map(Gradient::source).collect();
            Ok(Matrix::on_gpu(first.device(), 1, 1, kernels::clip_scale(gpu, &sources, max_norm as f32)?))
        }
    }
}

/// A scale, 1 x 1, that shows whether all values of these matrices are finite: it is positive if they are and the sum of their
/// squares is finite too, else 0 or NaN. Nothing waits for the device.
pub(crate) fn finite_scale<'a>(matrices: impl IntoIterator<Item = &'a Matrix>) -> Result<Matrix> {
    let summed = matrices.into_iter().cloned().map(Gradient::whole_in_bank);
    clip_scale_all(&summed.collect::<Vec<_>>(), 1.0)
}

/// Refuses a limit that is not positive and finite. The error uses the caller's name for the limit.
pub(crate) fn check_max_norm(op: &'static str, option: &'static str, max_norm: f64) -> Result<()> {
    check_positive(op, option, max_norm)
}
