//! Errors that wgpu reports through handlers instead of a call's return value. They are kept until the next call, which returns
//! them. The loss of the device is noticed here, and stays: every later call returns it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use web_time::Instant;

use super::turns::{Turns, polled};
use crate::error::{Error, Result};

/// The longest wait for wgpu to report a loss.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// The slot for the first uncaptured error since the last check, and for the reason of a device loss, which stays. Clones share
/// both.
#[derive(Clone)]
pub(in crate::gpu) struct ErrorSlot {
    device: wgpu::Device,
    turns: Turns,
    first: Arc<First>,
    lost: Arc<OnceLock<String>>,
}

#[derive(Default)]
struct First {
    /// Whether there is an error; read before the lock is taken.
    there: AtomicBool,
    error: Mutex<Option<Told>>,
}

enum Told {
    /// An error that wgpu reported about some call.
    Reported(wgpu::Error),
    /// The rejection of a recording. Reads of the buffers that it should have written return this error too.
    #[cfg(not(target_family = "wasm"))]
    Rejected(Arc<wgpu::Error>),
    /// In browsers: the error of a call that had already returned.
    #[cfg(target_family = "wasm")]
    Late(Error),
}

impl First {
    fn keep(&self, error: Told) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.there.store(true, Relaxed);
    }

    fn take(&self) -> Option<Told> {
        if !self.there.load(Relaxed) {
            return None;
        }
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        self.there.store(false, Relaxed);
        error.take()
    }
}

impl ErrorSlot {
    /// Installs the handlers for uncaptured errors and for the loss of the device. wgpu's default handler would panic.
    pub(in crate::gpu) fn install(device: &wgpu::Device, turns: Turns) -> Self {
        let (first, lost) = (Arc::<First>::default(), Arc::<OnceLock<String>>::default());
        let slot = ErrorSlot { device: device.clone(), turns, first, lost };
        let first = slot.first.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            log::error!("the device reported: {error}");
            first.keep(Told::Reported(error));
        }));
        let lost = slot.lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            lost.get_or_init(|| {
                log::error!("the device was lost: {reason:?}: {message}");
                format!("{reason:?}: {message}")
            });
        });
        slot
    }

    /// Returns the error that is kept, if there is one. A loss is returned every time, any other error once.
    pub(in crate::gpu) fn check(&self) -> Result<()> {
        self.check_lost()?;
        let Some(told) = self.first.take() else { return Ok(()) };
        // Until the work in flight has ended, the loss of a device looks like an error of some call.
        self.check_loss()?;
        match told {
            #[cfg(not(target_family = "wasm"))]
            Told::Rejected(source) => Err(Error::Unwritten { source }),
            #[cfg(target_family = "wasm")]
            Told::Late(error) => Err(error),
            Told::Reported(source @ wgpu::Error::OutOfMemory { .. }) => {
                Err(Error::OutOfMemory { bytes: 0, source: Some(source) })
            }
            Told::Reported(source) => Err(Error::Device { source }),
        }
    }

    /// Keeps the rejection of a recording, which the next call returns. A browser may report it so late that the next call has
    /// nothing to do with it. There only the uses of the buffers that should have been written return the error.
    pub(in crate::gpu) fn reject(&self, error: Arc<wgpu::Error>) {
        log::error!("the device rejected what was recorded: {error}");
        #[cfg(not(target_family = "wasm"))]
        self.first.keep(Told::Rejected(error));
    }

    /// Forgets a rejection that a call has returned, so that the next call does not return it again.
    #[cfg(not(target_family = "wasm"))]
    pub(in crate::gpu) fn heard_of(&self, rejected: &Arc<wgpu::Error>) {
        let mut error = self.first.error.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = |told: &mut Told| matches!(told, Told::Rejected(error) if Arc::ptr_eq(error, rejected));
        if error.take_if(is_told).is_some() {
            self.first.there.store(false, Relaxed);
        }
    }

    /// Keeps the error of a call that had returned before the browser reported the error. The next call returns it.
    #[cfg(target_family = "wasm")]
    pub(in crate::gpu) fn keep(&self, error: Error) {
        log::error!("{error}");
        self.first.keep(Told::Late(error));
    }

    /// Notes that the crate itself is about to destroy the device, so that this is not reported as a loss.
    #[cfg(target_family = "wasm")]
    pub(in crate::gpu) fn expect_end(&self) {
        self.lost.get_or_init(|| "the last handle to it was dropped".into());
    }

    /// Returns an error if the device is lost. To be certain, it waits until the work in flight has ended.
    pub(in crate::gpu) fn check_loss(&self) -> Result<()> {
        if !self.is_lost() {
            // The wait is limited, since other threads may submit more and more work.
            let start = Instant::now();
            let useless = || self.is_lost() || start.elapsed() > LONGEST_LOOK;
            // A failed wait tells no more than the callback for the loss.
            let _ = self.turns.wait_for(&self.device, None, useless);
        }
        self.check_lost()
    }

    /// Gives the device up as lost, because it did not do work that it reported as done. Its results can no longer be relied on.
    pub(in crate::gpu) fn lose(&self, reason: &str) -> Result<()> {
        self.lost.get_or_init(|| {
            log::error!("the device is given up: {reason}");
            reason.to_string()
        });
        self.check_lost()
    }

    /// Whether wgpu has reported the loss of the device.
    pub(in crate::gpu) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// Polls the device and then checks as [`ErrorSlot::check`] does, since wgpu reports a loss only while the device is polled.
    pub(in crate::gpu) fn poll_and_check(&self) -> Result<()> {
        // A device that is lost is not polled, since wgpu can panic over it.
        if !self.is_lost() {
            let _turn = self.turns.take();
            // A failed poll tells no more than the callback for the loss.
            let _ = polled(|| self.device.poll(wgpu::PollType::Poll));
        }
        self.check()
    }

    fn check_lost(&self) -> Result<()> {
        match self.lost.get() {
            Some(reason) => Err(Error::DeviceLost { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}
