//! Errors that wgpu reports outside a call's return value, kept until the next call asks.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use super::turns::Turns;
use crate::error::{Error, Result};

/// Microseconds after which a device is polled once more for no other reason than a loss.
const POLL_INTERVAL: u64 = 1000;

/// The first uncaptured error since the last look, and the reason of a device loss, which stays.
pub(super) struct ErrorSlot {
    device: wgpu::Device,
    turns: Turns,
    first: Arc<First>,
    lost: Arc<OnceLock<String>>,
    opened: Instant,
    /// When the device was polled last, in microseconds since it was opened.
    polled: AtomicU64,
}

#[derive(Default)]
struct First {
    /// Whether there is one: looked at before the lock is taken.
    there: AtomicBool,
    error: Mutex<Option<wgpu::Error>>,
}

impl First {
    fn keep(&self, error: wgpu::Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.there.store(true, Relaxed);
    }

    fn take(&self) -> Option<wgpu::Error> {
        if !self.there.load(Relaxed) {
            return None;
        }
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        self.there.store(false, Relaxed);
        error.take()
    }
}

impl ErrorSlot {
    /// Installs the handlers; wgpu's own would panic.
    pub(super) fn install(device: &wgpu::Device, turns: Turns) -> Self {
        let (first, lost) = (Arc::<First>::default(), Arc::<OnceLock<String>>::default());
        let (opened, polled) = (Instant::now(), AtomicU64::new(0));
        let slot = ErrorSlot { device: device.clone(), turns, first, lost, opened, polled };
        let first = slot.first.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            log::error!("the device reported: {error}");
            first.keep(error);
        }));
        let lost = slot.lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            log::error!("the device was lost: {reason:?}: {message}");
            lost.get_or_init(|| format!("{reason:?}: {message}"));
        });
        slot
    }

    /// The error that is waiting, if one is: a loss every time, any other once.
    pub(super) fn check(&self) -> Result<()> {
        // wgpu tells of a loss only while it is polled: by every submit, and now and then between them.
        let now = self.opened.elapsed().as_micros() as u64;
        if now.saturating_sub(self.polled.load(Relaxed)) > POLL_INTERVAL {
            self.polled.store(now, Relaxed);
            self.poll_for_loss(wgpu::PollType::Poll);
        }
        self.check_lost()?;
        let Some(source) = self.first.take() else { return Ok(()) };
        // And only when the work in flight has ended; until then a loss looks like a wrong call.
        if !self.is_lost() {
            // A wait that fails says nothing that the lost callback does not.
            let _ = self.turns.wait_for(&self.device, None, || self.is_lost());
        }
        self.check_lost()?;
        match source {
            wgpu::Error::OutOfMemory { .. } => Err(Error::OutOfMemory { bytes: 0, source: Some(source) }),
            source => Err(Error::Device { source }),
        }
    }

    /// Whether the device is lost, as far as wgpu has told.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    fn poll_for_loss(&self, poll: wgpu::PollType) {
        // wgpu can panic over a device that is lost.
        if !self.is_lost() {
            let _turn = self.turns.take();
            // A poll that fails says nothing that the lost callback does not.
            let _ = self.device.poll(poll);
        }
    }

    fn check_lost(&self) -> Result<()> {
        match self.lost.get() {
            Some(reason) => Err(Error::DeviceLost { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}
