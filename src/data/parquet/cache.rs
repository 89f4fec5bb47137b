//! A cache of decoded row groups. It keeps those that were used last, up to a number of bytes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Result;

/// A decoded row group, or the place for a row group that a thread is decoding.
type Slot = Arc<Mutex<Option<Arc<Vec<f32>>>>>;

/// A cache of decoded row groups.
pub(super) struct Cache {
    /// The maximal number of bytes that are kept.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: HashMap<usize, Kept>,
    bytes: usize,
    /// The number of uses so far, by which the oldest use is found.
    uses: u64,
}

struct Kept {
    slot: Slot,
    bytes: usize,
    /// The number of the last use.
    used: u64,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Cache { limit, state: Mutex::default() }
    }

    /// Whether a row group of this size fits into the cache.
    pub(super) fn can_hold(&self, bytes: usize) -> bool {
        bytes <= self.limit
    }

    /// Whether this row group is in the cache, or is being decoded.
    pub(super) fn has(&self, group: usize) -> bool {
        self.state.lock().kept.contains_key(&group)
    }

    /// The row group. It is decoded if it is not in the cache. If another thread is decoding it, this thread waits; threads that
    /// want other row groups do not wait.
    pub(super) fn get(
        &self,
        group: usize,
        bytes: usize,
        decode: impl FnOnce() -> Result<Vec<f32>>,
    ) -> Result<Arc<Vec<f32>>> {
        let slot = self.state.lock().slot(group, bytes, self.limit);
        let mut values = slot.lock();
        if let Some(values) = &*values {
            return Ok(values.clone());
        }
        match decode() {
            Ok(decoded) => Ok(values.insert(Arc::new(decoded)).clone()),
            Err(error) => {
                self.state.lock().forget(group, &slot);
                Err(error)
            }
        }
    }
}

impl State {
    /// The place of a row group. Others are removed to make room for it.
    fn slot(&mut self, group: usize, bytes: usize, limit: usize) -> Slot {
        self.uses += 1;
        if let Some(kept) = self.kept.get_mut(&group) {
            kept.used = self.uses;
            return kept.slot.clone();
        }
        while self.bytes.saturating_add(bytes) > limit {
            // A row group that is being decoded is not removed, since the next thread that wants it would decode it again.
            let idle = self.kept.iter().filter(|(_, kept)| kept.slot.try_lock().is_some());
            let oldest = idle.min_by_key(|(_, kept)| kept.used).map(|(group, _)| *group);
            let Some(gone) = oldest.and_then(|group| self.kept.remove(&group)) else { break };
            self.bytes -= gone.bytes;
        }
        let slot = Slot::default();
        self.bytes += bytes;
        self.kept.insert(group, Kept { slot: slot.clone(), bytes, used: self.uses });
        slot
    }

    /// Removes a place whose row group could not be decoded.
    fn forget(&mut self, group: usize, slot: &Slot) {
        if self.kept.get(&group).is_some_and(|kept| Arc::ptr_eq(&kept.slot, slot))
            && let Some(gone) = self.kept.remove(&group)
        {
            self.bytes -= gone.bytes;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::error::Error;

    /// Gets a row group of ten bytes, and returns whether it was decoded.
    fn is_decoded(cache: &Cache, group: usize) -> bool {
        let mut decoded = false;
        let values = cache.get(group, 10, || {
            decoded = true;
            Ok(vec![group as f32])
        });
        assert_eq!(*values.unwrap(), [group as f32]);
        decoded
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let cache = Cache::new(25);
        assert!(is_decoded(&cache, 0) && is_decoded(&cache, 1));
        assert!(!is_decoded(&cache, 0));
        assert!(is_decoded(&cache, 2));
        assert_eq!([0, 1, 2].map(|group| cache.has(group)), [true, false, true]);
        assert!(is_decoded(&cache, 1) && !is_decoded(&cache, 2) && is_decoded(&cache, 0));
        assert!(cache.can_hold(25) && !cache.can_hold(26));
        assert_eq!(cache.state.lock().bytes, 20);
    }

    #[test]
    fn an_error_is_not_kept() {
        let cache = Cache::new(25);
        let failing = || Err(Error::Combination { op: "decode", rule: "it must work" });
        assert!(cache.get(3, 10, failing).is_err());
        assert_eq!((cache.has(3), cache.state.lock().bytes), (false, 0));
        assert!(is_decoded(&cache, 3) && !is_decoded(&cache, 3));
    }

    #[test]
    fn threads_that_want_one_row_group_decode_it_once() {
        let (cache, decoded, begin) = (Cache::new(100), AtomicUsize::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    begin.wait();
                    let decode = || {
                        decoded.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(std::time::Duration::from_millis(20));
                        Ok(vec![1.0])
                    };
                    assert_eq!(*cache.get(5, 10, decode).unwrap(), [1.0]);
                });
            }
        });
        assert_eq!(decoded.into_inner(), 1);
    }

    #[test]
    fn a_thread_that_decodes_holds_up_no_other() {
        let (cache, begun, end) = (Cache::new(100), Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                let decode = || {
                    begun.wait();
                    end.wait();
                    Ok(vec![5.0])
                };
                cache.get(5, 10, decode).unwrap();
            });
            begun.wait();
            assert!(is_decoded(&cache, 6) && cache.has(5));
            end.wait();
        });
        assert!(!is_decoded(&cache, 5));
    }
}
