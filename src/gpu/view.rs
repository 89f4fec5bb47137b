//! Views: blocks of row-major matrices, as ranges of their buffers' bytes.

use std::ops::Range;

use super::buffer::Buffer;
use super::memory::raw::ByteRange;

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

    /// Whether both views have memory in common. For blocks of one matrix this is decided by their rows and columns.
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

    /// Whether both views have exactly the same words.
    pub(super) fn same(&self, other: &View<'_>) -> bool {
        std::ptr::eq(self.buffer, other.buffer) && self.rows == other.rows && self.cols == other.cols
    }

    pub fn is_whole(&self) -> bool {
        self.words() == self.buffer.words()
    }

    /// The view as one run of bytes, if its rows are contiguous.
    pub(super) fn range(&self) -> Option<ByteRange<'a>> {
        let rows = self.rows.end - self.rows.start;
        let dense = rows == 1 || self.cols.end - self.cols.start == self.pitch;
        dense.then(|| self.run(self.rows.start, self.words()))
    }

    /// The runs of bytes that make up the view, in order.
    pub(super) fn ranges(&self) -> Vec<ByteRange<'a>> {
        let cols = self.cols.end - self.cols.start;
        match self.range() {
            Some(range) => vec![range],
            None => self.rows.clone().map(|row| self.run(row, cols)).collect(),
        }
    }

    fn run(&self, row: u64, words: u64) -> ByteRange<'a> {
        let offset = self.buffer.offset() + 4 * (row * self.pitch + self.cols.start);
        ByteRange { raw: self.buffer.raw(), offset, bytes: 4 * words }
    }
}
