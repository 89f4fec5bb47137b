//! Staging: buffers that host and device both reach, through which uploads and reads go. They are kept and used again.
//!
//! They are the crate's own, made like any other buffer: where there is no memory for one, that is an error and the device goes
//! on. wgpu's own staging is made inside calls that lose the device then; of that there is no more than the parameters of a
//! submit's kernels, a MiB at most.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, PoisonError};

use super::context::Live;
use super::shared::Shared;
use crate::cores::cores;
use crate::error::{Error, Result};

/// The largest staging buffer: what is longer goes in pieces, so that host and device copy at the same time. Small enough for
/// caches (`benches/transfers.rs`: with 16 MiB lavapipe's transfers take half as long again).
pub(super) const PIECE_BYTES: usize = 4 << 20;
/// The least that is made for uploads: small ones share it.
const LEAST_UPLOAD: u64 = 1 << 20;
/// The least that is made for reads.
const LEAST_READ: u64 = 1 << 12;
/// What is kept for reads, and what is kept ready for uploads.
const MOST_READ_BYTES: u64 = 64 << 20;
const MOST_READY_BYTES: u64 = 64 << 20;
/// Uploads begin at multiples of this.
const ALIGNMENT: u64 = 256;
/// Bytes that one more thread is worth in a copy.
const BYTES_A_THREAD: usize = 1 << 20;

/// What a staging buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the device: made mapped.
    Up,
    /// Back from it.
    Down,
}

/// Sizes are powers of two, so that a buffer serves many lengths.
fn size_for(bytes: u64, least: u64) -> u64 {
    bytes.max(least).next_power_of_two()
}

/// Buffers for uploads, on their way round: filled while mapped, read by the device, mapped again.
#[derive(Default)]
pub(super) struct Uploads {
    /// Where small uploads go, and how much of it is taken.
    open: Option<(wgpu::Buffer, u64)>,
    /// Filled and no longer mapped: what is recorded copies from them.
    filled: Vec<wgpu::Buffer>,
    /// With the device, until they are mapped.
    away: VecDeque<(wgpu::Buffer, Arc<AtomicU8>)>,
    /// Mapped, and empty.
    ready: Vec<wgpu::Buffer>,
}

/// What has become of a mapping.
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

impl Uploads {
    /// Where the next so many bytes of a small upload go, if there is room.
    pub fn room(&mut self, bytes: u64) -> Option<(wgpu::Buffer, u64)> {
        let fits = |(buffer, used): &&mut (wgpu::Buffer, u64)| *used + bytes <= buffer.size();
        if let Some((buffer, used)) = self.open.as_mut().filter(fits) {
            let at = *used;
            *used = (at + bytes).next_multiple_of(ALIGNMENT);
            return Some((buffer.clone(), at));
        }
        let next = self.take(bytes)?;
        self.close();
        self.open = Some((next.clone(), bytes.next_multiple_of(ALIGNMENT)));
        Some((next, 0))
    }

    /// A mapped buffer for so many bytes, if one is there.
    pub fn take(&mut self, bytes: u64) -> Option<wgpu::Buffer> {
        let size = Self::size(bytes);
        self.collect();
        let place = self.ready.iter().rposition(|buffer| buffer.size() == size)?;
        Some(self.ready.swap_remove(place))
    }

    /// The size of a buffer for so many bytes.
    pub fn size(bytes: u64) -> u64 {
        size_for(bytes, LEAST_UPLOAD)
    }

    /// Takes in a mapped buffer, new or not needed after all.
    pub fn put(&mut self, buffer: wgpu::Buffer) {
        self.ready.push(buffer);
    }

    /// A buffer that has been filled, and is no longer mapped.
    pub fn fill(&mut self, buffer: wgpu::Buffer) {
        self.filled.push(buffer);
    }

    /// No more goes into the open buffer: before what copies from it is handed over.
    pub fn close(&mut self) {
        if let Some((buffer, _)) = self.open.take() {
            buffer.unmap();
            self.filled.push(buffer);
        }
    }

    /// What was filled is on its way: it is mapped again as soon as the device has read it. Gives how many bytes of buffers that are.
    pub fn sent(&mut self) -> u64 {
        let bytes = self.filled.iter().map(wgpu::Buffer::size).sum();
        for buffer in self.filled.drain(..) {
            let state = Arc::new(AtomicU8::new(0));
            let told = state.clone();
            // The callback holds no buffer: a device that is never polled again would hold itself.
            buffer.map_async(wgpu::MapMode::Write, .., move |mapped| {
                told.store(if mapped.is_ok() { MAPPED } else { FAILED }, Release);
            });
            self.away.push_back((buffer, state));
        }
        bytes
    }

