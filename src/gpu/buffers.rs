//! Device buffers: allocated once, kept in a pool, handed out again.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::context::{Context, Inner, Live};
use super::shared::Shared;
use crate::error::{Error, Result};

/// Extra bytes behind a guarded buffer, filled with [`POISON`] and looked at by every read.
pub(super) const GUARD_BYTES: u64 = 256;
/// A quiet NaN with a payload that no kernel makes: what guarded buffers hold before a kernel writes.
pub(super) const POISON: u32 = 0x7fc0_dead;
/// Allocations are rounded up to this, so that nearly equal shapes share pooled buffers.
const GRAIN: u64 = 256;
/// Parts of a buffer start at multiples of so many words: no device wants more of a binding's offset.
pub(crate) const PART_WORDS: usize = 64;
/// Idle buffers above this many bytes go back to the driver.
const MAX_IDLE_BYTES: u64 = 1 << 30;

/// A storage buffer that returns to its context's pool when dropped.
pub(crate) struct Buffer {
    raw: Raw,
    /// Where the content starts in `raw`.
    offset: u64,
    bytes: u64,
    /// The buffer of which this is a part: it keeps the memory.
    whole: Option<Arc<Buffer>>,
    /// The caller's own buffer never enters the pool.
    pooled: bool,
    owner: Context,
}

/// What the pool keeps: the wgpu buffer, its size, and the id under which bind groups know it.
#[derive(Clone)]
pub(super) struct Raw {
    /// `None` in a dry run.
    pub buffer: Option<Shared<wgpu::Buffer>>,
    pub size: u64,
    pub id: u64,
}

/// Idle buffers by size, and how much there is of all.
#[derive(Default)]
pub(super) struct Pool {
    idle: HashMap<u64, Vec<Raw>>,
    idle_bytes: u64,
    allocated_bytes: u64,
    peak_bytes: u64,
    next_id: u64,
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

    /// Where the content starts in wgpu's buffer.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The buffer of which this is a part.
    pub fn whole(&self) -> Option<&Arc<Buffer>> {
        self.whole.as_ref()
    }

    /// Whether the buffer is the crate's own, not the caller's.
    pub fn is_own(&self) -> bool {
        self.pooled
    }

    /// Some words of a buffer, as a buffer; they start at a multiple of [`PART_WORDS`].
    pub fn part(whole: &Arc<Buffer>, first: u64, words: u64) -> Buffer {
        Buffer {
            raw: whole.raw.clone(),
            offset: whole.offset + 4 * first,
            bytes: 4 * words,
            whole: Some(whole.clone()),
            pooled: whole.pooled,
            owner: whole.owner.clone(),
        }
    }

    /// wgpu's own handle; none in a dry run.
    pub fn wgpu(&self) -> Option<&wgpu::Buffer> {
        self.raw.buffer.as_deref()
    }

    /// Whether the content is followed by a guard that reads look at.
    pub(super) fn is_guarded(&self) -> bool {
        self.pooled && self.whole.is_none() && self.owner.options.guarded_buffers
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
        if !self.pooled {
            return self.owner.forget_bind_groups();
        }
        let mut pool = self.owner.pool();
        let size = self.raw.size;
        if pool.idle_bytes + size <= MAX_IDLE_BYTES {
            pool.idle_bytes += size;
            pool.idle.entry(size).or_default().push(self.raw.clone());
        } else {
            pool.allocated_bytes -= size;
            drop(pool);
            self.owner.forget_bind_groups();
        }
    }
}

impl Context {
    /// A buffer for `rows x cols` four-byte values; its content is whatever was there before.
    pub fn buffer(&self, op: &'static str, rows: usize, cols: usize) -> Result<Buffer> {
        self.check()?;
        let bytes = u64::try_from((rows as u128 * cols as u128).saturating_mul(4)).unwrap_or(u64::MAX);
        let allowed = self.limits.max_buffer_size;
        let guard = if self.options.guarded_buffers { GUARD_BYTES } else { 0 };
        if bytes > allowed.saturating_sub(guard) {
            return Err(Error::Limit { op, what: "bytes in one buffer", needed: bytes, allowed });
        }
        let size =
            bytes.saturating_add(guard).checked_next_multiple_of(GRAIN).map_or(allowed, |size| size.min(allowed));
        let raw = match self.take_idle(size) {
            Some(raw) => raw,
            None => self.allocate(size)?,
        };
        self.ledger.buffer(op, rows, cols, size);
        let buffer = Buffer { raw, offset: 0, bytes, whole: None, pooled: true, owner: self.clone() };
        if self.options.guarded_buffers {
            self.poison(&buffer)?;
        }
        Ok(buffer)
    }

