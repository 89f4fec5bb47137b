//! The source that reads the rows of an array in a file.

use std::path::Path;
use std::sync::Arc;

use super::store::{Store, changed, read_columns};
use crate::data::decode::floats;
use crate::data::layout::Layout;
use crate::source::{GATHERED, RowError, RowSource};

/// The rows of an array in a file: a `.npy` file, or a tensor of a safetensors file.
///
/// [`npy_rows`](super::npy_rows) and [`safetensors_rows`](super::safetensors_rows) are for a file whose bytes are in memory or
/// mapped into it; [`open_npy`](super::open_npy) and [`open_safetensors`](super::open_safetensors) are for a file that stays on
/// the disk. Numbers are converted to f32 while they are read, to the same bits as by [`read_npy`](super::super::read_npy). A
/// clone reads from the same bytes or the same open file.
///
/// ```
/// use wgpu_mlp::data::{FileRows, open_npy, write_npy};
/// use wgpu_mlp::source::{RowSource, Shards};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-file-rows.npy");
/// write_npy(&path, ndarray::array![[1.0], [2.0]].view())?;
/// let rows: FileRows<'static> = open_npy(&path)?;
/// assert_eq!(Shards::new(vec![rows.clone(), rows])?.dim(), (4, 1));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileRows<'a> {
    path: Arc<Path>,
    layout: Layout,
    store: Store<'a>,
}

impl<'a> FileRows<'a> {
    pub(super) fn new(path: &Path, layout: Layout, store: Store<'a>) -> Self {
        FileRows { path: path.into(), layout, store }
    }

    /// Reads rows of an array in memory in C order. Numbers that are f32 already are copied to their place. Of other numbers, the
    /// bytes of a few rows are copied before they are converted: while it copies, a processor waits for the memory of several rows
    /// at once, and while it converts, for the memory of only one.
    fn gather(&self, bytes: &[u8], rows: &[usize], into: &mut [f32]) {
        let (cols, length) = (self.layout.cols, self.layout.cols * self.layout.dtype.size);
        let bytes_of = |row: &usize| &bytes[row * length..(row + 1) * length];
        if self.layout.dtype.is_native_f32() {
            let into: &mut [u8] = bytemuck::cast_slice_mut(into);
            for (row, into) in rows.iter().zip(into.chunks_exact_mut(length)) {
                into.copy_from_slice(bytes_of(row));
            }
            return;
        }
        let few = (GATHERED / length).max(1);
        let mut room = Vec::new();
        for (rows, into) in rows.chunks(few).zip(into.chunks_mut(few * cols)) {
            room.clear();
            rows.iter().for_each(|row| room.extend_from_slice(bytes_of(row)));
            floats(self.layout.dtype, &room, into);
        }
    }

    /// Reads consecutive rows from this one on, as many as fit into `into`.
    fn read_run(&self, first: usize, into: &mut [f32], room: &mut Vec<u8>) -> Result<(), RowError> {
        let (layout, cols) = (&self.layout, self.layout.cols);
        match &self.store {
            Store::Memory(bytes) if layout.fortran => read_columns(bytes, layout, first, into),
            store => {
                let Err(error) = store.read(layout, first * cols, into, room) else { return Ok(()) };
                if into.len() <= cols {
                    return Err(RowError::new(first, changed(&self.path, Some(first), error)));
                }
                // The rows are read one by one, to find the first that cannot be read.
                for (into, row) in into.chunks_exact_mut(cols).zip(first..) {
                    self.read_run(row, into, room)?;
                }
            }
        }
        Ok(())
    }
}

impl RowSource for FileRows<'_> {
    fn dim(&self) -> (usize, usize) {
        (self.layout.rows, self.layout.cols)
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        let (count, cols) = self.dim();
        if let Some(row) = rows.iter().find(|row| **row >= count) {
            return Err(RowError::beyond(*row, count));
        }
        if cols == 0 {
            return Ok(());
        }
        if let Store::Memory(bytes) = self.store
            && !self.layout.fortran
        {
            self.gather(bytes, rows, into);
            return Ok(());
        }
        let (mut rest, mut room) = (into, Vec::new());
        for run in rows.chunk_by(|row, next| row + 1 == *next) {
            let whole = rest.len() / cols;
            let (into, behind) = rest.split_at_mut(run.len().min(whole) * cols);
            self.read_run(run[0], into, &mut room)?;
            rest = behind;
        }
        Ok(())
    }

    fn as_values(&self) -> Option<&[f32]> {
        match self.store {
            Store::Memory(bytes) if self.layout.dtype.is_native_f32() && !self.layout.fortran => {
                bytemuck::try_cast_slice(bytes).ok()
            }
            _ => None,
        }
    }

    fn is_in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    fn writes_all(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        let Layout { rows, cols, dtype, .. } = self.layout;
        format!("{rows}x{cols} {dtype} of {}", self.path.display())
    }
}
