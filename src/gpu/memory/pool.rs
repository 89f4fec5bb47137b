//! The pool: idle buffers that are reused, and the count of all bytes taken from the driver.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::mark::Mark;
use super::raw::Raw;
use crate::error::{Error, Result};
use crate::gpu::driver::type_erased::Shared;

/// A buffer known by its identity, so that wrapping it again gives an equal id and mark.
struct Known {
    raw: Raw,
    /// How many of the crate's buffers are made from it.
    wraps: usize,
    /// Whether it is one of the crate's own.
    own: bool,
    /// Whether it is one of the crate's own that is used only by wraps any more. It returns to the pool after the last of them.
    returned: bool,
}

/// The most guarded buffers that wait for a check. There are fewer between two reads of a training or a test.
const MOST_UNCHECKED: usize = 1024;

/// A guarded buffer that is no longer used. The next read checks its guard; only then can it be reused.
pub(in crate::gpu) struct Unchecked {
    pub raw: Raw,
    /// The bytes of its content. The guard comes behind them.
    pub bytes: u64,
    /// What the buffer was made for.
    pub op: &'static str,
}

/// The pool of idle buffers, and the bytes of all buffers.
#[derive(Default)]
pub(in crate::gpu) struct Pool {
    /// The idle buffers, by the number of their return: the oldest first.
    idle: BTreeMap<u64, Raw>,
    /// The numbers of returns by the buffers' size, in that order.
    by_size: HashMap<u64, VecDeque<u64>>,
    returns: u64,
    /// Guarded buffers that wait for a check, the oldest first.
    unchecked: VecDeque<Unchecked>,
    /// Buffers that are no longer used and go back to the driver later.
    deferred: Vec<Raw>,
    known: HashMap<wgpu::Buffer, Known>,
    idle_bytes: u64,
    /// Bytes taken from the driver, idle ones included: now, and at most so far.
    allocated_bytes: u64,
    peak_bytes: u64,
}

impl Pool {
    /// The idle buffer of this size that was used last.
    pub fn take_idle(&mut self, size: u64) -> Option<Raw> {
        loop {
            let newest = self.by_size.get_mut(&size)?.pop_back()?;
            self.forget_empty(size);
            self.idle_bytes -= size;
            let raw = self.idle.remove(&newest)?;
            if !raw.mark.is_broken() {
                return Some(raw);
            }
            self.allocated_bytes -= size;
            self.forget_own(&raw);
        }
    }

    /// Takes back a buffer that is no longer used. Returns the buffers for which the pool has no room any more.
    pub fn put_back(&mut self, raw: Raw, most: u64) -> Vec<Raw> {
        if raw.size > most || raw.mark.is_broken() {
            self.allocated_bytes -= raw.size;
            self.forget_own(&raw);
            return vec![raw];
        }
        let known = raw.buffer.as_deref().and_then(|buffer| self.known.get_mut(buffer));
        if let Some(known) = known.filter(|known| known.wraps > 0) {
            known.returned = true;
            return Vec::new();
        }
        self.returns += 1;
        self.idle_bytes += raw.size;
        self.by_size.entry(raw.size).or_default().push_back(self.returns);
        self.idle.insert(self.returns, raw);
        self.shrink(most)
    }

    /// Keeps a guarded buffer that is no longer used until its guard is checked. The oldest of too many is taken back unchecked.
    /// Returns the buffers for which the pool has no room any more.
    pub fn keep_unchecked(&mut self, buffer: Unchecked, most: u64) -> Vec<Raw> {
        self.unchecked.push_back(buffer);
        let oldest = if self.unchecked.len() > MOST_UNCHECKED { self.unchecked.pop_front() } else { None };
        oldest.map_or_else(Vec::new, |oldest| self.put_back(oldest.raw, most))
    }

    /// The guarded buffers that wait for a check. The pool forgets them.
    pub fn take_unchecked(&mut self) -> VecDeque<Unchecked> {
        std::mem::take(&mut self.unchecked)
    }

    /// Keeps buffers that go back to the driver until [`Pool::take_deferred`].
    pub fn defer(&mut self, gone: Vec<Raw>) {
        self.deferred.extend(gone);
    }

    /// The buffers that were kept to go back to the driver.
    pub fn take_deferred(&mut self) -> Vec<Raw> {
        std::mem::take(&mut self.deferred)
    }

