//! Marks on buffers that a rejected recording should have written.
//!
//! wgpu rejects all commands of a recording if one of them is wrong, whichever thread recorded it. The buffers that the commands
//! should have written then hold old content, which must not be taken for a result.

#[cfg(any(target_family = "wasm", test))]
use std::collections::VecDeque;
#[cfg(any(target_family = "wasm", test))]
use std::sync::MutexGuard;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
#[cfg(any(target_family = "wasm", test))]
use crate::gpu::driver::callback::{Answer, Teller, answer};

/// The mark of a buffer.
#[derive(Debug, Default)]
pub(in crate::gpu) struct Mark {
    /// The number of the last recording that writes the buffer.
    recording: AtomicU64,
    /// Whether there is an error; read before the lock is taken.
    lost: AtomicBool,
    error: Mutex<Option<Arc<wgpu::Error>>>,
    /// Whether the buffer could not be made after all.
    broken: AtomicBool,
}

impl Mark {
    /// In browsers: the buffer could not be made after all, and must not serve anybody else.
    pub fn break_off(&self) {
        self.broken.store(true, Relaxed);
    }

    /// Whether the buffer could not be made after all.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Returns an error if the content was never written.
    pub fn check(&self) -> Result<()> {
        if !self.lost.load(Acquire) {
            return Ok(());
        }
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.as_ref().map_or(Ok(()), |source| Err(Error::Unwritten { source: source.clone() }))
    }

    /// Clears the mark: the content is no longer wanted, or all of it is written anew.
    pub fn clear(&self) {
        // Under the lock, since another thread may be marking the content as lost: that comes before this, or not at all.
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        self.recording.store(0, Relaxed);
        self.lost.store(false, Relaxed);
        *error = None;
    }

    /// Marks the content as lost with this recording, unless the buffer has been reused since.
    fn lose(&self, recording: u64, error: Arc<wgpu::Error>) {
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if self.recording.load(Relaxed) == recording {
            *kept = Some(error);
            self.lost.store(true, Release);
        }
    }
}

/// The marks of all buffers that the open recording writes.
#[derive(Default)]
pub(in crate::gpu) struct Written {
    recording: u64,
    marks: Vec<Arc<Mark>>,
    #[cfg(any(target_family = "wasm", test))]
    unanswered: Unanswered,
}

impl Written {
    /// Adds a mark.
    pub fn add(&mut self, mark: &Arc<Mark>) {
        // Recordings count from 1 here, so that a new mark belongs to none.
        let number = self.recording + 1;
        if mark.recording.swap(number, Relaxed) != number {
            #[cfg(any(target_family = "wasm", test))]
            self.unanswered.queue().open.push((number, mark.clone()));
            self.marks.push(mark.clone());
        }
    }

    /// Ends the recording, which is about to be submitted.
    fn handed_over(&mut self) -> HandedOver {
        self.recording += 1;
        HandedOver { recording: self.recording, marks: std::mem::take(&mut self.marks) }
    }

    /// Ends the recording, which is submitted and accepted or rejected at once.
    #[cfg(not(target_family = "wasm"))]
    pub fn end(&mut self) -> HandedOver {
        self.handed_over()
    }

    /// Ends the recording, which is submitted and accepted or rejected later.
    #[cfg(target_family = "wasm")]
    pub fn end(&mut self) -> InBrowser {
        self.end_unanswered()
    }

    #[cfg(any(target_family = "wasm", test))]
    fn end_unanswered(&mut self) -> InBrowser {
        let recording = self.handed_over();
        let number = recording.recording;
        self.unanswered.add(recording);
        InBrowser { number, unanswered: self.unanswered.clone() }
    }

    /// An answer that comes when the browser has accepted or rejected the last recording that writes the buffer with this mark, and
    /// all earlier ones.
    #[cfg(any(target_family = "wasm", test))]
    pub fn heard_of(&self, mark: &Mark) -> Answer<()> {
        self.unanswered.through(mark.recording.load(Relaxed))
    }
}

/// The marks of all buffers that a submitted recording writes.
pub(in crate::gpu) struct HandedOver {
    recording: u64,
    marks: Vec<Arc<Mark>>,
}

impl HandedOver {
    /// Notes that the device accepted the recording, or rejected it. In the latter case the content of all its buffers is lost.
    #[cfg(not(target_family = "wasm"))]
    pub fn answered(self, rejected: Option<&Arc<wgpu::Error>>) {
        rejected.into_iter().for_each(|error| self.lose(error));
    }

    fn lose(&self, error: &Arc<wgpu::Error>) {
        self.marks.iter().for_each(|mark| mark.lose(self.recording, error.clone()));
    }
}

/// A recording that was submitted in a browser.
#[cfg(any(target_family = "wasm", test))]
pub(in crate::gpu) struct InBrowser {
    number: u64,
    unanswered: Unanswered,
}

#[cfg(any(target_family = "wasm", test))]
impl InBrowser {
    /// Notes that the browser accepted the recording, or rejected it.
    pub fn answered(self, rejected: Option<&Arc<wgpu::Error>>) {
        self.unanswered.answered(self.number, rejected);
    }
}

