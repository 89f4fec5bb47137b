//! Counters: the work that a device was given since it was opened.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counters of the work that a device was given since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// The number of dispatches recorded.
    pub dispatches: u64,
    /// The bytes of the dispatches' operands, each operand counted once in a dispatch: the least that the kernels read and write.
    pub bytes: u64,
    /// The number of command buffers that were submitted.
    pub submits: u64,
    /// The number of times that the host waited for the device.
    pub waits: u64,
    /// The number of buffers that the driver allocated.
    pub allocations: u64,
    /// The number of pipelines that were compiled.
    pub pipelines: u64,
    /// The bytes of device memory held now, with idle buffers. Staging memory is not counted; it has at most some 192 MiB for
    /// uploads and 64 MiB for reads.
    pub memory_bytes: u64,
    /// The largest number of bytes of device memory that was held at a time.
    pub peak_memory_bytes: u64,
}

/// Counters as several threads add to them.
#[derive(Default)]
pub(in crate::gpu) struct AtomicCounters {
    pub dispatches: AtomicU64,
    pub bytes: AtomicU64,
    pub submits: AtomicU64,
    pub waits: AtomicU64,
    pub allocations: AtomicU64,
    pub pipelines: AtomicU64,
}

impl AtomicCounters {
    /// The counts so far. `memory` is the number of bytes that the device holds now, and the largest number so far.
    pub fn counts(&self, (memory_bytes, peak_memory_bytes): (u64, u64)) -> Counters {
        Counters {
            dispatches: self.dispatches.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            submits: self.submits.load(Relaxed),
            waits: self.waits.load(Relaxed),
            allocations: self.allocations.load(Relaxed),
            pipelines: self.pipelines.load(Relaxed),
            memory_bytes,
            peak_memory_bytes,
        }
    }
}
