//! Idle memory of large results, which is kept for later results. New memory would come from the system page by page, and each page
//! is zeroed when it is first touched, which takes longer than a softmax.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The most elements that all idle buffers together may have: half a GiB of f32.
pub(super) const MAX_ELEMENTS: usize = 1 << 27;
/// The most buffers that are kept; a step of training frees about so many.
const MAX_BUFFERS: usize = 8;

/// Idle buffers, the one that has been idle longest in front.
#[derive(Default)]
pub struct Idle<T>(Mutex<VecDeque<Vec<T>>>);

impl<T> Idle<T> {
    /// No buffers.
    pub const fn new() -> Self {
        Idle(Mutex::new(VecDeque::new()))
    }

    /// Takes an idle buffer of this length, if there is one.
    pub(super) fn take(&self, elements: usize) -> Option<Vec<T>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = idle.iter().position(|memory| memory.len() == elements)?;
        idle.remove(index)
    }

    /// Adds an idle buffer, and drops the oldest ones if there are too many.
    pub(super) fn keep(&self, memory: Vec<T>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back(memory);
        let mut elements: usize = idle.iter().map(Vec::len).sum();
        while elements > MAX_ELEMENTS || idle.len() > MAX_BUFFERS {
            elements -= idle.pop_front().map_or(elements, |memory| memory.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_by_length_and_no_more_than_allowed_is_kept() {
        let idle = Idle::new();
        idle.keep(vec![1.0f32; 5]);
        idle.keep(vec![2.0; 7]);
        assert_eq!(idle.take(6), None);
        assert_eq!(idle.take(5), Some(vec![1.0; 5]));
        assert_eq!(idle.take(5), None);
        // Zeros that are never touched take no memory.
        idle.keep(vec![0.0; MAX_ELEMENTS - 7]);
        assert_eq!(idle.take(7), Some(vec![2.0; 7]));
        idle.keep(vec![3.0; 7]);
        idle.keep(vec![4.0; 8]);
        assert_eq!((idle.take(MAX_ELEMENTS - 7).map(|memory| memory.len()), idle.take(7)), (None, Some(vec![3.0; 7])));
        (10..10 + MAX_BUFFERS).for_each(|length| idle.keep(vec![5.0; length]));
        assert_eq!((idle.take(8), idle.take(10)), (None, Some(vec![5.0; 10])));
    }
}
