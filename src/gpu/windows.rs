//! Windows: how matrices that are larger than a binding reach the kernels.
//!
//! A kernel sees dense blocks, each from the start of its binding. A block of whole rows lies in the matrix as it is and
//! is bound there, as long as it starts at a multiple of the device's offset alignment; any other is copied to a scratch
//! buffer and back, on the device. [`Split`] chooses blocks that need no copies wherever a binding holds a few rows. Kernels that
//! see rows whole refuse those that are longer than a binding: [`Context::split_whole_rows`].

use std::ops::Range;

use super::budget;
use super::buffers::Buffer;
use super::context::Context;
use super::kernel::{Constant, Form, Kernel, Launch};
use super::rows::{LinearGrid, RowGrid};
use crate::error::{Error, Result};

/// Words that a binding must have room for beside a row: a record of statistics.
const RECORD_ROOM: u64 = 8;

/// Rows that a block has at least where rows are to be joined.
const TALL: usize = 16;

/// A run of a buffer's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub buffer: &'a Buffer,
    pub offset: u64,
    pub bytes: u64,
}

impl<'a> Piece<'a> {
    /// All of a buffer's content.
    pub fn of(buffer: &'a Buffer) -> Self {
        Piece { buffer, offset: buffer.offset(), bytes: buffer.bytes() }
    }
}

/// A block of a row-major matrix, in four-byte words.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    buffer: &'a Buffer,
    /// Words from one row of the matrix to the next.
    pitch: u64,
    rows: Range<u64>,
    cols: Range<u64>,
}

impl<'a> From<&'a Buffer> for View<'a> {
    /// The whole buffer.
    fn from(buffer: &'a Buffer) -> Self {
        View { buffer, pitch: buffer.words(), rows: 0..1, cols: 0..buffer.words() }
    }
}

impl<'a> View<'a> {
    /// These rows and columns of a matrix that is `pitch` columns wide.
    pub fn of(buffer: &'a Buffer, pitch: usize, rows: Range<usize>, cols: Range<usize>) -> Self {
        let wide = |range: Range<usize>| range.start as u64..range.end as u64;
        View { buffer, pitch: pitch as u64, rows: wide(rows), cols: wide(cols) }
    }

    pub fn words(&self) -> u64 {
        (self.rows.end - self.rows.start) * (self.cols.end - self.cols.start)
    }

    pub(super) fn buffer(&self) -> &'a Buffer {
        self.buffer
    }

    /// Whether both name some memory that is the same; of blocks of a matrix, whether their rows and columns do.
    pub(super) fn meets(&self, other: &View<'_>) -> bool {
        let overlap = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
        if self.buffer.raw().id != other.buffer.raw().id {
            return false;
        }
        let alike = (self.buffer.offset(), self.pitch) == (other.buffer.offset(), other.pitch);
        let bytes = |view: &View<'_>| {
            let word = |row: u64, col: u64| view.buffer.offset() + 4 * (row * view.pitch + col);
            word(view.rows.start, view.cols.start)..word(view.rows.end.saturating_sub(1), view.cols.end)
        };
        match alike {
            true => overlap(&self.rows, &other.rows) && overlap(&self.cols, &other.cols),
            false => overlap(&bytes(self), &bytes(other)),
        }
    }

    /// Whether both name the same words.
    pub(super) fn same(&self, other: &View<'_>) -> bool {
        std::ptr::eq(self.buffer, other.buffer) && self.rows == other.rows && self.cols == other.cols
    }

    pub fn is_whole(&self) -> bool {
        self.words() == self.buffer.words()
    }

    /// The view as one run of bytes, if that is what it is.
    pub(super) fn piece(&self) -> Option<Piece<'a>> {
        let rows = self.rows.end - self.rows.start;
        let dense = rows == 1 || self.cols.end - self.cols.start == self.pitch;
        dense.then(|| self.run(self.rows.start, self.words()))
    }

    /// The runs of bytes that make up the view, in order.
    pub(super) fn pieces(&self) -> Vec<Piece<'a>> {
        let cols = self.cols.end - self.cols.start;
        match self.piece() {
            Some(piece) => vec![piece],
            None => self.rows.clone().map(|row| self.run(row, cols)).collect(),
        }
    }

    fn run(&self, row: u64, words: u64) -> Piece<'a> {
        let offset = self.buffer.offset() + 4 * (row * self.pitch + self.cols.start);
        Piece { buffer: self.buffer, offset, bytes: 4 * words }
    }
}

/// Rows and columns of a matrix that a launch works on at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub rows: Range<usize>,
    pub cols: Range<usize>,
}

