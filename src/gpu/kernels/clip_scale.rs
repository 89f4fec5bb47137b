//! The kernels of clip_scale: one sums the squares in each workgroup, and one computes the scale from these sums.

use bytemuck::{Pod, Zeroable};

use super::column_sum;
use crate::error::Result;
use crate::gpu::bank::{self, GradientSource, ParameterRange, RANGES, Run};
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, NormGrid, View};
use crate::options::CLIP_EPSILON;

static KERNEL: Kernel = Kernel {
    name: "clip_scale",
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
    sizes: &["RANGES"],
};

#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 2] = [&KERNEL, &SQUARED_NORM];

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
    ranges: [ParameterRange; RANGES],
    count: u32,
    groups: u32,
    first: u32,
}

/// The scale min(1, max_norm / (norm of all gradients + epsilon)), as one word.
pub(crate) fn clip_scale(gpu: &Context, gradients: &[GradientSource<'_>], max_norm: f32) -> Result<Buffer> {
    let op = KERNEL.name;
    let runs = bank::runs(gpu, &[], gradients);
    let total = runs.iter().map(|run| NormGrid::groups(run.count) as usize).sum();
    let squares = squares(gpu, &runs, total)?;
    let (squares, count) = match total as u64 <= gpu.binding_words() {
        true => (squares, total as u32),
        false => (column_sum::reduce(gpu, op, squares, total, 1)?, 1),
    };
    let scale = gpu.buffer(op, 1, 1)?;
    gpu.launch(Launch {
        kernel: &KERNEL,
        constants: &NormGrid::constants(),
        params: Params { count, max_norm, epsilon: CLIP_EPSILON as f32, nan: f32::NAN },
        buffers: &[View::from(&squares), View::from(&scale)],
        groups: 1,
    })?;
    Ok(scale)
}

/// The sums of squares of all workgroups, `total` of them.
fn squares(gpu: &Context, runs: &[Run<'_>], total: usize) -> Result<Buffer> {
    let squares = gpu.buffer(KERNEL.name, 1, total)?;
    let whole = total as u64 <= gpu.binding_words();
    let mut next = 0;
    for run in runs {
        let groups = NormGrid::groups(run.count);
        let own = next..next + groups as usize;
        let (out, first) =
            if whole { (View::from(&squares), next as u32) } else { (View::of(&squares, total, 0..1, own.clone()), 0) };
        let launch = Launch {
            kernel: &SQUARED_NORM,
            constants: &[NormGrid::constants().as_slice(), &[("RANGES", RANGES as f64)]].concat(),
            params: NormParams { ranges: run.ranges, count: run.count, groups, first },
            buffers: &[run.gradients.clone(), out],
            groups: groups.into(),
        };
        gpu.dispatch(launch, run.form)?;
        next = own.end;
    }
    Ok(squares)
}
