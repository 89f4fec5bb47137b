//! Staging: buffers that both the host and the device can access. Uploads and reads go through them, and they are reused.
//!
//! The crate makes them like any other buffer: if there is no memory for one, the call returns an error and the device stays
//! usable. wgpu's own staging is made inside calls that lose the device in this case. The crate uses it only for the parameters of
//! a submit's kernels, at most a MiB.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::gpu::driver::connection::Connection;
use crate::gpu::driver::type_erased::Shared;

/// The largest staging buffer. Longer transfers go in pieces, so that host and device copy at the same time. It is small enough for
/// caches (`benches/transfers.rs`: with 16 MiB lavapipe's transfers take half as long again).
pub(in crate::gpu) const PIECE_BYTES: usize = 4 << 20;
/// The smallest staging buffer for uploads. Small uploads share it.
const LEAST_UPLOAD: u64 = 1 << 20;
/// The smallest staging buffer for reads.
const LEAST_READ: u64 = 1 << 12;
/// The most bytes kept for reads, and the most kept ready for uploads.
pub(in crate::gpu) const MOST_READ_BYTES: u64 = 64 << 20;
const MOST_READY_BYTES: u64 = 64 << 20;
/// Uploads begin at multiples of so many bytes.
pub(in crate::gpu) const ALIGNMENT: u64 = 256;

/// The direction of a staging buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gpu) enum Way {
    /// Uploads to the device: the buffer is mapped when it is made.
    Up,
    /// Reads from the device.
    Down,
}

impl Way {
    /// A new staging buffer of this size.
    pub fn new_buffer(self, connection: &Connection, size: u64) -> Result<wgpu::Buffer> {
        use wgpu::BufferUsages as Usage;
        let (usage, mapped_at_creation) = match self {
            Way::Up => (Usage::MAP_WRITE | Usage::COPY_SRC, true),
            Way::Down => (Usage::MAP_READ | Usage::COPY_DST, false),
        };
        let descriptor = wgpu::BufferDescriptor { label: Some("staging"), size, usage, mapped_at_creation };
        connection.new_buffer(&descriptor, || ())
    }
}

/// In browsers an idle buffer that is let go is destroyed: dropping the handle frees nothing before the garbage is collected.
fn let_go(buffer: &wgpu::Buffer) {
    if cfg!(target_family = "wasm") {
        buffer.destroy();
    }
}

/// The size of a staging buffer for so many bytes. It is a power of two, so that the buffer can be reused for many lengths, unless
/// the device makes buffers of no more than `most` bytes.
fn size_for(bytes: u64, least: u64, most: u64) -> u64 {
    bytes.max(least).next_power_of_two().min(most / 4 * 4).max(bytes)
}

/// The number of buffers to drop, from the first on, so that the sizes of the others add up to at most so many bytes.
fn too_many(sizes: impl Iterator<Item = u64> + Clone, most: u64) -> usize {
    let mut bytes: u64 = sizes.clone().sum();
    let beyond = sizes.take_while(|size| {
        let much = bytes > most;
        bytes -= size;
        much
    });
    beyond.count()
}

/// The buffers for uploads. Each goes round: it is filled while mapped, read by the device, and mapped again.
#[derive(Default)]
pub(in crate::gpu) struct Uploads {
    /// The most bytes of a buffer that the device makes.
    most: u64,
    /// The buffer that small uploads share, and how many of its bytes are taken.
    open: Option<(wgpu::Buffer, u64)>,
    /// Buffers that are filled and unmapped; recorded commands copy from them.
    filled: Vec<wgpu::Buffer>,
    /// Buffers that were submitted and are not mapped again yet.
    away: VecDeque<(wgpu::Buffer, Arc<AtomicU8>)>,
    /// Buffers that are mapped and free.
    ready: Vec<wgpu::Buffer>,
}

/// The states of a mapping. 0 is one that is under way.
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

impl Uploads {
    /// No buffers yet, for a device that makes buffers of at most so many bytes.
    pub fn new(most: u64) -> Self {
        Uploads { most, ..Uploads::default() }
    }