/// The recordings that the browser has neither accepted nor rejected so far, the oldest first. Clones share them.
///
/// Recordings that were made before the browser reported a rejection may have read buffers that the rejected recording should have
/// written. Their results count as lost too.
#[cfg(any(target_family = "wasm", test))]
#[derive(Clone, Default)]
struct Unanswered(Arc<Mutex<Queue>>);

#[cfg(any(target_family = "wasm", test))]
#[derive(Default)]
struct Queue {
    /// The recordings, each with whether it was answered: answers need not come in order.
    recordings: VecDeque<(HandedOver, bool)>,
    /// The marks of all buffers that the open recording writes, with its number.
    open: Vec<(u64, Arc<Mark>)>,
    /// The waits until this recording and all earlier ones are answered.
    waiting: Vec<(u64, Teller<()>)>,
}

#[cfg(any(target_family = "wasm", test))]
impl Unanswered {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, recording: HandedOver) {
        let mut queue = self.queue();
        queue.open.clear();
        queue.recordings.push_back((recording, false));
    }

    fn answered(&self, number: u64, rejected: Option<&Arc<wgpu::Error>>) {
        let mut queue = self.queue();
        if let Some(error) = rejected {
            let doubtful = queue.recordings.iter().filter(|(recording, _)| recording.recording >= number);
            doubtful.for_each(|(recording, _)| recording.lose(error));
            queue.open.iter().for_each(|(recording, mark)| mark.lose(*recording, error.clone()));
        }
        let answered = queue.recordings.iter_mut().find(|(recording, _)| recording.recording == number);
        answered.into_iter().for_each(|(_, answered)| *answered = true);
        while queue.recordings.front().is_some_and(|(_, answered)| *answered) {
            queue.recordings.pop_front();
        }
        let first = queue.recordings.front().map_or(u64::MAX, |(recording, _)| recording.recording);
        let told: Vec<_> = queue.waiting.extract_if(.., |(awaited, _)| *awaited < first).collect();
        // A waker may ask again at once.
        drop(queue);
        told.into_iter().for_each(|(_, teller)| teller.tell(()));
    }

    fn through(&self, number: u64) -> Answer<()> {
        let (teller, answer) = answer();
        let mut queue = self.queue();
        if queue.recordings.front().is_some_and(|(recording, _)| recording.recording <= number) {
            queue.waiting.push((number, teller));
        } else {
            teller.tell(());
        }
        answer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn rejection() -> Arc<wgpu::Error> {
        Arc::new(wgpu::Error::Validation { source: "a reason".into(), description: "a reason".into() })
    }

    #[test]
    fn what_a_rejected_recording_writes_is_lost_until_it_is_written_anew() {
        let (first, second, mut written) = (Arc::<Mark>::default(), Arc::<Mark>::default(), Written::default());
        (0..2).for_each(|_| written.add(&first));
        assert_eq!(written.marks.len(), 1);
        written.end().answered(None);
        written.add(&second);
        written.end().answered(Some(&rejection()));
        assert!(first.check().is_ok());
        let words = second.check().unwrap_err().to_string();
        assert!(words.ends_with("were rejected: a reason"), "{words}");
        assert!(second.check().is_err(), "told every time");
        second.clear();
        assert!(second.check().is_ok());
    }

    /// Another thread may mark the content of a buffer as lost while the buffer is reused.
    #[test]
    fn a_mark_is_cleared_and_lost_under_one_lock() {
        let pause = || std::thread::sleep(std::time::Duration::from_millis(50));
        let mark = Mark::default();
        mark.recording.store(7, Relaxed);
        let early = std::thread::scope(|scope| {
            let held = mark.error.lock().unwrap();
            scope.spawn(|| mark.clear());
            pause();
            let early = mark.recording.load(Relaxed);
            drop(held);
            early
        });
        assert_eq!(early, 7, "cleared while the lock is held");
        mark.recording.store(7, Relaxed);
        std::thread::scope(|scope| {
            let held = mark.error.lock().unwrap();
            scope.spawn(|| mark.lose(7, rejection()));
            pause();
            mark.recording.store(0, Relaxed);
            drop(held);
        });
        assert!(mark.check().is_ok(), "lost after it was reused");
    }

    #[test]
    fn what_was_recorded_before_the_news_of_a_rejection_is_lost_as_well() {
        let marks: Vec<_> = (0..6).map(|_| Arc::<Mark>::default()).collect();
        let is_lost = |index: usize| marks[index].check().is_err();
        let mut written = Written::default();
        let [taken, rejected, after] = [0, 1, 2].map(|index| {
            written.add(&marks[index]);
            written.end_unanswered()
        });
        written.add(&marks[3]);
        taken.answered(None);
        let error = rejection();
        rejected.answered(Some(&error));
        assert_eq!([0, 1, 2, 3].map(is_lost), [false, true, true, true]);
        let heard = [0, 2].map(|index| written.heard_of(&marks[index]));
        let is_told = |index: usize| heard[index].within(std::time::Duration::ZERO).is_ready();
        assert_eq!([0, 1].map(is_told), [true, false]);
        after.answered(None);
        assert!(is_told(1));
        written.end_unanswered().answered(None);
        written.add(&marks[4]);
        written.end_unanswered().answered(Some(&error));
        written.add(&marks[5]);
        written.end_unanswered().answered(None);
        assert_eq!([0, 1, 2, 3, 4, 5].map(is_lost), [false, true, true, true, true, false]);
    }
}
