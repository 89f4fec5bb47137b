//! Device buffers: allocated once, kept in a pool, handed out again.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use super::context::{Context, Inner};
use crate::error::{Error, Result};

/// Extra bytes behind a guarded buffer, filled with [`POISON`] and looked at by every read.
pub(super) const GUARD_BYTES: u64 = 256;
/// A quiet NaN with a payload that no kernel makes: what guarded buffers hold before a kernel writes.
pub(super) const POISON: u32 = 0x7fc0_dead;
/// Allocations are rounded up to this, so that nearly equal shapes share pooled buffers.
const GRAIN: u64 = 256;
/// Idle buffers above this many bytes go back to the driver.
const MAX_IDLE_BYTES: u64 = 1 << 30;

/// A storage buffer that returns to its context's pool when dropped.
pub(crate) struct Buffer {
    raw: Raw,
    bytes: u64,
    owner: Arc<Inner>,
}

/// What the pool keeps: the wgpu buffer and the id under which bind groups know it.
#[derive(Clone)]
pub(super) struct Raw {
    pub buffer: wgpu::Buffer,
    pub id: u64,
}

/// Idle buffers by size.
#[derive(Default)]
pub(super) struct Pool {
    idle: HashMap<u64, Vec<Raw>>,
    idle_bytes: u64,
    next_id: u64,
}

impl Buffer {
    /// Bytes of content, without padding or guard.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn raw(&self) -> &Raw {
        &self.raw
    }

    /// The context that owns this buffer.
    pub fn context(&self) -> Context {
        Context::from_inner(self.owner.clone())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut pool = self.owner.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.raw.buffer.size();
        if pool.idle_bytes + size <= MAX_IDLE_BYTES {
            pool.idle_bytes += size;
            pool.idle.entry(size).or_default().push(self.raw.clone());
        } else {
            drop(pool);
            self.owner.forget_bind_groups();
        }
    }
}

impl Context {
    /// A buffer for `rows x cols` four-byte values; its content is whatever was there before.
    pub fn buffer(&self, op: &'static str, rows: usize, cols: usize) -> Result<Buffer> {
        self.errors.check()?;
        let bytes = u64::try_from(rows as u128 * cols as u128 * 4).unwrap_or(u64::MAX);
        let allowed = self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size);
        if bytes > allowed {
            return Err(Error::Limit { op, what: "bytes in one buffer", needed: bytes, allowed });
        }
        let guard = if self.options.guarded_buffers { GUARD_BYTES } else { 0 };
        let size = (bytes + guard).next_multiple_of(GRAIN).min(self.limits.max_buffer_size);
        let raw = match self.take_idle(size) {
            Some(raw) => raw,
            None => self.allocate(size)?,
        };
        let buffer = Buffer { raw, bytes, owner: self.inner() };
        if self.options.guarded_buffers {
            self.poison(&buffer)?;
        }
        Ok(buffer)
    }

    fn take_idle(&self, size: u64) -> Option<Raw> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
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
            let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
            pool.idle.clear();
            pool.idle_bytes = 0;
        }
        self.forget_bind_groups();
        self.wait()?;
        self.try_allocate(size)
    }

    fn try_allocate(&self, size: u64) -> Result<Raw> {
        use wgpu::BufferUsages as Usage;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("matrix"),
            size,
            usage: Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
            mapped_at_creation: false,
        });
        if let Some(source) = pollster::block_on(scope.pop()) {
            return Err(Error::OutOfMemory { bytes: size, source });
        }
        self.counters.allocations.fetch_add(1, Relaxed);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.next_id += 1;
        Ok(Raw { buffer, id: pool.next_id })
    }

    /// Fills a guarded buffer, tail included, so that a missing or stray write shows.
    fn poison(&self, buffer: &Buffer) -> Result<()> {
        let words = vec![POISON; (buffer.raw.buffer.size() / 4) as usize];
        self.write(buffer, &words)
    }
}
