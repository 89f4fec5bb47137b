//! Decoded row groups that are kept: those that were used last, up to a number of bytes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Result;

/// A decoded row group, or the place for one that a thread is decoding.
type Slot = Arc<Mutex<Option<Arc<Vec<f32>>>>>;

/// Row groups that are kept.
pub(super) struct Cache {
    /// The most bytes that are kept.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: HashMap<usize, Kept>,
    bytes: usize,
    /// The number of uses so far.
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

    /// Whether a row group of so many bytes can be kept at all.
    pub(super) fn can_hold(&self, bytes: usize) -> bool {
        bytes <= self.limit
    }

    /// Whether this row group is kept, or being decoded.
    pub(super) fn has(&self, group: usize) -> bool {
        self.state.lock().kept.contains_key(&group)
    }

    /// The row group, which is decoded if it is not kept. A thread that wants what another one is decoding waits for it;
    /// threads that want other row groups do not.
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
    /// The place of a row group, for which others make room.
    fn slot(&mut self, group: usize, bytes: usize, limit: usize) -> Slot {
        self.uses += 1;
        if let Some(kept) = self.kept.get_mut(&group) {
            kept.used = self.uses;
            return kept.slot.clone();
        }
        while self.bytes.saturating_add(bytes) > limit {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(group, _)| *group);
            let Some(gone) = oldest.and_then(|group| self.kept.remove(&group)) else { break };
            self.bytes -= gone.bytes;
        }
        let slot = Slot::default();
        self.bytes += bytes;
        self.kept.insert(group, Kept { slot: slot.clone(), bytes, used: self.uses });
        slot
    }

    /// Takes out a place that stayed empty.
    fn forget(&mut self, group: usize, slot: &Slot) {
        if self.kept.get(&group).is_some_and(|kept| Arc::ptr_eq(&kept.slot, slot))
            && let Some(gone) = self.kept.remove(&group)
        {
            self.bytes -= gone.bytes;
        }
    }
}