impl Block {
    /// The number of elements: no more than a binding holds, and no binding is longer than u32 counts. Only the plans for the CPU
    /// path, which has no bindings, know larger blocks.
    pub fn words(&self) -> u32 {
        u32::try_from(self.rows.len() as u64 * self.cols.len() as u64).unwrap_or(u32::MAX)
    }
}

/// A matrix cut into blocks: of whole rows where a binding holds one, else of pieces of single rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    rows: usize,
    cols: usize,
    block_rows: usize,
    block_cols: usize,
}

impl Split {
    /// The blocks, row by row and left to right.
    pub fn blocks(self) -> impl Iterator<Item = Block> {
        self.row_runs().flat_map(move |rows| self.col_runs().map(move |cols| Block { rows: rows.clone(), cols }))
    }

    /// The rows of the blocks.
    pub fn row_runs(self) -> impl Iterator<Item = Range<usize>> {
        runs(self.rows, self.block_rows)
    }

    /// The columns of the blocks.
    pub fn col_runs(self) -> impl Iterator<Item = Range<usize>> {
        runs(self.cols, self.block_cols)
    }
}

/// A length in steps, the last of which may be shorter.
pub(crate) fn runs(length: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length.div_ceil(step)).map(move |i| i * step..length.min((i + 1).saturating_mul(step)))
}

/// How an operand follows the blocks of a launch.
#[derive(Clone, Debug)]
pub(crate) enum Operand<'a> {
    /// `rows x cols`, as the matrix that is cut.
    Matrix(&'a Buffer),
    /// So many words a row.
    PerRow(&'a Buffer, usize),
    /// So many words a workgroup.
    PerGroup(&'a Buffer, usize),
    /// The same for every block.
    Fixed(View<'a>),
}

fn views<'a>(operands: &[Operand<'a>], split: &Split, block: &Block, groups: Range<usize>) -> Vec<View<'a>> {
    operands.iter().map(|operand| operand.view(split, block, groups.clone())).collect()
}

impl<'a> Operand<'a> {
    fn view(&self, split: &Split, block: &Block, groups: Range<usize>) -> View<'a> {
        match self {
            Operand::Matrix(buffer) => View::of(buffer, split.cols, block.rows.clone(), block.cols.clone()),
            Operand::PerRow(buffer, words) => View::of(buffer, *words, block.rows.clone(), 0..*words),
            Operand::PerGroup(buffer, words) => View::of(buffer, *words, groups, 0..*words),
            Operand::Fixed(view) => view.clone(),
        }
    }
}

/// What a row kernel knows about the rows before it: `Window` in `shaders/rows/rows.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(crate) struct Window {
    rows: u32,
    cols: u32,
    first_row: u32,
    nan: f32,
}

impl Window {
    /// All of a matrix.
    pub fn whole(rows: usize, cols: usize) -> Self {
        Self::of(&(0..rows), cols)
    }

    /// These rows of a matrix.
    fn of(rows: &Range<usize>, cols: usize) -> Self {
        Window { rows: rows.len() as u32, cols: cols as u32, first_row: rows.start as u32, nan: f32::NAN }
    }
}

/// A launch of a row kernel over a matrix of any number of rows.
pub(crate) struct RowLaunch<'a> {
    pub kernel: &'static Kernel,
    /// How many matrices the kernel goes along all values of, and a lane keeps values of.
    pub inputs: u32,
    pub constants: &'a [Constant],
    pub operands: &'a [Operand<'a>],
}

/// Rows as workgroups share them, in blocks that fit a binding.
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
        // Only kernels that go along all of their rows' values care how.
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

/// A launch of an elementwise kernel over a matrix of any size.
pub(crate) struct ElementLaunch<'a> {
    pub kernel: &'static Kernel,
    pub constants: &'a [Constant],
    pub operands: &'a [Operand<'a>],
}

impl Context {
    /// Four-byte words that a binding holds.
    pub fn binding_words(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size / 4
    }