    /// A buffer of the caller's, as `rows x cols` four-byte values from this byte on.
    pub fn wrap(
        &self,
        op: &'static str,
        buffer: wgpu::Buffer,
        offset: u64,
        rows: usize,
        cols: usize,
    ) -> Result<Buffer> {
        use wgpu::BufferUsages as Usage;
        self.check()?;
        let bytes = u64::try_from((rows as u128 * cols as u128).saturating_mul(4)).unwrap_or(u64::MAX);
        let needed = bytes.saturating_add(offset);
        if needed > buffer.size() {
            return Err(Error::Limit { op, what: "bytes in the buffer", needed, allowed: buffer.size() });
        }
        if !offset.is_multiple_of(4 * PART_WORDS as u64) {
            let (option, rule) = ("offset", "a multiple of 256 bytes");
            return Err(Error::Option { op, option, rule, value: offset as f64 });
        }
        if !buffer.usage().contains(Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST) {
            return Err(Error::Combination { op, rule: "the buffer's usage must hold STORAGE, COPY_SRC and COPY_DST" });
        }
        let raw = Raw { size: buffer.size(), buffer: Some(Shared::new(buffer)), id: self.pool().fresh_id() };
        Ok(Buffer { raw, offset, bytes, whole: None, pooled: false, owner: self.clone() })
    }

    fn take_idle(&self, size: u64) -> Option<Raw> {
        let mut pool = self.pool();
        let raw = pool.idle.get_mut(&size)?.pop()?;
        pool.idle_bytes -= size;
        Some(raw)
    }

    /// A new buffer from the driver; when memory is short, once more with the pool emptied.
    fn allocate(&self, size: u64) -> Result<Raw> {
        let first = self.try_allocate(size);
        if !matches!(first, Err(Error::OutOfMemory { .. })) {
            return first;
        }
        {
            let mut pool = self.pool();
            log::warn!("out of device memory: letting go of {} idle bytes", pool.idle_bytes);
            pool.idle.clear();
            pool.allocated_bytes -= pool.idle_bytes;
            pool.idle_bytes = 0;
        }
        self.forget_bind_groups();
        self.wait()?;
        self.try_allocate(size)
    }

    fn try_allocate(&self, size: u64) -> Result<Raw> {
        // Taken before the driver is asked, so that threads cannot exceed the limit together.
        self.pool().take(size, self.options.max_memory_bytes.unwrap_or(u64::MAX))?;
        let buffer = self.live.as_ref().map(|live| live.allocate(size).map(Shared::new)).transpose();
        let mut pool = self.pool();
        match buffer {
            Ok(buffer) => {
                self.counters.allocations.fetch_add(1, Relaxed);
                pool.peak_bytes = pool.peak_bytes.max(pool.allocated_bytes);
                Ok(Raw { buffer, size, id: pool.fresh_id() })
            }
            Err(error) => {
                pool.allocated_bytes -= size;
                Err(error)
            }
        }
    }

    /// Fills a guarded buffer, tail included, so that a missing or stray write shows.
    fn poison(&self, buffer: &Buffer) -> Result<()> {
        if self.live.is_none() {
            return Ok(());
        }
        let words = vec![POISON; (buffer.raw.size / 4) as usize];
        self.write(buffer, &words)
    }
}

impl Live {
    fn allocate(&self, size: u64) -> Result<wgpu::Buffer> {
        use wgpu::BufferUsages as Usage;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("matrix"),
            size,
            usage: Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            Some(source) => Err(Error::OutOfMemory { bytes: size, source: Some(source) }),
            None => Ok(buffer),
        }
    }
}

impl Inner {
    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes taken from the driver, pooled ones included: now, and at most so far.
    pub(super) fn memory(&self) -> (u64, u64) {
        let pool = self.pool();
        (pool.allocated_bytes, pool.peak_bytes)
    }
}

impl Pool {
    /// Counts a buffer that is about to be allocated.
    fn take(&mut self, size: u64, allowed: u64) -> Result<()> {
        match self.allocated_bytes.checked_add(size).filter(|bytes| *bytes <= allowed) {
            Some(bytes) => {
                self.allocated_bytes = bytes;
                Ok(())
            }
            None => Err(Error::OutOfMemory { bytes: size, source: None }),
        }
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
