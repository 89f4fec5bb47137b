//! The kernel of column_sum, which is launched once for each level of a tree of blocks of rows; and the mapping to workgroups of all
//! kernels that go down columns.

use bytemuck::{Pod, Zeroable};

use crate::error::Result;
use crate::gpu::{Access, Buffer, ColumnGrid, Context, Form, Kernel, Launch, Split, View};

pub(super) static KERNEL: Kernel = Kernel {
    name: "column_sum",
    file: "elements/column_sum.wgsl",
    forms: Form::BY_FOUR,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Write],
    overrides: &["WIDTH", "LANES", "DEPTH", "RUN"],
    sizes: &[],
};

/// The parameters of kernels that go down columns.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    rows: u32,
    cols: u32,
    across: u32,
    blocks: u32,
}

impl Params {
    /// The parameters for so many rows, and for columns that are counted in values.
    pub fn new(grid: &ColumnGrid, rows: usize, cols: usize) -> Self {
        let (across, blocks) = (grid.across(cols), grid.blocks(rows));
        Params { rows: rows as u32, cols: cols as u32, across: across as u32, blocks: blocks as u32 }
    }

    /// Number of workgroups.
    pub fn groups(&self) -> u64 {
        u64::from(self.across) * u64::from(self.blocks)
    }
}

/// The sum of the rows of a `rows x cols` matrix, as one row.
pub(crate) fn column_sum(gpu: &Context, op: &'static str, x: &Buffer, (rows, cols): (usize, usize)) -> Result<Buffer> {
    let (sums, blocks) = one_level(gpu, op, x, rows, cols)?;
    reduce(gpu, op, sums, blocks, cols)
}

/// The sum of the rows of a matrix whose buffer is no longer needed.
pub(crate) fn reduce(gpu: &Context, op: &'static str, x: Buffer, rows: usize, cols: usize) -> Result<Buffer> {
    let (mut x, mut rows) = (x, rows);
    while rows > 1 {
        (x, rows) = one_level(gpu, op, &x, rows, cols)?;
    }
    Ok(x)
}

/// Writes the sum of the rows of a matrix to the start of `out`.
pub(crate) fn reduce_into(
    gpu: &Context,
    op: &'static str,
    x: &Buffer,
    rows: usize,
    cols: usize,
    out: &Buffer,
) -> Result<()> {
    if blocks(gpu, op, rows, cols)? == 1 {
        return sum_blocks(gpu, op, x, rows, cols, out);
    }
    let (sums, blocks) = one_level(gpu, op, x, rows, cols)?;
    reduce_into(gpu, op, &sums, blocks, cols, out)
}

/// Records one level of the tree. Returns the sums of the blocks of rows, and the number of blocks.
fn one_level(gpu: &Context, op: &'static str, x: &Buffer, rows: usize, cols: usize) -> Result<(Buffer, usize)> {
    let blocks = blocks(gpu, op, rows, cols)?;
    let out = gpu.buffer(op, blocks, cols)?;
    sum_blocks(gpu, op, x, rows, cols, &out)?;
    Ok((out, blocks))
}

/// The form of a kernel that goes down the columns of a matrix with this split, the width of its values, and the mapping to
/// workgroups.
pub(super) fn grid(gpu: &Context, split: Split, cols: usize) -> (Form, usize, ColumnGrid) {
    let fours = split.col_runs().all(|run| run.len().is_multiple_of(4));
    let (form, width) = if fours { (gpu.fours(), 4) } else { (Form::PLAIN, 1) };
    (form, width, ColumnGrid::new(cols / width, gpu.is_software()))
}

/// The number of blocks that so many rows make.
fn blocks(gpu: &Context, op: &'static str, rows: usize, cols: usize) -> Result<usize> {
    let split = gpu.split_tall(op, rows, cols)?;
    let (_, _, grid) = grid(gpu, split, cols);
    Ok(split.row_runs().map(|run| grid.blocks(run.len())).sum())
}

/// Launches the kernel for each part of the matrix that a binding holds.
fn sum_blocks(gpu: &Context, op: &'static str, x: &Buffer, rows: usize, cols: usize, out: &Buffer) -> Result<()> {
    let split = gpu.split_tall(op, rows, cols)?;
    let (form, width, grid) = grid(gpu, split, cols);
    let mut first = 0;
    for run in split.row_runs() {
        let sums = first..first + grid.blocks(run.len());
        for across in split.col_runs() {
            let params = Params::new(&grid, run.len(), across.len() / width);
            let launch = Launch {
                kernel: &KERNEL,
                constants: &grid.constants(),
                params,
                buffers: &[
                    View::of(x, cols, run.clone(), across.clone()),
                    View::of(out, cols, sums.clone(), across.clone()),
                ],
                groups: params.groups(),
            };
            gpu.dispatch(launch, form)?;
        }
        first = sums.end;
    }
    Ok(())
}