    /// Words from one offset at which a binding may start to the next.
    fn offset_words(&self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment).div_ceil(4).max(1)
    }

    /// Cuts `rows x cols` into blocks that a binding holds.
    pub fn split(&self, op: &'static str, rows: usize, cols: usize) -> Result<Split> {
        // Row and column numbers are u32 in the kernels, with the highest as a mark.
        let allowed = u64::from(u32::MAX);
        for (what, needed) in [("rows", rows), ("columns", cols)] {
            if needed as u64 >= allowed {
                return Err(Error::Limit { op, what, needed: needed as u64, allowed: allowed - 1 });
            }
        }
        Ok(self.cut(rows, cols))
    }

    /// Cuts `rows x cols` into blocks of several rows each, of whole ones where a binding holds some.
    pub fn split_tall(&self, op: &'static str, rows: usize, cols: usize) -> Result<Split> {
        let split = self.split(op, rows, cols)?;
        let room = self.binding_words() as usize;
        if split.block_rows >= rows.min(TALL) {
            return Ok(split);
        }
        Ok(Split { block_rows: rows.min(TALL), block_cols: cols.min(room / TALL), ..split })
    }

    /// Cuts a run of elements, whatever their rows and columns, into blocks that a binding holds and a dispatch may go through.
    pub fn split_flat(&self, elements: u64) -> Split {
        let room = round_down(self.binding_words().min(budget::WORDS), self.offset_words());
        Split { rows: 1, cols: elements as usize, block_rows: 1, block_cols: elements.min(room) as usize }
    }

    fn cut(&self, rows: usize, cols: usize) -> Split {
        let room = self.binding_words();
        let rows_of = |words: u64| words / (cols as u64).max(RECORD_ROOM);
        let whole = rows_of(room.min(budget::WORDS)).max(rows_of(room).min(1));
        if whole == 0 {
            let block_cols = round_down(room, self.offset_words()) as usize;
            return Split { rows, cols, block_rows: 1, block_cols: block_cols.min(cols) };
        }
        // Every row count that is a multiple of the alignment's words starts aligned, whatever the columns.
        let block_rows = match whole >= rows as u64 {
            true => rows,
            false => round_down(round_down(whole, self.offset_words()), RowGrid::MOST_ROWS.into()) as usize,
        };
        Split { rows, cols, block_rows, block_cols: cols }
    }

    /// Windows in which kernels see a matrix of this shape.
    pub fn windows(&self, rows: usize, cols: usize) -> u64 {
        let split = self.cut(rows, cols);
        split.row_runs().count() as u64 * split.col_runs().count() as u64
    }

    /// Cuts `rows x cols` into blocks of whole rows; refuses rows that are longer than a binding.
    pub fn split_whole_rows(&self, op: &'static str, rows: usize, cols: usize) -> Result<Split> {
        let (needed, allowed) = (4 * (cols as u64).max(RECORD_ROOM), 4 * self.binding_words());
        if needed > allowed {
            return Err(Error::Limit { op, what: "bytes in one row", needed, allowed });
        }
        self.split(op, rows, cols)
    }

    /// Cuts `rows x cols` into blocks of whole rows for a row kernel, and maps rows of `lanes_for` columns to lanes.
    pub fn split_rows(&self, op: &'static str, rows: usize, cols: usize, lanes_for: usize) -> Result<RowSplit> {
        let split = self.split_whole_rows(op, rows, cols)?;
        let grid = RowGrid::new(lanes_for, self.traits.software, self.options.row_lanes, &self.limits);
        Ok(RowSplit { split, grid, subgroups: self.uses_subgroups() })
    }

    /// Whether kernels that work on rows are those for hardware.
    fn rows_by_hardware(&self) -> bool {
        !self.traits.software || self.options.row_lanes.is_some()
    }

    /// Cuts records for a kernel that takes one a thread, whatever the lanes of others.
    pub fn split_records(&self, op: &'static str, records: usize) -> Result<RowSplit> {
        let rows = if self.traits.software { RowGrid::SOFTWARE_ROWS } else { RowGrid::MOST_ROWS };
        Ok(RowSplit { split: self.split(op, records, 1)?, grid: RowGrid::by_thread(rows), subgroups: false })
    }

    /// Records an elementwise kernel, block by block, with the parameters for each, by fours where every block's words
    /// allow it: those follow from the block and from the width of a value.
    pub fn launch_elements<P: bytemuck::NoUninit>(
        &self,
        split: Split,
        launch: &ElementLaunch<'_>,
        params: impl Fn(&Block, u32) -> P,
    ) -> Result<()> {
        // Software drivers have their own fours, or none.
        let forms = launch.kernel.forms;
        let suits = forms.longs || self.rows_by_hardware();
        let fours = forms.fours && suits && split.blocks().all(|block| block.words().is_multiple_of(4));
        let (form, width) = match fours {
            true => (if forms.longs { self.fours() } else { Form::FOURS }, 4),
            false => (Form::PLAIN, 1),
        };
        for block in split.blocks() {
            let dispatch = Launch {
                kernel: launch.kernel,
                constants: launch.constants,
                params: params(&block, width),
                buffers: &views(launch.operands, &split, &block, 0..0),
                groups: LinearGrid::groups((block.words() / width).into()),
            };
            self.dispatch(dispatch, form)?;
        }
        Ok(())
    }
}

/// The largest multiple of `step` up to `value`; `value` itself where there is none above 0.
fn round_down(value: u64, step: u64) -> u64 {
    if value < step { value } else { value / step * step }
}
