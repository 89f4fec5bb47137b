//! Blocks: the parts into which matrices are cut that are larger than a binding.
//!
//! A kernel sees dense blocks, each from the start of its binding. A block of whole rows is dense in the matrix's own buffer, and is
//! bound there if it starts at a multiple of the device's offset alignment. Any other block is copied to a scratch buffer, and back
//! if the kernel writes it, on the device. [`Split`] chooses blocks that need no copies wherever a binding holds a few rows.
//! Kernels that need whole rows refuse rows that are longer than a binding: [`Context::split_whole_rows`].

use std::ops::Range;

use super::context::Context;
use super::encode::budget;
use super::rows::RowGrid;
use crate::error::{Error, Result};

/// The least number of words of a binding for kernels on whole rows: a record of statistics must fit too.
const RECORD_ROOM: u64 = 8;

/// The least number of rows of a block for kernels that join rows.
const TALL: usize = 16;

/// A block: the rows and columns of a matrix that one dispatch works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub rows: Range<usize>,
    pub cols: Range<usize>,
}

impl Block {
    /// The number of elements. It fits u32, since a block is no larger than a binding. Only plans for the CPU path, which has no
    /// bindings, have larger blocks.
    pub fn words(&self) -> u32 {
        u32::try_from(self.rows.len() as u64 * self.cols.len() as u64).unwrap_or(u32::MAX)
    }
}

/// A matrix that is cut into blocks: blocks of whole rows if a binding holds a row, else pieces of single rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(super) rows: usize,
    pub(super) cols: usize,
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

/// Cuts a length into ranges of `step`. The last may be shorter.
pub(crate) fn runs(length: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length.div_ceil(step)).map(move |i| i * step..length.min((i + 1).saturating_mul(step)))
}

impl Context {
    /// Four-byte words that a binding holds.
    pub fn binding_words(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size / 4
    }

    /// The words between two neighbouring offsets at which a binding may start.
    fn offset_words(&self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment).div_ceil(4).max(1)
    }

    /// Cuts `rows x cols` into blocks that a binding holds.
    pub fn split(&self, op: &'static str, rows: usize, cols: usize) -> Result<Split> {
        // Row and column numbers are u32 in the kernels, and the highest u32 means "none".
        let allowed = u64::from(u32::MAX);
        for (what, needed) in [("rows", rows), ("columns", cols)] {
            if needed as u64 >= allowed {
                return Err(Error::Limit { op, what, needed: needed as u64, allowed: allowed - 1 });
            }
        }
        Ok(self.cut(rows, cols))
    }

    /// Cuts `rows x cols` into blocks of several rows each. The rows are whole if a binding holds enough of them.
    pub fn split_tall(&self, op: &'static str, rows: usize, cols: usize) -> Result<Split> {
        let split = self.split(op, rows, cols)?;
        let room = self.binding_words() as usize;
        if split.block_rows >= rows.min(TALL) {
            return Ok(split);
        }
        Ok(Split { block_rows: rows.min(TALL), block_cols: cols.min(room / TALL), ..split })
    }

    /// Cuts a run of elements, whatever their rows and columns are, into blocks that fit a binding and the budget of a dispatch.
    pub fn split_flat(&self, elements: u64) -> Split {
        let room = round_down(self.binding_words().min(budget::WORDS), self.offset_words());
        Split { rows: 1, cols: elements as usize, block_rows: 1, block_cols: elements.min(room) as usize }
    }

    /// Cuts `rows x cols` into blocks of whole rows; refuses rows that are longer than a binding.
    pub fn split_whole_rows(&self, op: &'static str, rows: usize, cols: usize) -> Result<Split> {
        let (needed, allowed) = (4 * (cols as u64).max(RECORD_ROOM), 4 * self.binding_words());
        if needed > allowed {
            return Err(Error::Limit { op, what: "bytes in one row", needed, allowed });
        }
        self.split(op, rows, cols)
    }

    fn cut(&self, rows: usize, cols: usize) -> Split {
        let room = self.binding_words();
        let rows_of = |words: u64| words / (cols as u64).max(RECORD_ROOM);
        let whole = rows_of(room.min(budget::WORDS)).max(rows_of(room).min(1));
        if whole == 0 {
            let block_cols = round_down(room, self.offset_words()) as usize;
            return Split { rows, cols, block_rows: 1, block_cols: block_cols.min(cols) };
        }
        // If the rows of a block are a multiple of the alignment in words, the next block starts aligned for any number of columns.
        let block_rows = match whole >= rows as u64 {
            true => rows,
            false => round_down(round_down(whole, self.offset_words()), RowGrid::MOST_ROWS.into()) as usize,
        };
        Split { rows, cols, block_rows, block_cols: cols }
    }

    /// The number of blocks in which kernels see a matrix of this shape.
    pub fn blocks(&self, rows: usize, cols: usize) -> u64 {
        let split = self.cut(rows, cols);
        split.row_runs().count() as u64 * split.col_runs().count() as u64
    }
}

/// The largest multiple of `step` up to `value`; `value` itself where there is none above 0.
fn round_down(value: u64, step: u64) -> u64 {
    if value < step { value } else { value / step * step }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::gpu::limits::{MAX_BINDING_BYTES, lowered};
    use crate::options::GpuOptions;

    /// A device as Metal has them: bindings may be longer than 2^32 words.
    #[test]
    fn no_binding_counts_more_words_than_kernels_can() {
        let most = 1 << 36;
        let limits =
            wgpu::Limits { max_storage_buffer_binding_size: most, max_buffer_size: most, ..Default::default() };
        let gpu = Context::dry_with(lowered(limits, &GpuOptions::default()).unwrap(), GpuOptions::default());
        assert_eq!((gpu.max_binding_bytes(), gpu.max_buffer_bytes()), (MAX_BINDING_BYTES, most));
        let (rows, cols) = (70_000, 65_536);
        let split = gpu.split_flat(rows * cols);
        let words: Vec<_> = split.blocks().map(|block| u64::from(block.words())).collect();
        assert!(words.iter().all(|words| *words <= budget::WORDS), "{words:?}");
        assert_eq!(words.iter().sum::<u64>(), rows * cols);
        let split = gpu.split("relu", rows as usize, cols as usize).unwrap();
        assert_eq!(split.blocks().map(|block| u64::from(block.words())).sum::<u64>(), rows * cols);
    }
}
