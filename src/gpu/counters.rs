//! Counters: what a device was made to do since it was opened.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counts of what a device was made to do, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Bytes of their operands, each counted once a dispatch: the least that they read and write.
    pub bytes: u64,
    /// Command buffers handed to the queue.
    pub submits: u64,
    /// Times the host waited for the device.
    pub waits: u64,
    /// Buffers taken from the driver.
    pub allocations: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Bytes of device memory held now, idle buffers included; staging memory, some 192 MiB for uploads and 64 MiB for reads at
    /// most, is not counted.
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
    /// The counts so far, of a device that holds so much memory: now, and at most.
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
