//! Device buffers: allocated once, kept in a pool, handed out again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::context::{Context, Inner, Live};
use super::mark::Mark;
use super::shared::Shared;
use crate::error::{Error, Result};

/// Extra bytes behind a guarded buffer, filled with [`Raw::poison`] and looked at by every read.
pub(super) const GUARD_BYTES: u64 = 256;
/// Quiet NaNs with payloads that no kernel makes begin so: what guarded buffers hold before a kernel writes.
const POISON: u32 = 0x7fd0_0000;
/// Allocations are rounded up to this, so that nearly equal shapes share pooled buffers.
const GRAIN: u64 = 256;
/// Parts of a buffer start at multiples of so many words: no device wants more of a binding's offset.
pub(crate) const PART_WORDS: usize = 64;
/// Idle buffers beyond a quarter of the largest buffer go back to the driver, the oldest first; but no less than the first of
/// these is kept, and no more than the second. wgpu does not tell how much memory a device has: what one buffer can be, grows with it.
const IDLE_BYTES: (u64, u64) = (1 << 30, 16 << 30);

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
    pub mark: Arc<Mark>,
}

impl Raw {
    /// What fills the buffer where it is guarded. Each has its own, so that one kernel's step behind the end of two buffers
    /// does not copy a guard over another that is like it.
    pub fn poison(&self) -> u32 {
        POISON | (self.id as u32 & 0xf_ffff)
    }
}

/// A buffer that is known by its identity: whoever wraps it again gets the same id, and the same mark.
struct Known {
    raw: Raw,
    /// How many of the crate's buffers are made from it.
    wraps: usize,
    /// Whether it is one of the crate's own.
    own: bool,
}

/// Idle buffers, and how much there is of all.
#[derive(Default)]
pub(super) struct Pool {
    /// By the number of their return: the oldest first.
    idle: BTreeMap<u64, Raw>,
    /// Those numbers by the buffers' size, in the same order.
    by_size: HashMap<u64, VecDeque<u64>>,
    returns: u64,
    known: HashMap<wgpu::Buffer, Known>,
    idle_bytes: u64,
    allocated_bytes: u64,
    peak_bytes: u64,
}

/// A number that no other buffer of this process has: contexts may share what is kept by it.
fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
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

    /// An error where the content was never written, since what should have done it was rejected.
    pub(super) fn check_written(&self) -> Result<()> {
        self.raw.mark.check()
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
        // Moved out, so that the last handle to it is dropped with the others, in a turn.
        let raw = std::mem::replace(&mut self.raw, Raw { buffer: None, size: 0, id: 0, mark: Arc::default() });
        let gone = match self.pooled {
            true => self.owner.pool().put_back(raw, self.owner.most_idle_bytes()),
            false => {
                let last = self.owner.pool().unwrap(&raw);
                last.map_or_else(Vec::new, |last| vec![last, raw])
            }
        };
        self.owner.forget_bind_groups(&gone);
        self.owner.release(gone);
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
        let idle = self.pool().take_idle(size);
        let raw = match idle {
            Some(raw) => raw,
            None => self.allocate(size)?,
        };
        raw.mark.clear();
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
        let raw = self.pool().wrap(buffer);
        Ok(Buffer { raw, offset, bytes, whole: None, pooled: false, owner: self.clone() })
    }

    /// A new buffer from the driver.
    fn allocate(&self, size: u64) -> Result<Raw> {
        self.with_room(|| self.try_allocate(size))
    }

    /// What takes device memory; when that is short, once more with the pool emptied.
    pub(super) fn with_room<T>(&self, make: impl Fn() -> Result<T>) -> Result<T> {
        let first = make();
        if !matches!(first, Err(Error::OutOfMemory { .. })) {
            return first;
        }
        let gone = self.pool().shrink(0);
        log::warn!("out of device memory: letting go of {} idle buffers", gone.len());
        self.forget_bind_groups(&gone);
        self.release(gone);
        if let Some(live) = &self.live {
            let _turn = live.turns.take();
            let (uploads, reads) = (live.recorder().staging.clear(), live.reads.clear());
            drop((uploads, reads));
        }
        self.wait()?;
        make()
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
                Ok(pool.own(buffer, size))
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
        let words = vec![buffer.raw.poison(); (buffer.raw.size / 4) as usize];
        self.write(buffer, &words)
    }
}

impl Live {
    fn allocate(&self, size: u64) -> Result<wgpu::Buffer> {
        use wgpu::BufferUsages as Usage;
        let _turn = self.turns.take();
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

    /// Hands buffers back to the driver.
    fn release(&self, gone: Vec<Raw>) {
        if !gone.is_empty() {
            let _turn = self.live.as_ref().map(|live| live.turns.take());
            drop(gone);
        }
    }

    /// The most that lies idle.
    fn most_idle_bytes(&self) -> u64 {
        let (least, most) = IDLE_BYTES;
        (self.limits.max_buffer_size / 4).clamp(least, most)
    }

    /// Bytes taken from the driver, pooled ones included: now, and at most so far.
    pub(super) fn memory(&self) -> (u64, u64) {
        let pool = self.pool();
        (pool.allocated_bytes, pool.peak_bytes)
    }
}

impl Pool {
    /// The idle buffer of this size that was used last.
    fn take_idle(&mut self, size: u64) -> Option<Raw> {
        let newest = self.by_size.get_mut(&size)?.pop_back()?;
        self.forget_empty(size);
        self.idle_bytes -= size;
        self.idle.remove(&newest)
    }

