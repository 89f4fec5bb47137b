//! Allocation: buffers from the pool or from the driver, with undefined content, with zeros, or with given content; and buffers of
//! the caller that are wrapped. If the device's memory runs out, `Context::with_room` frees idle buffers and tries once more.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::buffer::{Buffer, GUARD_BYTES, PART_WORDS};
use super::context::Context;
use super::driver::connection::Connection;
use super::driver::type_erased::Shared;
use super::encode::live::Live;
use super::limits::MAX_BUFFER_BYTES;
use super::memory::mark::Mark;
use super::memory::raw::Raw;
use crate::error::{Error, Result};

/// Sizes of buffers are rounded up to multiples of this, so that nearly equal shapes can reuse the same pooled buffers.
const GRAIN: u64 = 256;

impl Context {
    /// A buffer for `rows x cols` four-byte values, whose content is undefined.
    pub fn buffer(&self, op: &'static str, rows: usize, cols: usize) -> Result<Buffer> {
        self.check()?;
        let bytes = u64::try_from((rows as u128 * cols as u128).saturating_mul(4)).unwrap_or(u64::MAX);
        let allowed = self.limits.max_buffer_size;
        let guard = self.options.debug.guarded_buffers.then_some(op);
        let guard_bytes = if guard.is_some() { GUARD_BYTES } else { 0 };
        if bytes > allowed.saturating_sub(guard_bytes) {
            return Err(Error::Limit { op, what: "bytes in one buffer", needed: bytes, allowed });
        }
        let padded = bytes.saturating_add(guard_bytes).checked_next_multiple_of(GRAIN);
        let size = padded.map_or(allowed, |size| size.min(allowed));
        let idle = self.pool().take_idle(size);
        let raw = match idle {
            Some(raw) => raw,
            None => self.with_room(|| self.allocate(size))?,
        };
        raw.mark.clear();
        self.ledger.buffer(op, rows, cols, size);
        let buffer = Buffer { raw, offset: 0, bytes, whole: None, pooled: true, guard, owner: self.clone() };
        if guard.is_some() {
            self.poison(&buffer)?;
        }
        Ok(buffer)
    }

    /// A buffer of the caller, seen as `rows x cols` four-byte values from byte `offset` on.
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
        let (needed, allowed) = (bytes.saturating_add(offset), buffer.size().min(MAX_BUFFER_BYTES));
        if needed > allowed {
            return Err(Error::Limit { op, what: "bytes in the buffer", needed, allowed });
        }
        if !offset.is_multiple_of(4 * PART_WORDS as u64) {
            let (option, rule) = ("offset", "a multiple of 256 bytes");
            return Err(Error::Option { op, option, rule, value: offset as f64 });
        }
        if !buffer.usage().contains(Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST) {
            return Err(Error::Combination { op, rule: "the buffer's usage must hold STORAGE, COPY_SRC and COPY_DST" });
        }
        if let Some(live) = &self.live {
            live.connection.check_own(&buffer)?;
        }
        let raw = self.pool().wrap(buffer);
        Ok(Buffer { raw, offset, bytes, whole: None, pooled: false, guard: None, owner: self.clone() })
    }

    /// A new buffer from the driver, if there is memory for it.
    fn allocate(&self, size: u64) -> Result<Raw> {
        // The bytes are counted before the driver is asked, so that several threads cannot exceed the limit together.
        self.pool().take(size, self.options.max_memory_bytes.unwrap_or(u64::MAX))?;
        let mark = Arc::<Mark>::default();
        let new = |live: &Arc<Live>| allocate(&live.connection, size, mark.clone()).map(Shared::new);
        let buffer = self.live.as_ref().map(new).transpose();
        let mut pool = self.pool();
        match buffer {
            Ok(buffer) => {
                self.counters.allocations.fetch_add(1, Relaxed);
                Ok(pool.own(buffer, size, mark))
            }
            Err(error) => {
                pool.give_up(size);
                Err(error)
            }
        }
    }

    /// Fills a guarded buffer, with the guard behind its end, so that missing and stray writes are noticed.
    fn poison(&self, buffer: &Buffer) -> Result<()> {
        if self.live.is_none() {
            return Ok(());
        }
        let words = vec![buffer.raw.poison(); (buffer.raw.size / 4) as usize];
        self.write(buffer, &words)
    }

    /// A new buffer with this content.
    pub fn upload<T: bytemuck::NoUninit>(&self, op: &'static str, values: &[T]) -> Result<Buffer> {
        let buffer = self.buffer(op, size_of_val(values).div_ceil(4), 1)?;
        self.write(&buffer, values)?;
        Ok(buffer)
    }

    /// A new buffer of zeros, filled on the device.
    pub fn zeros(&self, op: &'static str, rows: usize, cols: usize) -> Result<Buffer> {
        let buffer = self.buffer(op, rows, cols)?;
        if let Some(target) = buffer.wgpu() {
            self.record(&[], &buffer.raw().mark, |encoder| {
                encoder.clear_buffer(target, buffer.offset(), Some(buffer.bytes()))
            })?;
        }
        Ok(buffer)
    }

    /// A new buffer with the same content, copied on the device.
    pub fn duplicate(&self, op: &'static str, source: &Buffer) -> Result<Buffer> {
        let copy = self.buffer(op, source.words() as usize, 1)?;
        self.copy_all(source, &copy)?;
        Ok(copy)
    }
}

/// A new storage buffer from the driver.
fn allocate(connection: &Connection, size: u64, mark: Arc<Mark>) -> Result<wgpu::Buffer> {
    use wgpu::BufferUsages as Usage;
    let descriptor = wgpu::BufferDescriptor {
        label: Some("matrix"),
        size,
        usage: Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST,
        mapped_at_creation: false,
    };
    connection.new_buffer(&descriptor, move || mark.break_off())
}
