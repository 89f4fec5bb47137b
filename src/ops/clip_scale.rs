//! clip_scale: what gradients are multiplied by so that their common norm stays below a limit.

use bytemuck::{Pod, Zeroable};

use super::column_sum;
use super::gradients::Gradients;
use super::segments::{SEGMENTS, Segment};
use super::{On, on};
use crate::cpu;
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, NormGrid, View};
use crate::matrix::{Joined, Matrix, part_words};
use crate::options::CLIP_EPSILON;

const OP: &str = "clip_scale";

static KERNEL: Kernel = Kernel {
    name: OP,
    file: "updates/clip_scale.wgsl",
    forms: Form::PLAIN,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Write],
    overrides: &["THREADS", "FAN"],
    sizes: &[],
};

static SQUARED_NORM: Kernel = Kernel {
    name: "squared_norm",
    file: "updates/clip_scale.wgsl",
    forms: Form::BY_FOUR,
    params: size_of::<NormParams>(),
    buffers: &[Access::Read, Access::Write],
    overrides: &["THREADS", "FAN"],
    sizes: &["SEGMENTS"],
};

#[cfg(test)]
pub(super) const KERNELS: [&Kernel; 2] = [&KERNEL, &SQUARED_NORM];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    max_norm: f32,
    epsilon: f32,
    nan: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct NormParams {
    segments: [Segment; SEGMENTS],
    count: u32,
    groups: u32,
    first: u32,
}

/// min(1, max_norm / (‖all gradients‖ + 10⁻⁶)), as 1 x 1: what PyTorch's `clip_grad_norm_` multiplies gradients by
/// (Pascanu et al., [2013](https://arxiv.org/abs/1211.5063)). [`OptimizerState::with_clip_norm`](crate::OptimizerState::with_clip_norm)
/// does it in a step.
///
/// NaN where a gradient is NaN; 0 where the sum of their squares is above the largest f32. Added along a fixed tree; error:
/// at most (20 + 2⁻¹⁷ n) u of itself for n values, u = 2⁻²³.
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
    check(max_norm)?;
    let first = *gradients.first().ok_or(Error::Empty { op: OP, shape: Shape { rows: 0, cols: 0 } })?;
    let (mut views, mut parts) = (Vec::new(), Vec::new());
    for gradient in gradients {
        match on(OP, [first, gradient])? {
            On::Cpu([_, dw]) => views.push(dw),
            On::Gpu(gpu, [_, dw]) => parts.extend(parts_of(gpu, dw)),
        }
    }
    match first.device().context() {
        None => {
            let scale = cpu::clip_scale(&views, max_norm);
            Ok(Matrix::on_cpu(first.device(), ndarray::array![[scale]]))
        }
        Some(gpu) => Ok(Matrix::on_gpu(first.device(), 1, 1, record(gpu, &parts, max_norm)?)),
    }
}

/// [`clip_scale`] of a model's gradients that lie side by side, in two launches; none where they lie apart.
pub(crate) fn clip_scale_joined(device: &Device, gradients: &Gradients, max_norm: f64) -> Result<Option<Matrix>> {
    check(max_norm)?;
    let (Some(gpu), Some((dw, segments))) = (device.context(), gradients.segments()) else { return Ok(None) };
    let parts: Vec<_> = parts_by_segment(gpu, View::from(dw), &segments).collect();
    Ok(Some(Matrix::on_gpu(device, 1, 1, record(gpu, &parts, max_norm)?)))
}

/// A buffer that holds these segments, in as many parts as launches need.
fn parts_by_segment<'a>(gpu: &Context, dw: View<'a>, segments: &'a [Segment]) -> impl Iterator<Item = Part<'a>> {
    let form = gpu.fours();
    let part = move |(first, end, segments)| Part { dw: dw.clone(), form, count: (end - first) / 4, segments };
    Segment::runs(segments).map(part)
}

