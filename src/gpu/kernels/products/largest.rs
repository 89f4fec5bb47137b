//! The largest magnitude of each line of a factor, which decides the line's scale: `shaders/products/largest.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::window::Factor;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Constant, Context, Form, Kernel, Launch, View};

/// Parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct LargestParams {
    rows: u32,
    cols: u32,
    run: u32,
    across: u32,
}

/// The kernel, under this op's name.
pub(super) const fn kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "products/largest.wgsl",
        forms: Form::PLAIN,
        params: size_of::<LargestParams>(),
        buffers: &[Access::Read, Access::Write],
        overrides: &[],
        sizes: &["THREADS", "ROWS", "VECTORS"],
    }
}

/// The grid of the kernel: threads own columns, or fours of them, of blocks of rows.
pub(in crate::gpu) struct LargestGrid;

impl LargestGrid {
    const THREADS: u32 = 64;
    /// Rows that a thread reads at a time.
    const ROWS: u32 = 16;
    /// Rows of a block, at least.
    const RUN: usize = 64;
    /// The number of workgroups that keep a large device's memory busy. More would make more blocks, and few threads join their
    /// results.
    const ENOUGH: usize = 256;

    /// The numbers as the shader wants them; `vectors` says whether cells are fours of columns.
    pub fn constants(vectors: bool) -> [Constant; 3] {
        [("THREADS", Self::THREADS), ("ROWS", Self::ROWS), ("VECTORS", u32::from(vectors))]
            .map(|(name, value)| (name, f64::from(value)))
    }

    /// Workgroups across so many cells.
    fn across(cells: usize) -> usize {
        cells.div_ceil(Self::THREADS as usize)
    }

    /// Rows of the blocks that workgroups look at.
    fn run(rows: usize, cells: usize) -> usize {
        rows.div_ceil((Self::ENOUGH / Self::across(cells)).max(1)).max(Self::RUN)
    }
}

/// The number of cells in a row of memory, for a factor whose steps lie along memory. A cell is a line, or four lines.
fn cells(factor: &Factor<'_>) -> usize {
    if factor.has_vectors() { factor.lines / 4 } else { factor.lines }
}

/// Rows of a block, and the number of blocks.
fn blocks(factor: &Factor<'_>) -> (usize, usize) {
    let run = LargestGrid::run(factor.steps, cells(factor));
    (run, factor.steps.div_ceil(run))
}

/// Records the search for the largest magnitude of each line in each block of steps. If lines lie along memory, `cut.wgsl` finds the
/// magnitudes, and this only makes the buffer for them.
pub(super) fn of_blocks(gpu: &Context, kernel: &'static Kernel, factor: &Factor<'_>) -> Result<Buffer> {
    if factor.along {
        return gpu.buffer(kernel.name, 1, factor.lines);
    }
    let (run, blocks) = blocks(factor);
    let out = gpu.buffer(kernel.name, blocks, factor.lines)?;
    launch(gpu, kernel, factor, factor.view.clone(), [factor.steps, run, blocks], &out)?;
    Ok(out)
}

/// Records the search for each line's largest magnitude over all blocks.
pub(super) fn of_all(gpu: &Context, kernel: &'static Kernel, factor: &Factor<'_>, of_blocks: Buffer) -> Result<Buffer> {
    if factor.along {
        return Ok(of_blocks);
    }
    let (_, blocks) = blocks(factor);
    if blocks == 1 {
        return Ok(of_blocks);
    }
    let out = gpu.buffer(kernel.name, 1, factor.lines)?;
    launch(gpu, kernel, factor, View::from(&of_blocks), [blocks, blocks, 1], &out)?;
    Ok(out)
}

fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    factor: &Factor<'_>,
    matrix: View<'_>,
    [rows, run, blocks]: [usize; 3],
    out: &Buffer,
) -> Result<()> {
    let cols = cells(factor);
    let across = LargestGrid::across(cols);
    gpu.launch(Launch {
        kernel,
        constants: &LargestGrid::constants(factor.has_vectors()),
        params: LargestParams { rows: rows as u32, cols: cols as u32, run: run as u32, across: across as u32 },
        buffers: &[matrix, View::from(out)],
        groups: blocks as u64 * across as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::LargestGrid;

    #[test]
    fn blocks_of_rows_keep_a_device_busy_and_are_not_short() {
        assert_eq!(LargestGrid::run(65_536, 128), 512);
        assert_eq!(LargestGrid::run(10, 128), 64);
        assert!(LargestGrid::run(usize::MAX / 2, 1 << 20) >= usize::MAX / 2);
    }
}
