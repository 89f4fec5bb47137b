//! A live device: the connection to it with its pipelines, its recorder and its staging memory for reads.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pipelines::Pipelines;
use super::recorder::Recorder;
use crate::gpu::driver::callback::Quiet;
use crate::gpu::driver::connection::Connection;
use crate::gpu::driver::turns::{Polled, Turn};
use crate::gpu::memory::staging::Reads;

/// A live device: the connection and everything that belongs to it.
pub(in crate::gpu) struct Live {
    /// Dropped first: its thread holds the device.
    pub connection: Connection,
    pub pipelines: Pipelines,
    recorder: Mutex<Recorder>,
    /// Staging buffers for reads.
    pub reads: Reads,
}

/// The recorder, locked for one thread. Wakers are called only after the lock is released.
pub(in crate::gpu) struct Recording<'a> {
    recorder: MutexGuard<'a, Recorder>,
    _turn: Turn,
    _quiet: Quiet,
}

impl Deref for Recording<'_> {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.recorder
    }
}

impl DerefMut for Recording<'_> {
    fn deref_mut(&mut self) -> &mut Recorder {
        &mut self.recorder
    }
}

impl Live {
    pub fn new(connection: Connection, limits: &wgpu::Limits, left_out_submit: Option<u64>) -> Self {
        let recorder = Mutex::new(Recorder::new(&connection, limits, left_out_submit));
        Live { connection, pipelines: Pipelines::default(), recorder, reads: Reads::default() }
    }

    /// The recorder, as soon as no other thread uses it.
    pub fn recorder(&self) -> Recording<'_> {
        let (_quiet, _turn) = (Quiet::begin(), self.connection.turns.take());
        Recording { recorder: self.recorder.lock().unwrap_or_else(PoisonError::into_inner), _turn, _quiet }
    }

    /// Waits for the oldest submits while too much is in flight. Other threads can record meanwhile.
    pub fn catch_up(&self) {
        // In browsers no submit ends before the program returns to the event loop: see `Context::room_async`.
        if cfg!(target_family = "wasm") {
            return;
        }
        loop {
            let oldest = {
                let mut recorder = self.recorder();
                let ahead = recorder.in_flight.is_ahead();
                ahead.then(|| recorder.in_flight.take_oldest()).flatten()
            };
            let Some(oldest) = oldest else { return };
            // A failed wait is a lost device, which the next check reports.
            let _ = self.wait_for(Some(&oldest));
        }
    }

    /// Waits for a submission, or for everything submitted so far, but not for submits that other threads make meanwhile.
    pub fn wait_for(&self, until: Option<&wgpu::SubmissionIndex>) -> Polled {
        let until = until.cloned().or_else(|| self.recorder().in_flight.last());
        let Connection { turns, device, errors, .. } = &self.connection;
        turns.wait_for(device, until.as_ref(), || errors.is_lost())
    }

    /// Frees the idle staging memory.
    pub fn clear_staging(&self) {
        let _turn = self.connection.turns.take();
        let (uploads, reads) = (self.recorder().staging.clear(), self.reads.clear());
        drop((uploads, reads));
    }
}
