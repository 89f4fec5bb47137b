//! The event loop of a browser's page or worker, which replaces the poll thread. Callbacks run whenever the program returns to the
//! event loop, and never while it computes.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use super::callback::{Answer, Teller, answer};
use super::turns::{Polled, Turns};

/// The event loop's reports about a device's submits.
pub(in crate::gpu) struct EventLoop(Arc<Progress>);

#[derive(Default)]
struct Progress {
    /// The number of the last submit that is done; all submits before it are done too.
    done: AtomicU64,
    /// The waits for submits, each with the submit's number.
    waiting: Mutex<Vec<(u64, Teller<Polled>)>>,
}

impl EventLoop {
    pub fn new(_turns: Turns) -> Self {
        EventLoop(Arc::default())
    }

    /// Does nothing: the browser itself polls, and gives no answer.
    pub fn ask(&self, _device: &wgpu::Device, _until: Option<wgpu::SubmissionIndex>) -> Option<Answer<Polled>> {
        None
    }

    /// Asks for a report when the last submit of the queue, which has this number, is done.
    pub fn submitted(&self, queue: &wgpu::Queue, number: u64) {
        let progress = self.0.clone();
        queue.on_submitted_work_done(move || progress.is_done(number));
    }

    /// The number of the last submit that the browser has reported as done.
    pub fn done(&self) -> u64 {
        self.0.done.load(Relaxed)
    }

    /// An answer when the submit with this number is done.
    pub fn after(&self, _device: &wgpu::Device, (number, _index): (u64, wgpu::SubmissionIndex)) -> Answer<Polled> {
        let (teller, answer) = answer();
        if self.done() >= number {
            teller.tell(Ok(()));
        } else {
            self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((number, teller));
        }
        answer
    }
}

impl Progress {
    fn is_done(&self, number: u64) {
        self.done.fetch_max(number, Relaxed);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let told: Vec<_> = waiting.extract_if(.., |(awaited, _)| *awaited <= number).collect();
        // A waker may ask again at once.
        drop(waiting);
        told.into_iter().for_each(|(_, teller)| teller.tell(Ok(())));
    }
}