    /// Gives up the oldest idle buffers until no more than this is left.
    pub fn shrink(&mut self, most: u64) -> Vec<Raw> {
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

    /// The bytes taken from the driver, idle buffers included: now, and at most so far.
    pub fn bytes(&self) -> (u64, u64) {
        (self.allocated_bytes, self.peak_bytes)
    }

    /// Subtracts the bytes of a buffer that could not be allocated.
    pub fn give_up(&mut self, size: u64) {
        self.allocated_bytes -= size;
    }

    /// A new buffer of the crate's own, which [`Pool::take`] has counted.
    pub fn own(&mut self, buffer: Option<Shared<wgpu::Buffer>>, size: u64, mark: Arc<Mark>) -> Raw {
        self.peak_bytes = self.peak_bytes.max(self.allocated_bytes);
        let raw = Raw { mark, ..Raw::new(buffer, size, true) };
        if let Some(buffer) = raw.buffer.as_deref() {
            self.known.insert(buffer.clone(), Known { raw: raw.clone(), wraps: 0, own: true, returned: false });
        }
        raw
    }

    /// A buffer of the caller's, or one of the crate's own that the caller has come by.
    pub fn wrap(&mut self, buffer: wgpu::Buffer) -> Raw {
        if let Some(known) = self.known.get_mut(&buffer) {
            known.wraps += 1;
            let raw = known.raw.clone();
            // A caller's handle may outlive the matrix. Then the buffer is idle here, and must not be reused.
            if self.take_out(&raw)
                && let Some(known) = self.known.get_mut(&buffer)
            {
                known.returned = true;
            }
            return raw;
        }
        let (size, shared) = (buffer.size(), Shared::new(buffer.clone()));
        let raw = Raw::new(Some(shared), size, false);
        self.known.insert(buffer, Known { raw: raw.clone(), wraps: 1, own: false, returned: false });
        raw
    }

    /// Ends one use of a wrapped buffer. Returns the buffers for which the pool has no room any more, and the buffer itself after
    /// the last use of a buffer of the caller.
    pub fn unwrap(&mut self, raw: Raw, most: u64) -> Vec<Raw> {
        let Some(known) = raw.buffer.as_deref().and_then(|buffer| self.known.get_mut(buffer)) else {
            return Vec::new();
        };
        known.wraps -= 1;
        match (known.wraps == 0, known.own) {
            (true, true) if std::mem::take(&mut known.returned) => self.put_back(raw, most),
            (true, false) => {
                let last = raw.buffer.as_deref().and_then(|buffer| self.known.remove(buffer)).map(|known| known.raw);
                last.map_or_else(Vec::new, |last| vec![last, raw])
            }
            _ => Vec::new(),
        }
    }

    /// Takes this buffer out of the idle ones. Returns whether it was idle.
    fn take_out(&mut self, raw: &Raw) -> bool {
        let Some(number) = self.idle.iter().find(|(_, idle)| idle.id == raw.id).map(|(number, _)| *number) else {
            return false;
        };
        self.idle.remove(&number);
        self.idle_bytes -= raw.size;
        if let Some(returns) = self.by_size.get_mut(&raw.size) {
            returns.retain(|other| *other != number);
        }
        self.forget_empty(raw.size);
        true
    }

    /// Forgets a buffer of the crate's own that goes back to the driver.
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
    pub fn take(&mut self, size: u64, allowed: u64) -> Result<()> {
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

    use super::{MOST_UNCHECKED, Pool, Raw, Unchecked};

    fn raw(size: u64, id: u64) -> Raw {
        Raw { buffer: None, size, id, mark: Arc::default(), own: true }
    }

    #[test]
    fn the_pool_lets_go_of_the_oldest() {
        let mut pool = Pool { allocated_bytes: 1_000, ..Pool::default() };
        assert!(pool.put_back(raw(40, 1), 100).is_empty());
        assert!(pool.put_back(raw(50, 2), 100).is_empty());
        // Buffers of sizes that are not requested again do not take the room of those that return.
        let gone = pool.put_back(raw(60, 3), 100);
        assert_eq!(gone.iter().map(|raw| raw.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((pool.idle_bytes, pool.allocated_bytes), (60, 910));
        assert!(pool.take_idle(40).is_none() && pool.take_idle(50).is_none());
        assert_eq!(pool.take_idle(60).map(|raw| raw.id), Some(3));
        // Of two buffers of one size, the last one is reused, since its content may still be in caches.
        for id in [4, 5] {
            assert!(pool.put_back(raw(10, id), 100).is_empty());
        }
        assert_eq!(pool.take_idle(10).map(|raw| raw.id), Some(5));
        // A buffer that is too large for the pool does not displace others.
        assert_eq!(pool.put_back(raw(200, 6), 100).iter().map(|raw| raw.id).collect::<Vec<_>>(), [6]);
        assert_eq!((pool.idle_bytes, pool.allocated_bytes, pool.by_size.len()), (10, 710, 1));
        assert_eq!(pool.shrink(0).len(), 1);
        assert_eq!((pool.idle_bytes, pool.allocated_bytes, pool.by_size.len()), (0, 700, 0));
    }

    #[test]
    fn a_guarded_buffer_serves_nobody_before_its_check() {
        let mut pool = Pool::default();
        let mut keep = |id| pool.keep_unchecked(Unchecked { raw: raw(10, id), bytes: 4, op: "test" }, 100).len();
        assert_eq!((0..=MOST_UNCHECKED as u64).map(&mut keep).sum::<usize>(), 0);
        // Only the oldest of one too many is idle.
        assert_eq!(pool.take_idle(10).map(|raw| raw.id), Some(0));
        assert!(pool.take_idle(10).is_none());
        let waiting = pool.take_unchecked();
        assert_eq!((waiting.len(), waiting[0].raw.id, pool.take_unchecked().len()), (MOST_UNCHECKED, 1, 0));
    }

    #[test]
    fn a_buffer_that_could_not_be_made_serves_nobody() {
        let mut pool = Pool { allocated_bytes: 30, ..Pool::default() };
        let (early, late) = (raw(10, 1), raw(10, 2));
        let marks = [early.mark.clone(), late.mark.clone()];
        marks[0].break_off();
        assert_eq!(pool.put_back(early, 100).len(), 1, "known before it comes back");
        assert!(pool.put_back(late, 100).is_empty());
        marks[1].break_off();
        assert!(pool.take_idle(10).is_none(), "known while it lies idle");
        assert_eq!((pool.idle_bytes, pool.allocated_bytes, pool.by_size.len()), (0, 10, 0));
    }

    #[test]
    fn what_is_allocated_stays_within_what_is_allowed() {
        let mut pool = Pool::default();
        assert!(pool.take(600, 1_000).is_ok() && pool.take(600, 1_000).is_err() && pool.take(400, 1_000).is_ok());
        assert!(pool.take(u64::MAX, u64::MAX).is_err());
    }
}
