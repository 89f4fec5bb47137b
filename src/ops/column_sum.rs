//! column_sum: the gradient of a bias, and every other sum over rows.

use bytemuck::{Pod, Zeroable};

use super::{On, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Buffer, ColumnGrid, Context, Form, Kernel, Launch, Split, View};
use crate::matrix::Matrix;

pub(super) static KERNEL: Kernel = Kernel {
    name: "column_sum",
    file: "elements/column_sum.wgsl",
    forms: Form::BY_FOUR,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Write],
    overrides: &["WIDTH", "LANES", "DEPTH", "RUN"],
    sizes: &[],
};

/// Their parameters.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    rows: u32,
    cols: u32,
    across: u32,
    blocks: u32,
}

impl Params {
    /// For so many rows, and columns counted in values.
    pub fn new(grid: &ColumnGrid, rows: usize, cols: usize) -> Self {
        let (across, blocks) = (grid.across(cols), grid.blocks(rows));
        Params { rows: rows as u32, cols: cols as u32, across: across as u32, blocks: blocks as u32 }
    }

    /// Workgroups.
    pub fn groups(&self) -> u64 {
        u64::from(self.across) * u64::from(self.blocks)
    }
}

/// Σ_r X, the sum of the rows, as one row: the bias's gradient.
///
/// Added along a fixed tree; error at most (20 + log2 rows) u Σ_r |x|, since only short runs are added one by one.
///
/// # Errors
/// None of its own.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_array(&Device::cpu(), array![[1., 2.], [3., 4.], [5., 6.]].view())?;
/// assert_eq!(ops::column_sum(&x)?.to_array()?, array![[9., 12.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn column_sum(x: &Matrix) -> Result<Matrix> {
    match on("column_sum", [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::column_sum(values))),
        On::Gpu(gpu, [values]) => {
            let sums = reduce_once(gpu, "column_sum", values, x.rows(), x.cols())?;
            let sums = reduce(gpu, "column_sum", sums.0, sums.1, x.cols())?;
            Ok(Matrix::on_gpu(x.device(), 1, x.cols(), sums))
        }
    }
}

/// The sum of the rows of a buffer that is no longer needed.
pub(crate) fn reduce(gpu: &Context, op: &'static str, x: Buffer, rows: usize, cols: usize) -> Result<Buffer> {
    let (mut x, mut rows) = (x, rows);
    while rows > 1 {
        (x, rows) = reduce_once(gpu, op, &x, rows, cols)?;
    }
    Ok(x)
}

/// The sum of a column, as one value.
pub(super) fn sum_of(gpu: &Context, op: &'static str, x: &Buffer, rows: usize) -> Result<Buffer> {
    let (sums, blocks) = reduce_once(gpu, op, x, rows, 1)?;
    reduce(gpu, op, sums, blocks, 1)
}

/// Adds `rows x cols` values up over the rows, into a buffer for one row of sums.
pub(super) fn reduce_into(
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
    let (sums, blocks) = reduce_once(gpu, op, x, rows, cols)?;
    reduce_into(gpu, op, &sums, blocks, cols, out)
}

/// One level of the tree: the sums of blocks of rows, and how many blocks there are.
pub(super) fn reduce_once(
    gpu: &Context,
    op: &'static str,
    x: &Buffer,
    rows: usize,
    cols: usize,
) -> Result<(Buffer, usize)> {
    let blocks = blocks(gpu, op, rows, cols)?;
    let out = gpu.buffer(op, blocks, cols)?;
    sum_blocks(gpu, op, x, rows, cols, &out)?;
    Ok((out, blocks))
}

/// How the kernel takes rows that are cut like this: its form, the width of a value, and the mapping.
pub(super) fn grid(gpu: &Context, split: Split, cols: usize) -> (Form, usize, ColumnGrid) {
    let fours = split.col_runs().all(|run| run.len().is_multiple_of(4));
    let (form, width) = if fours { (gpu.fours(), 4) } else { (Form::PLAIN, 1) };
    (form, width, ColumnGrid::new(cols / width, gpu.is_software()))
}

/// Blocks that so many rows make.
fn blocks(gpu: &Context, op: &'static str, rows: usize, cols: usize) -> Result<usize> {
    let split = gpu.split_tall(op, rows, cols)?;
    let (_, _, grid) = grid(gpu, split, cols);
    Ok(split.row_runs().map(|run| grid.blocks(run.len())).sum())
}

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
