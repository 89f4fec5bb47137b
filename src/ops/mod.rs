//! The operations: each file holds one op's contract, its one shape check, and the hand-over to its two twins.
//!
//! | op | formula |
//! |---|---|
//! | [`matmul`], [`matmul_tn`], [`matmul_nt`] | AB, AᵀB, ABᵀ |
//! | [`linear`] | act(XW + b) |
//! | [`linear_backward`], [`linear_gradients`], [`dense_backward`] | dY Wᵀ · 1\[X > 0\]; Xᵀ dY and Σ_r dY; both |
//! | [`bias_add`] | X + b |
//! | [`column_sum`] | Σ_r X |
//! | [`relu`], [`relu_mask`], [`relu_backward`] | max(X, 0), 1\[X > 0\], dY · 1\[X > 0\] |
//! | [`dropout`], [`dropout_backward`] | x / (1 - rate), or 0 with probability rate |
//! | [`softmax`], [`log_softmax`], [`softmax_backward`] | exp(x - m) / Σ exp(x - m), its logarithm, p · (dp - Σ_j dp_j p_j) |
//! | [`nll`], [`nll_backward`] | -ln clip(p_t, ε, 1 - ε), -y / (p · rows) |
//! | [`softmax_cross_entropy`] | loss, gradient and statistics in one pass |
//! | [`linear_cross_entropy`] | the same on the logits XW + b |
//! | [`argmax`], [`accuracy`] | first maximum, mean of hits |
//! | [`sgd`], [`momentum`], [`adagrad`], [`rmsprop`], [`adam`] | parameter updates in place |
//! | [`clip_scale`] | min(1, limit / ‖dw‖) |
//!
//! On a GPU an op is recorded and returns at once; only reads ([`Matrix::to_array`], a loss value) wait.

mod accuracy;
mod adagrad;
mod adam;
mod argmax;
pub(crate) mod bank;
mod bias_add;
mod clip_scale;
pub(crate) mod column_sum;
mod contract;
mod dense_backward;
mod dropout;
mod factor;
mod family;
mod gradients;
mod linear;
mod linear_backward;
mod linear_cross_entropy;
mod linear_gradients;
mod matmul;
mod momentum;
mod nll;
mod product;
mod relu;
mod rmsprop;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod statistics;
mod update;

use ndarray::ArrayView2;

use crate::cpu::TargetView;
use crate::device::Device;
use crate::error::{Error, Result};
#[cfg(test)]
use crate::gpu::Kernel;
use crate::gpu::{Buffer, Constant, Context, Operand, RowSplit};
use crate::matrix::{Matrix, Storage};
use crate::targets::{Kind, Targets};

pub use accuracy::{accuracy, accuracy_async};
pub(crate) use accuracy::{accuracy_by, hits};
pub use adagrad::adagrad;
pub(crate) use adam::Adam;
pub use adam::adam;
pub use argmax::argmax;
pub use bias_add::bias_add;
pub use clip_scale::clip_scale;
pub(crate) use clip_scale::{clip_scale_all, finite_scale};
pub use column_sum::column_sum;
pub use contract::{CrossEntropy, Reduction};
pub use dense_backward::dense_backward;
pub use dropout::{dropout, dropout_backward};
pub(crate) use gradients::{GradientRoom, InputGradient};
pub use linear::linear;
pub use linear_backward::linear_backward;
pub use linear_cross_entropy::linear_cross_entropy;
pub use linear_gradients::linear_gradients;
pub use matmul::{matmul, matmul_nt, matmul_tn};
pub use momentum::momentum;
pub(crate) use nll::nll_weight_sum;
pub use nll::{CLIP, nll, nll_backward, nll_backward_with, nll_with};
pub use relu::{relu, relu_backward, relu_mask};
pub use rmsprop::rmsprop;
pub(crate) use sgd::Sgd;
pub use sgd::sgd;
pub use softmax::{log_softmax, softmax, softmax_backward};
pub use softmax_cross_entropy::{Head, softmax_cross_entropy};
pub use statistics::Pending;
pub(crate) use statistics::PendingRead;
pub(crate) use update::{Rule, check_update, update, update_all};

pub use crate::options::{Activation, AdaGradOptions, AdamOptions, MomentumOptions, RmsPropOptions};
pub use crate::statistics::Statistics;

/// The kernels that work on single elements share these constants; those that work on rows share the others.
pub(crate) const ELEMENTWISE: &[&str] = &["THREADS", "PER_THREAD"];
pub(crate) const BY_ROW: &[&str] = &["LANES", "ROWS", "FAN"];
/// The same with the kind of targets.
pub(crate) const BY_ROW_AND_TARGETS: &[&str] = &["LANES", "ROWS", "FAN", "DISTRIBUTIONS"];

/// Every kernel of the crate.
#[cfg(test)]
pub(crate) fn kernels() -> Vec<&'static Kernel> {
    let mut kernels = vec![
        &accuracy::KERNEL,
        &argmax::KERNEL,
        &bias_add::KERNEL,
        &column_sum::KERNEL,
        &dropout::KERNEL,
        &softmax_cross_entropy::KERNEL,
        &contract::ROW_WEIGHTS,
        &statistics::KERNEL,
    ];
    kernels.extend(crate::gpu::kernels::all());
    kernels.extend(matmul::FAMILIES.iter().flat_map(|family| family.kernels()));
    kernels.extend(linear::FAMILY.kernels());
    kernels.extend(linear_backward::FAMILY.kernels());
    kernels.extend(linear_cross_entropy::KERNELS);
    kernels.extend(nll::KERNELS);
    kernels.extend(relu::KERNELS);
    kernels.extend(softmax::KERNELS);
    kernels
}

