//! The operands of an op: checks that their shapes fit, and the device that holds them.

use ndarray::{Array2, ArrayView2};

use crate::cpu::TargetView;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::kernels::TargetBuffer;
use crate::gpu::{Buffer, Context};
use crate::matrix::Matrix;
use crate::storage::Storage;
use crate::targets::{Kind, Targets};

/// Operands on the one device where all of them live.
pub(crate) enum On<'a, const N: usize> {
    Cpu([ArrayView2<'a, f32>; N]),
    Gpu(&'a Context, [&'a Buffer; N]),
}

/// Finds the one device that holds all operands, or returns an error if they are on several.
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

/// The result of an op, a matrix of this shape. `on_cpu` or `on_gpu` computes it, depending on the device that holds all operands.
pub(super) fn computed<const N: usize>(
    op: &'static str,
    operands: [&Matrix; N],
    shape: (usize, usize),
    on_cpu: impl FnOnce([ArrayView2<'_, f32>; N]) -> Array2<f32>,
    on_gpu: impl FnOnce(&Context, [&Buffer; N], (usize, usize)) -> Result<Buffer>,
) -> Result<Matrix> {
    let device = operands[0].device();
    match on(op, operands)? {
        On::Cpu(values) => Ok(Matrix::on_cpu(device, on_cpu(values))),
        On::Gpu(gpu, buffers) => Ok(Matrix::on_gpu(device, shape.0, shape.1, on_gpu(gpu, buffers, shape)?)),
    }
}

/// A matrix and its targets on the one device where both live.
pub(crate) enum OnTargets<'a> {
    Cpu(ArrayView2<'a, f32>, TargetView<'a, f32>),
    Gpu(&'a Context, &'a Buffer, TargetBuffer<'a>),
}

/// Finds the device that holds a matrix and its targets. It is an error unless the matrix has a row for each target and a column for
/// each class.
pub(crate) fn on_targets<'a>(op: &'static str, x: &'a Matrix, targets: &'a Targets) -> Result<OnTargets<'a>> {
    if x.dims() != targets.dims() {
        let rule = "the matrix must have a row for each target and a column for each class";
        return Err(Error::Shape { op, rule, left: x.dims(), right: targets.dims() });
    }
    let other = || other_device(op, x.device(), targets.device());
    match (on(op, [x])?, targets.kind()) {
        (On::Cpu([x]), Kind::CpuClasses(ids)) => Ok(OnTargets::Cpu(x, TargetView::Classes(ids))),
        (On::Gpu(gpu, [x]), Kind::GpuClasses(ids)) if gpu.same(&ids.context()) => {
            Ok(OnTargets::Gpu(gpu, x, TargetBuffer::Classes(ids)))
        }
        (_, Kind::Distributions(shares)) => match on(op, [x, shares])? {
            On::Cpu([x, shares]) => Ok(OnTargets::Cpu(x, TargetView::Distributions(shares))),
            On::Gpu(gpu, [x, shares]) => Ok(OnTargets::Gpu(gpu, x, TargetBuffer::Distributions(shares))),
        },
        _ => Err(other()),
    }
}

/// The buffer of targets that must live on the device of an op's other operands.
pub(crate) fn gpu_targets<'a>(
    op: &'static str,
    device: &Device,
    gpu: &Context,
    targets: &'a Targets,
) -> Result<TargetBuffer<'a>> {
    let buffer = match targets.kind() {
        Kind::CpuClasses(_) => None,
        Kind::GpuClasses(ids) => Some(TargetBuffer::Classes(ids)),
        Kind::Distributions(shares) => shares.storage().gpu().map(TargetBuffer::Distributions),
    };
    let here = buffer.filter(|targets| gpu.same(&targets.buffer().context()));
    here.ok_or_else(|| other_device(op, device, targets.device()))
}

/// Refuses matrices that differ in shape.
pub(crate) fn same_shape(op: &'static str, left: &Matrix, right: &Matrix) -> Result<()> {
    fits(op, "both shapes must be equal", left, right, left.shape() == right.shape())
}

/// Refuses matrices whose shapes do not fit. The error states this rule.
pub(crate) fn fits(op: &'static str, rule: &'static str, left: &Matrix, right: &Matrix, fit: bool) -> Result<()> {
    if fit { Ok(()) } else { Err(Error::Shape { op, rule, left: left.dims(), right: right.dims() }) }
}

/// The error about operands on two devices.
fn other_device(op: &'static str, left: &Device, right: &Device) -> Error {
    Error::OtherDevice { op, left: left.info().name.clone(), right: right.info().name.clone() }
}