    /// Lets go of what lies ready.
    pub fn clear(&mut self) -> Vec<wgpu::Buffer> {
        self.collect();
        std::mem::take(&mut self.ready)
    }

    /// Takes in what has come back. What could not be mapped, on a device that is lost, is let go.
    fn collect(&mut self) {
        for (buffer, state) in std::mem::take(&mut self.away) {
            match state.load(Acquire) {
                MAPPED => self.ready.push(buffer),
                FAILED => {}
                _ => self.away.push_back((buffer, state)),
            }
        }
        let mut bytes: u64 = self.ready.iter().map(wgpu::Buffer::size).sum();
        let too_many = self.ready.iter().take_while(|buffer| {
            let much = bytes > MOST_READY_BYTES;
            bytes -= buffer.size();
            much
        });
        self.ready.drain(..too_many.count());
    }
}

/// Idle buffers for reads.
#[derive(Default)]
pub(super) struct Reads(Mutex<Vec<Shared<wgpu::Buffer>>>);

impl Reads {
    /// One for so many bytes, if it is there.
    pub fn take(&self, bytes: u64, most: u64) -> Option<Shared<wgpu::Buffer>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().rposition(|buffer| buffer.size() == Self::size(bytes, most))?;
        Some(kept.swap_remove(place))
    }

    /// The size of a buffer for so many bytes, where a buffer holds no more than `most`.
    pub fn size(bytes: u64, most: u64) -> u64 {
        size_for(bytes, LEAST_READ).min(most / 4 * 4).max(bytes)
    }

    /// Lets go of all.
    pub fn clear(&self) -> Vec<Shared<wgpu::Buffer>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes back one that is no longer mapped; gives those that there is no room for, the oldest.
    pub fn put(&self, buffer: Shared<wgpu::Buffer>) -> Vec<Shared<wgpu::Buffer>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(buffer);
        let mut bytes: u64 = kept.iter().map(|buffer| buffer.size()).sum();
        let too_many = kept.iter().take_while(|buffer| {
            let much = bytes > MOST_READ_BYTES;
            bytes -= buffer.size();
            much
        });
        let too_many = too_many.count();
        kept.drain(..too_many).collect()
    }
}

impl Live {
    /// A new staging buffer of this size.
    pub(super) fn staging(&self, way: Way, size: u64) -> Result<wgpu::Buffer> {
        use wgpu::BufferUsages as Usage;
        let (usage, mapped_at_creation) = match way {
            Way::Up => (Usage::MAP_WRITE | Usage::COPY_SRC, true),
            Way::Down => (Usage::MAP_READ | Usage::COPY_DST, false),
        };
        let descriptor = wgpu::BufferDescriptor { label: Some("staging"), size, usage, mapped_at_creation };
        let _turn = self.turns.take();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let staging = self.device.create_buffer(&descriptor);
        match pollster::block_on(scope.pop()) {
            Some(source) => Err(Error::OutOfMemory { bytes: size, source: Some(source) }),
            None => Ok(staging),
        }
    }
}

/// Threads that share a copy of so many bytes: one core rarely reaches all of a machine's memory bandwidth, and new memory is
/// given out a page at a time to the thread that first writes to it. Half of the cores are the driver's.
fn threads_for(bytes: usize) -> usize {
    (bytes / BYTES_A_THREAD).clamp(1, (cores() / 2).max(1))
}

/// What an upload, or a piece of one, takes its bytes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
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
pub(super) fn copy_up(target: &wgpu::Buffer, at: u64, source: Source<'_>) -> Result<()> {
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

/// Copies from mapped memory, likewise.
pub(super) fn copy_down<T: Copy + Send + Sync>(target: &mut [T], source: &[T]) {
    let threads = threads_for(size_of_val(source));
    let share = source.len().div_ceil(threads).max(1);
    let pieces: Vec<_> = target.chunks_mut(share).zip(source.chunks(share)).collect();
    share_out(threads, pieces, |(target, source)| target.copy_from_slice(source));
}

/// Does all of the work on so many threads, or on those that are to be had.
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
