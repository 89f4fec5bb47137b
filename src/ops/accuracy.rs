//! accuracy: the share of rows whose maximum is where it should be.

use bytemuck::{Pod, Zeroable};

use super::statistics::{self, Pending, Record};
use super::{COMMON, OnTargets, RECORD, ROW_CLASS, ROWS, TARGETS, flag, on_targets, word};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Kernel, Launch, RowGrid};
use crate::matrix::Matrix;
use crate::targets::Targets;

pub(super) static KERNEL: Kernel = Kernel {
    name: "accuracy",
    source: &[COMMON, ROWS, TARGETS, ROW_CLASS, RECORD, include_str!("../../shaders/accuracy.wgsl")],
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: &["LANES", "ROWS", "FAN", "DISTRIBUTIONS"],
    sizes: &[],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    cols: u32,
}

/// The mean of 1\[argmax(x) = class\]: the share of rows whose first maximum is their class, or their distribution's
/// first maximum. `x` holds probabilities or logits, `rows x classes`; a row with NaN is a miss. On a GPU this waits.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there is a target a row and a column a class; as
/// [`Matrix::to_array`] while waiting.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let probs = Matrix::from_slice(&device, 3, 3, &[0.2, 0.7, 0.1, 0.5, 0.1, 0.4, 0.02, 0.9, 0.08])?;
/// let targets = Targets::classes(&device, &[0u8, 1, 1], 3)?;
/// assert_eq!(ops::accuracy(&probs, &targets)?, 1.0 / 3.0);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn accuracy(x: &Matrix, targets: &Targets) -> Result<f64> {
    let (rows, cols) = x.shape();
    let correct = match on_targets("accuracy", x, targets)? {
        OnTargets::Cpu(values, y) => cpu::accuracy(values, y),
        OnTargets::Gpu(gpu, values, y) => {
            let grid = RowGrid::new(cols);
            let groups = grid.groups(rows);
            let [lanes, shared, fan] = grid.constants();
            let records = gpu.buffer("accuracy", groups as usize, Record::WORDS)?;
            gpu.launch(Launch {
                kernel: &KERNEL,
                constants: &[lanes, shared, fan, ("DISTRIBUTIONS", flag(targets.are_distributions()))],
                params: Params { rows: word(rows), cols: word(cols) },
                buffers: &[values, y, &records],
                groups,
            })?;
            Pending::Recorded(statistics::reduce(gpu, "accuracy", records, groups as usize)?).read()?.correct
        }
    };
    Ok(correct as f64 / rows as f64)
}
