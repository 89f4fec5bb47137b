//! Submits in flight: those that the device may not have done. They limit how far the host may be ahead of the device.

use std::collections::VecDeque;

/// Submits in flight before the host waits for the oldest.
const MOST_SUBMITS: usize = 16;
/// Bytes of uploads in flight before the host waits for the oldest. This limits the staging memory.
const MOST_UPLOADS: u64 = 128 << 20;

/// A submit that may not be done.
struct Submit {
    number: u64,
    index: wgpu::SubmissionIndex,
    /// Bytes of the staging buffers from which it copies.
    uploads: u64,
}

/// The submits in flight, the oldest first.
#[derive(Default)]
pub(in crate::gpu) struct InFlight {
    submits: VecDeque<Submit>,
    /// Submits so far.
    count: u64,
    /// The last submit that the device accepted.
    last: Option<wgpu::SubmissionIndex>,
}

/// Whether more submits than these, or more bytes of uploads, are in flight.
fn too_much(submits: usize, uploads: u64, most_submits: usize, most_uploads: u64) -> bool {
    submits > most_submits || (submits > 1 && uploads > most_uploads)
}

impl InFlight {
    /// Adds a submit with so many bytes of uploads, and returns its number.
    pub fn add(&mut self, index: wgpu::SubmissionIndex, uploads: u64) -> u64 {
        self.count += 1;
        self.last = Some(index.clone());
        self.submits.push_back(Submit { number: self.count, index, uploads });
        self.count
    }

    /// Whether all submits are done, as far as that is known.
    #[cfg(target_family = "wasm")]
    pub fn is_empty(&self) -> bool {
        self.submits.is_empty()
    }

    /// The last submit that the device accepted.
    pub fn last(&self) -> Option<wgpu::SubmissionIndex> {
        self.last.clone()
    }

    /// The submit that must be done so that at most half of each bound is in flight, and its number for [`InFlight::is_done`].
    pub fn oldest(&self) -> Option<(u64, wgpu::SubmissionIndex)> {
        let (mut submits, mut uploads) = (self.submits.len(), self.uploads());
        let awaited = self.submits.iter().take_while(|submit| {
            let wanted = too_much(submits, uploads, MOST_SUBMITS / 2, MOST_UPLOADS / 2);
            (submits, uploads) = (submits - 1, uploads - submit.uploads);
            wanted
        });
        awaited.last().map(|submit| (submit.number, submit.index.clone()))
    }

    /// Whether the host is so far ahead that it must wait.
    pub fn is_ahead(&self) -> bool {
        too_much(self.submits.len(), self.uploads(), MOST_SUBMITS, MOST_UPLOADS)
    }

    /// Takes the oldest submit, to be waited for.
    pub fn take_oldest(&mut self) -> Option<wgpu::SubmissionIndex> {
        self.submits.pop_front().map(|submit| submit.index)
    }

    /// Forgets this submit, and all before it: they are done.
    pub fn is_done(&mut self, number: u64) {
        while self.submits.front().is_some_and(|submit| submit.number <= number) {
            self.submits.pop_front();
        }
    }

    fn uploads(&self) -> u64 {
        self.submits.iter().map(|submit| submit.uploads).sum()
    }
}