/// Operands in the one place where all of them live.
pub(crate) enum On<'a, const N: usize> {
    Cpu([ArrayView2<'a, f32>; N]),
    Gpu(&'a Context, [&'a Buffer; N]),
}

/// Finds where the operands live; an error unless that is one place.
pub(crate) fn on<'a, const N: usize>(op: &'static str, operands: [&'a Matrix; N]) -> Result<On<'a, N>> {
    let first = operands[0].device();
    if let Some(other) = operands.iter().map(|operand| operand.device()).find(|device| !first.same(device)) {
        return Err(other_device(op, first, other));
    }
    let mut views = Vec::with_capacity(N);
    let mut buffers = Vec::with_capacity(N);
    for operand in operands {
        match operand.storage() {
            Storage::Cpu(array) => views.push(array.view()),
            Storage::Gpu(buffer) => buffers.push(buffer.as_ref()),
        }
    }
    match (first.context(), views.try_into(), buffers.try_into()) {
        (None, Ok(views), _) => Ok(On::Cpu(views)),
        (Some(gpu), _, Ok(buffers)) => Ok(On::Gpu(gpu, buffers)),
        _ => Err(other_device(op, first, first)),
    }
}

/// A matrix and its targets in the one place where both live.
pub(crate) enum OnTargets<'a> {
    Cpu(ArrayView2<'a, f32>, TargetView<'a, f32>),
    Gpu(&'a Context, &'a Buffer, &'a Buffer),
}

/// Checks that there is a target a row and a column a class, and finds where both live.
pub(crate) fn on_targets<'a>(op: &'static str, x: &'a Matrix, targets: &'a Targets) -> Result<OnTargets<'a>> {
    if x.dims() != targets.dims() {
        let rule = "the matrix must have a row for each target and a column for each class";
        return Err(Error::Shape { op, rule, left: x.dims(), right: targets.dims() });
    }
    let other = || other_device(op, x.device(), targets.device());
    match (on(op, [x])?, targets.kind()) {
        (On::Cpu([x]), Kind::CpuClasses(ids)) => Ok(OnTargets::Cpu(x, TargetView::Classes(ids))),
        (On::Gpu(gpu, [x]), Kind::GpuClasses(ids)) if gpu.same(&ids.context()) => Ok(OnTargets::Gpu(gpu, x, ids)),
        (_, Kind::Distributions(shares)) => match on(op, [x, shares])? {
            On::Cpu([x, shares]) => Ok(OnTargets::Cpu(x, TargetView::Distributions(shares))),
            On::Gpu(gpu, [x, shares]) => Ok(OnTargets::Gpu(gpu, x, shares)),
        },
        _ => Err(other()),
    }
}

/// The buffer of targets that go with operands of this device.
pub(crate) fn gpu_targets<'a>(
    op: &'static str,
    device: &Device,
    gpu: &Context,
    targets: &'a Targets,
) -> Result<&'a Buffer> {
    let buffer = match targets.kind() {
        Kind::CpuClasses(_) => None,
        Kind::GpuClasses(ids) => Some(ids),
        Kind::Distributions(shares) => match shares.storage() {
            Storage::Cpu(_) => None,
            Storage::Gpu(shares) => Some(shares),
        },
    };
    let here = buffer.filter(|buffer| gpu.same(&buffer.context()));
    here.map(AsRef::as_ref).ok_or_else(|| other_device(op, device, targets.device()))
}

/// An error unless both matrices have one shape.
pub(crate) fn same_shape(op: &'static str, left: &Matrix, right: &Matrix) -> Result<()> {
    fits(op, "both shapes must be equal", left, right, left.shape() == right.shape())
}

/// A shape error with this rule, unless the shapes fit.
pub(crate) fn fits(op: &'static str, rule: &'static str, left: &Matrix, right: &Matrix, fit: bool) -> Result<()> {
    if fit { Ok(()) } else { Err(Error::Shape { op, rule, left: left.dims(), right: right.dims() }) }
}

fn other_device(op: &'static str, left: &Device, right: &Device) -> Error {
    Error::OtherDevice { op, left: left.info().name.clone(), right: right.info().name.clone() }
}

/// 1 for a flag that is set, as `override`s take it.
pub(crate) fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}

/// The constants of a row kernel that has one more.
pub(crate) fn row_constants(split: &RowSplit, name: &'static str, set: bool) -> [Constant; 4] {
    let [lanes, rows, fan] = split.constants();
    [lanes, rows, fan, (name, flag(set))]
}

/// How targets follow the rows of a launch: a class id a row, or a distribution.
pub(crate) fn target_operand<'a>(targets: &Targets, buffer: &'a Buffer) -> Operand<'a> {
    if targets.are_distributions() { Operand::Matrix(buffer) } else { Operand::PerRow(buffer, 1) }
}