    /// Takes back a buffer that is no longer used; gives those that there is no room for any more.
    fn put_back(&mut self, raw: Raw, most: u64) -> Vec<Raw> {
        if raw.size > most {
            self.allocated_bytes -= raw.size;
            self.forget_own(&raw);
            return vec![raw];
        }
        self.returns += 1;
        self.idle_bytes += raw.size;
        self.by_size.entry(raw.size).or_default().push_back(self.returns);
        self.idle.insert(self.returns, raw);
        self.shrink(most)
    }

    /// Gives up the oldest idle buffers until no more than this is left.
    fn shrink(&mut self, most: u64) -> Vec<Raw> {
        let mut gone = Vec::new();
        while self.idle_bytes > most {
            let Some((_, raw)) = self.idle.pop_first() else { break };
            self.idle_bytes -= raw.size;
            self.allocated_bytes -= raw.size;
            if let Some(returns) = self.by_size.get_mut(&raw.size) {
                // The oldest of all is the oldest of its size.
                returns.pop_front();
            }
            self.forget_empty(raw.size);
            self.forget_own(&raw);
            gone.push(raw);
        }
        gone
    }

    /// A new buffer of the crate's own.
    fn own(&mut self, buffer: Option<Shared<wgpu::Buffer>>, size: u64) -> Raw {
        let raw = Raw { buffer, size, id: fresh_id(), mark: Arc::default() };
        if let Some(buffer) = raw.buffer.as_deref() {
            self.known.insert(buffer.clone(), Known { raw: raw.clone(), wraps: 0, own: true });
        }
        raw
    }

    /// A buffer of the caller's, or one of the crate's own that the caller has come by.
    fn wrap(&mut self, buffer: wgpu::Buffer) -> Raw {
        if let Some(known) = self.known.get_mut(&buffer) {
            known.wraps += 1;
            return known.raw.clone();
        }
        let (size, shared) = (buffer.size(), Shared::new(buffer.clone()));
        let raw = Raw { buffer: Some(shared), size, id: fresh_id(), mark: Arc::default() };
        self.known.insert(buffer, Known { raw: raw.clone(), wraps: 1, own: false });
        raw
    }

    /// One use of a wrapped buffer less; the buffer itself, when that was the last of a buffer of the caller's.
    fn unwrap(&mut self, raw: &Raw) -> Option<Raw> {
        let buffer = raw.buffer.as_deref()?;
        let known = self.known.get_mut(buffer)?;
        known.wraps -= 1;
        let last = known.wraps == 0 && !known.own;
        last.then(|| self.known.remove(buffer)).flatten().map(|known| known.raw)
    }

    /// A buffer that goes back to the driver, as far as the crate is concerned.
    fn forget_own(&mut self, raw: &Raw) {
        let Some(buffer) = raw.buffer.as_deref() else { return };
        if let Some(known) = self.known.get_mut(buffer) {
            known.own = false;
            if known.wraps == 0 {
                self.known.remove(buffer);
            }
        }
    }

    fn forget_empty(&mut self, size: u64) {
        if self.by_size.get(&size).is_some_and(VecDeque::is_empty) {
            self.by_size.remove(&size);
        }
    }

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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Pool, Raw};

    fn raw(size: u64, id: u64) -> Raw {
        Raw { buffer: None, size, id, mark: Arc::default() }
    }

    #[test]
    fn the_pool_lets_go_of_the_oldest() {
        let mut pool = Pool { allocated_bytes: 1_000, ..Pool::default() };
        assert!(pool.put_back(raw(40, 1), 100).is_empty());
        assert!(pool.put_back(raw(50, 2), 100).is_empty());
        // Odd sizes that nobody asks for again keep no room from those that come back.
        let gone = pool.put_back(raw(60, 3), 100);
        assert_eq!(gone.iter().map(|raw| raw.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((pool.idle_bytes, pool.allocated_bytes), (60, 910));
        assert!(pool.take_idle(40).is_none() && pool.take_idle(50).is_none());
        assert_eq!(pool.take_idle(60).map(|raw| raw.id), Some(3));
        // Of two of a size, the one whose content is still in caches.
        for id in [4, 5] {
            assert!(pool.put_back(raw(10, id), 100).is_empty());
        }
        assert_eq!(pool.take_idle(10).map(|raw| raw.id), Some(5));
        // One that has no room takes none from the others.
        assert_eq!(pool.put_back(raw(200, 6), 100).iter().map(|raw| raw.id).collect::<Vec<_>>(), [6]);
        assert_eq!((pool.idle_bytes, pool.allocated_bytes, pool.by_size.len()), (10, 710, 1));
        assert_eq!(pool.shrink(0).len(), 1);
        assert_eq!((pool.idle_bytes, pool.allocated_bytes, pool.by_size.len()), (0, 700, 0));
    }

    #[test]
    fn what_is_allocated_stays_within_what_is_allowed() {
        let mut pool = Pool::default();
        assert!(pool.take(600, 1_000).is_ok() && pool.take(600, 1_000).is_err() && pool.take(400, 1_000).is_ok());
        assert!(pool.take(u64::MAX, u64::MAX).is_err());
    }
}
