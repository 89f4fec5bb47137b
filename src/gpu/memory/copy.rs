//! Copies between the host's memory and mapped buffers. Long copies use several threads.

use std::sync::{Mutex, PoisonError};

use super::staging::ALIGNMENT;
use crate::cores::{cores, share_out};
use crate::error::{Error, Result};
use crate::source::Wanted;

/// The bytes of a copy for which one more thread is worth its start.
const BYTES_A_THREAD: usize = 1 << 20;
/// The bytes of rows in memory that are converted together before they are written to a mapped buffer. They fit a cache. A source
/// that reads from elsewhere is asked only once, since each read may be slow.
const READ_BYTES: usize = 1 << 16;

/// The name of threads that share copies.
const THREAD: &str = "wgpu-mlp copy";

/// The number of threads that share a copy of so many bytes. One core rarely reaches a machine's whole memory bandwidth, and the
/// system provides new memory page by page to the thread that first writes to it. Half of the cores are left for the driver.
fn threads_for(bytes: usize) -> usize {
    (bytes / BYTES_A_THREAD).clamp(1, (cores() / 2).max(1))
}

/// The content of an upload, or of a piece of one.
#[derive(Clone, Copy)]
pub(in crate::gpu) enum Content<'a> {
    Bytes(&'a [u8]),
    /// Rows of a source, one after the other.
    Rows(Wanted<'a>),
}

impl<'a> Content<'a> {
    pub fn bytes(self) -> usize {
        match self {
            Content::Bytes(bytes) => bytes.len(),
            Content::Rows(wanted) => size_of::<f32>() * wanted.len(),
        }
    }

    /// Whether the content needs only a copy, so that other threads may wait for it.
    pub fn is_plain(self) -> bool {
        match self {
            Content::Bytes(_) => true,
            Content::Rows(wanted) => wanted.values().is_some(),
        }
    }

    /// Pieces of about so many bytes. A piece has an even number of whole rows, so that each begins where a mapping may begin.
    pub fn pieces(self, bytes: usize) -> Box<dyn Iterator<Item = Content<'a>> + Send + 'a> {
        match self {
            Content::Bytes(all) => Box::new(all.chunks(bytes).map(Content::Bytes)),
            Content::Rows(wanted) => {
                let each = rows_in(wanted.cols, bytes).max(2) / 2 * 2;
                Box::new(wanted.rows.chunks(each).map(move |rows| Content::Rows(wanted.part(rows))))
            }
        }
    }

    /// The threads that share the copy, if the calling thread is not itself one of many.
    pub fn threads(self) -> usize {
        match self {
            Content::Rows(wanted) if !wanted.is_in_memory() => wanted.threads,
            _ => threads_for(self.bytes()),
        }
    }

    fn copy_to(self, view: &mut wgpu::BufferViewMut) -> Result<()> {
        let wanted = match self {
            Content::Bytes(bytes) => {
                view.copy_from_slice(bytes);
                return Ok(());
            }
            Content::Rows(wanted) => wanted,
        };
        let (cols, length) = (wanted.cols, wanted.cols * size_of::<f32>());
        let mut copy = |first: usize, values: &[f32]| {
            let bytes: &[u8] = bytemuck::cast_slice(values);
            view.slice(first * length..first * length + bytes.len()).copy_from_slice(bytes);
        };
        if let Some(values) = wanted.values() {
            for (number, row) in wanted.rows.iter().enumerate() {
                copy(number, &values[row * cols..(row + 1) * cols]);
            }
            return Ok(());
        }
        let each = if wanted.is_in_memory() { rows_in(cols, READ_BYTES).max(1) } else { wanted.rows.len().max(1) };
        let mut read = vec![0.0; each.min(wanted.rows.len()) * cols];
        for (index, rows) in wanted.rows.chunks(each).enumerate() {
            let read = &mut read[..rows.len() * cols];
            wanted.part(rows).read(read)?;
            copy(index * each, read);
        }
        Ok(())
    }
}

/// The number of rows of f32 that so many bytes hold.
fn rows_in(cols: usize, bytes: usize) -> usize {
    bytes / (cols * size_of::<f32>()).max(1)
}

/// Copies to this place of a mapped buffer, on so many threads.
pub(in crate::gpu) fn copy_up(target: &wgpu::Buffer, at: u64, content: Content<'_>, threads: usize) -> Result<()> {
    let share = content.bytes().div_ceil(threads).next_multiple_of(ALIGNMENT as usize);
    let mut first = at;
    let mut view = |piece: Content<'_>| {
        let begin = first;
        first += piece.bytes() as u64;
        target.get_mapped_range_mut(begin..first).map_err(|error| Error::Read { source: error.into() })
    };
    let views = content.pieces(share).map(|piece| Ok((view(piece)?, piece))).collect::<Result<Vec<_>>>()?;
    let failed = Mutex::new(None);
    share_out(threads, THREAD, views.into_iter().enumerate().collect(), |(index, (mut view, piece))| {
        if let Err(error) = piece.copy_to(&mut view) {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            // The error names the first row that could not be read, whichever thread failed first.
            if failed.as_ref().is_none_or(|(before, _)| index < *before) {
                *failed = Some((index, error));
            }
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), |(_, error)| Err(error))
}

/// Copies from mapped memory, on several threads where there is much.
pub(in crate::gpu) fn copy_down<T: Copy + Send + Sync>(target: &mut [T], source: &[T]) {
    let threads = threads_for(size_of_val(source));
    let share = source.len().div_ceil(threads).max(1);
    let pieces: Vec<_> = target.chunks_mut(share).zip(source.chunks(share)).collect();
    share_out(threads, THREAD, pieces, |(target, source)| target.copy_from_slice(source));
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn pieces_of_rows_are_whole_and_begin_where_a_mapping_may() {
        let values = Array2::from_shape_fn((7, 5), |(row, col)| (row * 5 + col) as f32);
        let rows = [6, 0, 3, 3, 1, 5, 2];
        let content = Content::Rows(Wanted::new("test", &values, 5, &rows));
        assert_eq!(content.bytes(), 7 * 5 * 4);
        for bytes in [1, 40, 47, 80, 1000] {
            let mut first = 0;
            let mut seen = Vec::new();
            for piece in content.pieces(bytes) {
                assert!(first % 8 == 0, "a mapping begins at a multiple of eight");
                assert!(piece.bytes() <= bytes.max(2 * 5 * 4));
                first += piece.bytes();
                let Content::Rows(wanted) = piece else { continue };
                seen.extend_from_slice(wanted.rows);
            }
            assert_eq!((first, seen.as_slice()), (content.bytes(), rows.as_slice()));
        }
    }
}
