//! Copies between the host's memory and mapped buffers, on several threads where there is much.

use std::sync::{Mutex, PoisonError};

use super::staging::ALIGNMENT;
use crate::cores::cores;
use crate::error::{Error, Result};

/// Bytes that one more thread is worth in a copy.
const BYTES_A_THREAD: usize = 1 << 20;

/// Threads that share a copy of so many bytes: one core rarely reaches all of a machine's memory bandwidth, and new memory is
/// given out a page at a time to the thread that first writes to it. Half of the cores are the driver's.
fn threads_for(bytes: usize) -> usize {
    (bytes / BYTES_A_THREAD).clamp(1, (cores() / 2).max(1))
}

/// The source of an upload, or of a piece of one.
#[derive(Clone, Copy)]
pub(in crate::gpu) enum Source<'a> {
    Bytes(&'a [u8]),
    /// These rows of an array, each so many values long, one behind the other.
    Rows {
        values: &'a [f32],
        cols: usize,
        rows: &'a [usize],
    },
}

impl<'a> Source<'a> {
    pub fn bytes(self) -> usize {
        match self {
            Source::Bytes(bytes) => bytes.len(),
            Source::Rows { cols, rows, .. } => rows.len() * cols * size_of::<f32>(),
        }
    }

    /// Runs of about so many bytes: whole rows, and an even number of them, so that each begins where a mapping may.
    pub fn pieces(self, bytes: usize) -> Box<dyn Iterator<Item = Source<'a>> + Send + 'a> {
        match self {
            Source::Bytes(all) => Box::new(all.chunks(bytes).map(Source::Bytes)),
            Source::Rows { values, cols, rows } => {
                let each = (bytes / (cols * size_of::<f32>()).max(1)).max(2) / 2 * 2;
                Box::new(rows.chunks(each).map(move |rows| Source::Rows { values, cols, rows }))
            }
        }
    }

    fn copy_to(self, view: &mut wgpu::BufferViewMut) {
        match self {
            Source::Bytes(bytes) => view.copy_from_slice(bytes),
            Source::Rows { values, cols, rows } => {
                let length = cols * size_of::<f32>();
                for (number, row) in rows.iter().enumerate() {
                    let values = &values[row * cols..(row + 1) * cols];
                    view.slice(number * length..(number + 1) * length).copy_from_slice(bytemuck::cast_slice(values));
                }
            }
        }
    }
}

/// Copies to this place of a mapped buffer, on several threads where there is much.
pub(in crate::gpu) fn copy_up(target: &wgpu::Buffer, at: u64, source: Source<'_>) -> Result<()> {
    let threads = threads_for(source.bytes());
    let share = source.bytes().div_ceil(threads).next_multiple_of(ALIGNMENT as usize);
    let mut first = at;
    let mut view = |piece: Source<'_>| {
        let begin = first;
        first += piece.bytes() as u64;
        target.get_mapped_range_mut(begin..first).map_err(|error| Error::Read { source: error.into() })
    };
    let views = source.pieces(share).map(|piece| Ok((view(piece)?, piece))).collect::<Result<Vec<_>>>()?;
    share_out(threads, views, |(mut view, piece)| piece.copy_to(&mut view));
    Ok(())
}

/// Copies from mapped memory, on several threads where there is much.
pub(in crate::gpu) fn copy_down<T: Copy + Send + Sync>(target: &mut [T], source: &[T]) {
    let threads = threads_for(size_of_val(source));
    let share = source.len().div_ceil(threads).max(1);
    let pieces: Vec<_> = target.chunks_mut(share).zip(source.chunks(share)).collect();
    share_out(threads, pieces, |(target, source)| target.copy_from_slice(source));
}

/// Shares the work out to so many threads, or to as many as the system gives.
fn share_out<W: Send>(threads: usize, work: Vec<W>, each: impl Fn(W) + Sync) {
    if threads == 1 {
        return work.into_iter().for_each(each);
    }
    let queue = Mutex::new(work.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        while let Some(piece) = next() {
            each(piece);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let thread = std::thread::Builder::new().name("wgpu-mlp copy".into());
            if thread.spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn pieces_of_rows_are_whole_and_begin_where_a_mapping_may() {
        let values: Vec<f32> = (0..35).map(|value| value as f32).collect();
        let rows = [6, 0, 3, 3, 1, 5, 2];
        let source = Source::Rows { values: &values, cols: 5, rows: &rows };
        assert_eq!(source.bytes(), 7 * 5 * 4);
        for bytes in [1, 40, 47, 80, 1000] {
            let mut first = 0;
            let mut seen = Vec::new();
            for piece in source.pieces(bytes) {
                assert!(first % 8 == 0, "a mapping begins at a multiple of eight");
                assert!(piece.bytes() <= bytes.max(2 * 5 * 4));
                first += piece.bytes();
                let Source::Rows { rows, .. } = piece else { continue };
                seen.extend_from_slice(rows);
            }
            assert_eq!((first, seen.as_slice()), (source.bytes(), rows.as_slice()));
        }
    }
}
