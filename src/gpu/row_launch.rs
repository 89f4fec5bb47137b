//! Launches of row kernels, which reduce along rows. They need whole rows, so a row longer than a binding is refused.

use std::ops::Range;

use super::blocks::Split;
use super::context::Context;
use super::dispatch::Launch;
use super::encode::form::{Constant, Form};
use super::encode::kernel::Kernel;
use super::operand::{Operand, views};
use super::rows::RowGrid;
use crate::error::Result;

/// The window of a row kernel: the rows of a matrix that a launch sees, and the number of rows before them. `Window` in the shaders.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Window {
    rows: u32,
    cols: u32,
    first_row: u32,
    nan: f32,
}

impl Window {
    /// The window over all rows of a matrix.
    pub fn whole(rows: usize, cols: usize) -> Self {
        Self::of(&(0..rows), cols)
    }

    /// The window over these rows of a matrix.
    fn of(rows: &Range<usize>, cols: usize) -> Self {
        Window { rows: rows.len() as u32, cols: cols as u32, first_row: rows.start as u32, nan: f32::NAN }
    }
}

/// A launch of a row kernel over a matrix of any number of rows.
pub(crate) struct RowLaunch<'a> {
    pub kernel: &'static Kernel,
    /// The number of matrices whose rows the kernel reads in full. A lane keeps values of each.
    pub inputs: u32,
    pub constants: &'a [Constant],
    pub operands: &'a [Operand<'a>],
}

/// A matrix cut for a row kernel: blocks of rows that fit a binding, and how workgroups share the rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowSplit {
    split: Split,
    grid: RowGrid,
    /// Whether lanes may reduce with subgroup operations.
    subgroups: bool,
}

impl RowSplit {
    /// Workgroups over all blocks.
    pub fn groups(&self) -> usize {
        self.split.row_runs().map(|rows| self.groups_of(rows.len())).sum()
    }

    fn groups_of(&self, rows: usize) -> usize {
        self.grid.groups(rows) as usize
    }

    /// The constants that map rows to workgroups.
    pub fn constants(&self) -> [Constant; 3] {
        self.grid.constants()
    }

    /// Records the kernel, block by block, with the parameters for each.
    pub fn launch<P: bytemuck::NoUninit>(
        &self,
        gpu: &Context,
        launch: &RowLaunch<'_>,
        params: impl Fn(Window) -> P,
    ) -> Result<()> {
        let cols = self.split.cols;
        // Only kernels that read all values of their rows have forms for it.
        let fours = |words: usize| words.is_multiple_of(4);
        let along = launch.kernel.forms.held.then(|| {
            let all_fours = self.split.row_runs().all(|rows| fours(rows.len() * cols));
            self.grid.along(cols, fours(cols), all_fours, launch.inputs)
        });
        let along = along.flatten();
        let constants: Vec<_> = launch.constants.iter().copied().chain(along.map(|along| along.held)).collect();
        let subgroups = self.subgroups && self.grid.is_a_row_a_group();
        let form = Form { subgroups, ..along.map_or(Form::PLAIN, |along| along.form) };
        let mut first_group = 0;
        for block in self.split.blocks() {
            let groups = first_group..first_group + self.groups_of(block.rows.len());
            first_group = groups.end;
            let dispatch = Launch {
                kernel: launch.kernel,
                constants: &constants,
                params: params(Window::of(&block.rows, self.split.cols)),
                groups: groups.len() as u64,
                buffers: &views(launch.operands, &self.split, &block, groups),
            };
            gpu.dispatch(dispatch, form)?;
        }
        Ok(())
    }
}

impl Context {
    /// Cuts `rows x cols` into blocks of whole rows for a row kernel, and maps rows of `lanes_for` columns to lanes.
    pub fn split_rows(&self, op: &'static str, rows: usize, cols: usize, lanes_for: usize) -> Result<RowSplit> {
        let split = self.split_whole_rows(op, rows, cols)?;
        let grid = RowGrid::new(lanes_for, self.traits.software, self.options.debug.row_lanes, &self.limits);
        Ok(RowSplit { split, grid, subgroups: self.uses_subgroups() })
    }

    /// Cuts a list of records for a kernel whose threads take one record each.
    pub fn split_records(&self, op: &'static str, records: usize) -> Result<RowSplit> {
        let rows = if self.traits.software { RowGrid::SOFTWARE_ROWS } else { RowGrid::MOST_ROWS };
        Ok(RowSplit { split: self.split(op, records, 1)?, grid: RowGrid::by_thread(rows), subgroups: false })
    }
}