/// A buffer by itself, in as many parts as bindings need.
fn parts_of<'a>(gpu: &Context, dw: &'a Buffer) -> impl Iterator<Item = Part<'a>> {
    let split = gpu.split_flat(dw.words());
    let fours = split.blocks().all(|block| block.cols.len().is_multiple_of(4));
    let (form, width) = if fours { (gpu.fours(), 4) } else { (Form::PLAIN, 1) };
    split.blocks().map(move |block| {
        let dw = View::of(dw, dw.words() as usize, block.rows.clone(), block.cols.clone());
        Part { dw, form, count: block.words() / width, segments: Segment::alike(&Default::default()) }
    })
}

/// 1 x 1: positive where all parameters and all that an optimizer keeps for them are finite and the sum of their squares is
/// too, else 0 or NaN. For those of a model that lie side by side a launch, one more for each slot, and one; and no wait.
pub(crate) fn finite_scale(parameters: &[&mut Matrix], slots: &[&Matrix]) -> Result<Matrix> {
    let (Some(joined), Some(first)) = (Joined::of(parameters), parameters.first()) else {
        let all = parameters.iter().map(|parameter| &**parameter).chain(slots.iter().copied());
        return clip_scale(&all.collect::<Vec<_>>(), 1.0);
    };
    let mut end = 0;
    let segment = |parameter: &&mut Matrix| {
        let (rows, cols) = parameter.shape();
        let filled = 4 * end + (rows * cols) as u32;
        end += (part_words(rows, cols) / 4) as u32;
        Segment::new(end, 0, 0, 1, filled)
    };
    let segments: Vec<_> = parameters.iter().map(segment).collect();
    let gpu = joined.context();
    let mut parts: Vec<_> = parts_by_segment(&gpu, joined.words(0, joined.count() as u32), &segments).collect();
    for slot in slots {
        match slot.storage().gpu() {
            // It lies as the parameters do, with their gaps.
            Some(buffer) if buffer.words() == joined.count() as u64 => {
                parts.extend(parts_by_segment(&gpu, buffer.into(), &segments));
            }
            Some(buffer) => parts.extend(parts_of(&gpu, buffer)),
            None => {}
        }
    }
    Ok(Matrix::on_gpu(first.device(), 1, 1, record(&gpu, &parts, 1.0)?))
}

/// Gradients that one launch sees.
struct Part<'a> {
    dw: View<'a>,
    form: Form,
    /// Values, of the form's width.
    count: u32,
    segments: [Segment; SEGMENTS],
}

fn record(gpu: &Context, parts: &[Part<'_>], max_norm: f64) -> Result<Buffer> {
    let total = parts.iter().map(|part| NormGrid::groups(part.count) as usize).sum();
    let squares = gpu.buffer(OP, 1, total)?;
    let whole = total as u64 <= gpu.binding_words();
    let mut next = 0;
    for part in parts {
        let groups = NormGrid::groups(part.count);
        let own = next..next + groups as usize;
        let (out, first) =
            if whole { (View::from(&squares), next as u32) } else { (View::of(&squares, total, 0..1, own.clone()), 0) };
        let launch = Launch {
            kernel: &SQUARED_NORM,
            constants: &[NormGrid::constants().as_slice(), &[("SEGMENTS", SEGMENTS as f64)]].concat(),
            params: NormParams { segments: part.segments, count: part.count, groups, first },
            buffers: &[part.dw.clone(), out],
            groups: groups.into(),
        };
        gpu.dispatch(launch, part.form)?;
        next = own.end;
    }
    let (squares, count) = match whole {
        true => (squares, total as u32),
        false => (column_sum::reduce(gpu, OP, squares, total, 1)?, 1),
    };
    let scale = gpu.buffer(OP, 1, 1)?;
    gpu.launch(Launch {
        kernel: &KERNEL,
        constants: &NormGrid::constants(),
        params: Params { count, max_norm: max_norm as f32, epsilon: CLIP_EPSILON as f32, nan: f32::NAN },
        buffers: &[View::from(&squares), View::from(&scale)],
        groups: 1,
    })?;
    Ok(scale)
}

fn check(max_norm: f64) -> Result<()> {
    // As the kernel takes it.
    let fit = max_norm > 0.0 && (max_norm as f32).is_normal();
    let (option, rule) = ("max_norm", "positive and finite");
    if fit { Ok(()) } else { Err(Error::Option { op: OP, option, rule, value: max_norm }) }
}
