//! nll and nll_backward: the clipped negative log-likelihood of probabilities, as the notebook has it.

use bytemuck::{Pod, Zeroable};

use super::{
    BY_ROW_AND_TARGETS, COMMON, EACH_ROW, ELEMENTS, OnTargets, ROWS, TARGETS, flag, on_targets, row_constants,
    target_operand,
};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Block, ElementLaunch, Kernel, LinearGrid, Operand, RowLaunch, WHOLE_ROWS, Window};
use crate::matrix::Matrix;
use crate::targets::Targets;

/// Probabilities are clipped to `CLIP ..= 1 - CLIP` before the logarithm, so that a loss stays finite.
///
/// ```
/// assert_eq!(wgpu_mlp::ops::CLIP, 1e-7);
/// ```
pub const CLIP: f64 = 1e-7;

static NLL: Kernel = Kernel {
    name: "nll",
    source: &[COMMON, ROWS, EACH_ROW, WHOLE_ROWS, TARGETS, include_str!("../../shaders/nll.wgsl")],
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: BY_ROW_AND_TARGETS,
    sizes: &[],
};
static NLL_BACKWARD: Kernel = Kernel {
    name: "nll_backward",
    source: &[COMMON, ELEMENTS, TARGETS, include_str!("../../shaders/nll_backward.wgsl")],
    params: size_of::<BackwardParams>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: &["THREADS", "PER_THREAD", "DISTRIBUTIONS"],
    sizes: &[],
};
#[cfg(test)]
pub(super) static KERNELS: [&Kernel; 2] = [&NLL, &NLL_BACKWARD];

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    window: Window,
    low: f32,
    high: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct BackwardParams {
    count: u32,
    cols: u32,
    first_col: u32,
    classes: u32,
    rows: f32,
    low: f32,
    high: f32,
    nan: f32,
}

/// Per-row losses -ln clip(p_t, ε, 1 - ε), ε = [`CLIP`], as `rows x 1`; for distributions Σ_c y_c · -ln clip(p_c).
///
/// `probs` is `rows x classes`. The result is finite for every probability from 0 to 1, and NaN where the row's
/// probability is NaN. Error: at most 2⁻²¹ + 4u |loss| (times Σ y for distributions), u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row and a column a class.
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
    let (rows, cols) = probs.shape();
    match on_targets("nll", probs, targets)? {
        OnTargets::Cpu(p, y) => Ok(Matrix::on_cpu(probs.device(), cpu::nll(p, y, CLIP))),
        OnTargets::Gpu(gpu, p, y) => {
            let distributions = targets.are_distributions();
            // With class ids a row reads a single probability, so one lane does.
            let split = gpu.split_rows("nll", rows, cols, if distributions { cols } else { 1 })?;
            let out = gpu.buffer("nll", rows, 1)?;
            let (low, high) = clip();
            split.launch(
                gpu,
                &RowLaunch {
                    kernel: &NLL,
                    constants: &row_constants(&split, "DISTRIBUTIONS", distributions),
                    reductions: 1,
                    operands: &[Operand::Matrix(p), target_operand(targets, y), Operand::PerRow(&out, 1)],
                },
                |window| Params { window, low, high },
            )?;
            Ok(Matrix::on_gpu(probs.device(), rows, 1, out))
        }
    }
}

/// The gradient of the mean of [`nll`]: dprobs = -y / (clip(p, ε, 1 - ε) · rows), 0 where y is 0.
///
/// The notebook's `backward`, with p clipped as in [`nll`], so that it is finite at p = 0.
/// Error: at most 6u |dprobs|, u = 2⁻²³.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row and a column a class.
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
    let (rows, cols) = probs.shape();
    match on_targets("nll_backward", probs, targets)? {
        OnTargets::Cpu(p, y) => Ok(Matrix::on_cpu(probs.device(), cpu::nll_backward(p, y, CLIP))),
        OnTargets::Gpu(gpu, p, y) => {
            let out = gpu.buffer("nll_backward", rows, cols)?;
            let [threads, per_thread] = LinearGrid::constants();
            let (low, high) = clip();
            let params = |block: &Block, _: u32| BackwardParams {
                count: block.words(),
                cols: block.cols.len() as u32,
                first_col: block.cols.start as u32,
                classes: cols as u32,
                rows: rows as f32,
                low,
                high,
                nan: f32::NAN,
            };
            gpu.launch_elements(
                gpu.split("nll_backward", rows, cols)?,
                &ElementLaunch {
                    kernel: &NLL_BACKWARD,
                    constants: &[threads, per_thread, ("DISTRIBUTIONS", flag(targets.are_distributions()))],
                    operands: &[Operand::Matrix(p), target_operand(targets, y), Operand::Matrix(&out)],
                },
                params,
            )?;
            Ok(Matrix::on_gpu(probs.device(), rows, cols, out))
        }
    }
}

/// The bounds as the kernels take them.
fn clip() -> (f32, f32) {
    (CLIP as f32, (1.0 - CLIP) as f32)
}
