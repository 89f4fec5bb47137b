//! Marks on buffers that a rejected recording should have written.
//!
//! wgpu rejects the commands of a recording as a whole, whoever recorded the wrong one. What they should have written is then
//! whatever was there before: nobody may take it for a result.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// The mark of a buffer.
#[derive(Debug, Default)]
pub(in crate::gpu) struct Mark {
    /// The number of the last recording that writes the buffer.
    recording: AtomicU64,
    /// Whether there is an error: looked at before the lock is taken.
    lost: AtomicBool,
    error: Mutex<Option<Arc<wgpu::Error>>>,
}

impl Mark {
    /// An error where the content was never written.
    pub fn check(&self) -> Result<()> {
        if !self.lost.load(Acquire) {
            return Ok(());
        }
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.as_ref().map_or(Ok(()), |source| Err(Error::Unwritten { source: source.clone() }))
    }

    /// Clears the mark: the content is no longer wanted, or all of it is written anew.
    pub fn clear(&self) {
        self.recording.store(0, Relaxed);
        if self.lost.swap(false, Acquire) {
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Marks the content as lost with this recording, unless the buffer has another purpose since.
    fn lose(&self, recording: u64, error: Arc<wgpu::Error>) {
        if self.recording.load(Relaxed) != recording {
            return;
        }
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.lost.store(true, Release);
    }
}

/// The marks of all that a recording writes.
#[derive(Default)]
pub(in crate::gpu) struct Written {
    recording: u64,
    marks: Vec<Arc<Mark>>,
}

impl Written {
    /// Adds a mark.
    pub fn add(&mut self, mark: &Arc<Mark>) {
        // Recordings count from 1 here, so that a new mark belongs to none.
        let number = self.recording + 1;
        if mark.recording.swap(number, Relaxed) != number {
            self.marks.push(mark.clone());
        }
    }

    /// Ends the recording, which is handed over.
    pub fn end(&mut self) -> Ended {
        self.recording += 1;
        Ended { recording: self.recording, marks: std::mem::take(&mut self.marks) }
    }
}

/// The marks of all that a recording writes which is with the device.
pub(in crate::gpu) struct Ended {
    recording: u64,
    marks: Vec<Arc<Mark>>,
}

impl Ended {
    /// The recording was rejected: all that it writes is lost.
    pub fn lose(self, error: &Arc<wgpu::Error>) {
        self.marks.iter().for_each(|mark| mark.lose(self.recording, error.clone()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_rejected_recording_writes_is_lost_until_it_is_written_anew() {
        let (first, second, mut written) = (Arc::<Mark>::default(), Arc::<Mark>::default(), Written::default());
        written.add(&first);
        written.add(&first);
        assert_eq!(written.marks.len(), 1);
        written.end();
        written.add(&second);
        let rejected = wgpu::Error::Validation { source: "a reason".into(), description: "a reason".into() };
        written.end().lose(&Arc::new(rejected));
        assert!(first.check().is_ok());
        let words = second.check().unwrap_err().to_string();
        assert!(words.ends_with("were rejected: a reason"), "{words}");
        assert!(second.check().is_err(), "told every time");
        second.clear();
        assert!(second.check().is_ok());
    }
}
