//! Raw buffers: wgpu's buffer with the identity under which bind groups know it, and ranges of its bytes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::mark::Mark;
use crate::gpu::driver::type_erased::Shared;

/// The first bits of the poison in guarded buffers: quiet NaNs with payloads that no kernel makes.
const POISON: u32 = 0x7fd0_0000;

/// A buffer of the driver's, its size, and the id under which bind groups know it.
#[derive(Clone)]
pub(in crate::gpu) struct Raw {
    /// `None` in a dry run.
    pub buffer: Option<Shared<wgpu::Buffer>>,
    pub size: u64,
    pub id: u64,
    pub mark: Arc<Mark>,
    /// Whether the buffer is one of the crate's own, rather than the caller's. In browsers the crate destroys its own buffers.
    #[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "handles free buffers"))]
    pub own: bool,
}

impl Raw {
    /// A raw buffer with an id of its own, of the crate's or of the caller's.
    pub fn new(buffer: Option<Shared<wgpu::Buffer>>, size: u64, own: bool) -> Self {
        Raw { buffer, size, id: fresh_id(), mark: Arc::default(), own }
    }

    /// A raw buffer without bytes, which takes the place of a buffer that is moved out.
    pub fn none() -> Self {
        Raw { buffer: None, size: 0, id: 0, mark: Arc::default(), own: false }
    }

    /// wgpu's own handle; none in a dry run.
    pub fn wgpu(&self) -> Option<&wgpu::Buffer> {
        self.buffer.as_deref()
    }

    /// The poison that fills a guarded buffer. Each buffer has its own: otherwise a kernel that copies one value too many would
    /// write one buffer's guard over an equal guard, and no check would notice it.
    pub fn poison(&self) -> u32 {
        POISON | (self.id as u32 & 0xf_ffff)
    }
}

/// A number that no other buffer of this process has, since contexts may share bind groups, which are found by it.
fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// A range of a buffer's bytes.
#[derive(Clone, Copy)]
pub(in crate::gpu) struct ByteRange<'a> {
    pub raw: &'a Raw,
    pub offset: u64,
    pub bytes: u64,
}
