//! Buffers in device memory, or parts of them, which return to their context's pool when they are dropped.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::memory::pool::Unchecked;
use super::memory::raw::{ByteRange, Raw};
use crate::error::Result;

/// The extra bytes behind a guarded buffer. They are filled with [`Raw::poison`], and reads check them: `guards.rs`.
pub(super) const GUARD_BYTES: u64 = 256;
/// The alignment of parts of a buffer, in words. No device requires a larger alignment of a binding's offset.
pub(crate) const PART_WORDS: usize = 64;
/// The bounds of the bytes that are kept idle. Idle buffers beyond a quarter of the largest possible buffer go back to the driver,
/// the oldest first. This quarter is raised to the first bound (or to the size of the largest buffer, if that is less) and lowered
/// to the second. wgpu does not tell how much memory a device has, but devices with more memory allow larger buffers.
const IDLE_BYTES: (u64, u64) = (1 << 30, 16 << 30);

/// A storage buffer that returns to its context's pool when dropped.
pub(crate) struct Buffer {
    pub(super) raw: Raw,
    /// The byte of `raw` where the content starts.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The whole buffer of which this is a part. It keeps the memory alive.
    pub(super) whole: Option<Arc<Buffer>>,
    /// Whether the buffer goes to the pool at the end; a buffer of the caller does not.
    pub(super) pooled: bool,
    /// What the buffer was made for, if a guard follows its content that is still to be checked.
    pub(super) guard: Option<&'static str>,
    pub(super) owner: Context,
}

impl Buffer {
    /// Bytes of content, without padding or guard.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Four-byte values of content.
    pub fn words(&self) -> u64 {
        self.bytes / 4
    }

    pub(super) fn raw(&self) -> &Raw {
        &self.raw
    }

    /// All of the content, as a range of bytes.
    pub(super) fn range(&self) -> ByteRange<'_> {
        ByteRange { raw: &self.raw, offset: self.offset, bytes: self.bytes }
    }

    /// Returns an error if the device rejected the commands that should have written the content.
    pub(super) fn check_written(&self) -> Result<()> {
        self.raw.mark.check()
    }

    /// The byte of wgpu's buffer where the content starts.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The buffer of which this is a part.
    pub fn whole(&self) -> Option<&Arc<Buffer>> {
        self.whole.as_ref()
    }

    /// Whether the buffer is the crate's own, rather than the caller's.
    pub fn is_own(&self) -> bool {
        self.pooled
    }

    /// A part of a buffer, of so many words; it starts at a multiple of [`PART_WORDS`].
    pub fn part(whole: &Arc<Buffer>, first: u64, words: u64) -> Buffer {
        Buffer {
            raw: whole.raw.clone(),
            offset: whole.offset + 4 * first,
            bytes: 4 * words,
            whole: Some(whole.clone()),
            pooled: whole.pooled,
            guard: None,
            owner: whole.owner.clone(),
        }
    }

    /// wgpu's own handle; none in a dry run.
    pub fn wgpu(&self) -> Option<&wgpu::Buffer> {
        self.raw.wgpu()
    }

    /// The context that owns this buffer.
    pub fn context(&self) -> Context {
        self.owner.clone()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.whole.is_some() {
            return;
        }
        // The raw buffer is moved out, so that the last handle to it is dropped together with the others, in a turn.
        let raw = std::mem::replace(&mut self.raw, Raw::none());
        let most = most_idle_bytes(&self.owner);
        let gone = match (self.pooled, self.guard) {
            (true, Some(op)) => self.owner.pool().keep_unchecked(Unchecked { raw, bytes: self.bytes, op }, most),
            (true, None) => self.owner.pool().put_back(raw, most),
            (false, _) => self.owner.pool().unwrap(raw, most),
        };
        self.owner.give_back(gone);
    }
}

/// The most bytes that lie idle in a context's pool.
fn most_idle_bytes(context: &Context) -> u64 {
    let (least, most) = IDLE_BYTES;
    let largest = context.limits.max_buffer_size;
    (largest / 4).clamp(least.min(largest), most)
}