    /// Room for a small upload: a buffer and an offset in it, if there is some.
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
        let size = self.size(bytes);
        self.collect();
        let place = self.ready.iter().rposition(|buffer| buffer.size() == size)?;
        Some(self.ready.swap_remove(place))
    }

    /// The size of a buffer for so many bytes.
    pub fn size(&self, bytes: u64) -> u64 {
        size_for(bytes, LEAST_UPLOAD, self.most)
    }

    /// Adds a mapped buffer.
    pub fn put(&mut self, buffer: wgpu::Buffer) {
        self.ready.push(buffer);
        self.trim();
    }

    /// Adds a buffer that has been filled and unmapped.
    pub fn fill(&mut self, buffer: wgpu::Buffer) {
        self.filled.push(buffer);
    }

    /// Closes the buffer that small uploads share, before the copies from it are submitted.
    pub fn close(&mut self) {
        if let Some((buffer, _)) = self.open.take() {
            buffer.unmap();
            self.filled.push(buffer);
        }
    }

    /// Marks the filled buffers as submitted, so that each is mapped again as soon as the device has read it. Returns their bytes.
    pub fn sent(&mut self) -> u64 {
        let bytes = self.filled.iter().map(wgpu::Buffer::size).sum();
        for buffer in self.filled.drain(..) {
            let state = Arc::new(AtomicU8::new(0));
            let told = state.clone();
            // The callback holds no buffer, since a device that is never polled again would then keep itself alive.
            buffer.map_async(wgpu::MapMode::Write, .., move |mapped| {
                told.store(if mapped.is_ok() { MAPPED } else { FAILED }, Release);
            });
            self.away.push_back((buffer, state));
        }
        bytes
    }

    /// Frees the mapped, free buffers.
    pub fn clear(&mut self) -> Vec<wgpu::Buffer> {
        self.collect();
        self.ready.iter().for_each(let_go);
        std::mem::take(&mut self.ready)
    }

    /// Collects the buffers that are mapped again. One that could not be mapped, on a lost device, is dropped.
    fn collect(&mut self) {
        for (buffer, state) in std::mem::take(&mut self.away) {
            match state.load(Acquire) {
                MAPPED => self.ready.push(buffer),
                FAILED => let_go(&buffer),
                _ => self.away.push_back((buffer, state)),
            }
        }
        self.trim();
    }

    /// Drops the oldest of the mapped, free buffers if these have too many bytes.
    fn trim(&mut self) {
        let count = too_many(self.ready.iter().map(wgpu::Buffer::size), MOST_READY_BYTES);
        self.ready.drain(..count).for_each(|buffer| let_go(&buffer));
    }
}

/// Idle buffers for reads.
#[derive(Default)]
pub(in crate::gpu) struct Reads(Mutex<Vec<Shared<wgpu::Buffer>>>);

impl Reads {
    /// An idle buffer for so many bytes, if there is one.
    pub fn take(&self, bytes: u64, most: u64) -> Option<Shared<wgpu::Buffer>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().rposition(|buffer| buffer.size() == Self::size(bytes, most))?;
        Some(kept.swap_remove(place))
    }

    /// The size of a buffer for so many bytes, where a buffer holds no more than `most`.
    pub fn size(bytes: u64, most: u64) -> u64 {
        size_for(bytes, LEAST_READ, most)
    }

    /// Frees all idle buffers.
    pub fn clear(&self) -> Vec<Shared<wgpu::Buffer>> {
        let idle = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        idle.iter().for_each(|buffer| let_go(buffer));
        idle
    }

    /// Takes back a buffer that is no longer mapped; gives the oldest ones that there is no room for.
    pub fn put(&self, buffer: Shared<wgpu::Buffer>) -> Vec<Shared<wgpu::Buffer>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(buffer);
        let count = too_many(kept.iter().map(|buffer| buffer.size()), MOST_READ_BYTES);
        kept.drain(..count).inspect(|buffer| let_go(buffer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST_READ, LEAST_UPLOAD, Reads, Uploads, too_many};

    #[test]
    fn staging_buffers_are_no_larger_than_the_device_makes_them() {
        for (bytes, most, upload) in [
            (1, u64::MAX, LEAST_UPLOAD),
            (LEAST_UPLOAD + 4, u64::MAX, 2 * LEAST_UPLOAD),
            (3 * LEAST_UPLOAD, 3 * LEAST_UPLOAD + 3, 3 * LEAST_UPLOAD),
            (4, LEAST_UPLOAD - 1, LEAST_UPLOAD - 4),
        ] {
            assert_eq!(Uploads::new(most).size(bytes), upload, "{bytes} of {most} bytes");
        }
        assert_eq!([(4, 1 << 20), (4, 1000)].map(|(bytes, most)| Reads::size(bytes, most)), [LEAST_READ, 1000]);
    }

    #[test]
    fn the_oldest_go_until_there_is_room_for_the_others() {
        let of = |most| too_many([4, 1, 2].into_iter(), most);
        assert_eq!([of(7), of(6), of(2), of(1), too_many(std::iter::empty(), 0)], [0, 1, 2, 3, 0]);
    }
}
