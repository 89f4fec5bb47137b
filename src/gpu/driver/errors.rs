//! Errors that wgpu reports outside a call's return value, kept until the next call asks.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use web_time::Instant;

use super::turns::{Turns, polled};
use crate::error::{Error, Result};

/// The longest that is waited in slices for the word of a loss.
const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// The first uncaptured error since the last look, and the reason of a device loss, which stays. Clones share both.
#[derive(Clone)]
pub(in crate::gpu) struct ErrorSlot {
    device: wgpu::Device,
    turns: Turns,
    first: Arc<First>,
    lost: Arc<OnceLock<String>>,
}

#[derive(Default)]
struct First {
    /// Whether there is one: looked at before the lock is taken.
    there: AtomicBool,
    error: Mutex<Option<Told>>,
}

enum Told {
    /// By wgpu, of some call.
    Reported(wgpu::Error),
    /// Of a recording: those who look at what it should have written are told, too.
    #[cfg(not(target_family = "wasm"))]
    Rejected(Arc<wgpu::Error>),
    /// In browsers: of a call that had returned by then.
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

#[cfg(not(target_family = "wasm"))]
impl First {
    fn drop_rejected(&self, rejected: &Arc<wgpu::Error>) {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = |told: &mut Told| matches!(told, Told::Rejected(error) if Arc::ptr_eq(error, rejected));
        if error.take_if(is_told).is_some() {
            self.there.store(false, Relaxed);
        }
    }
}

impl ErrorSlot {
    /// Installs the handlers; wgpu's own would panic.
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

    /// The error that is waiting, if one is: a loss every time, any other once.
    pub(in crate::gpu) fn check(&self) -> Result<()> {
        self.check_lost()?;
        let Some(told) = self.first.take() else { return Ok(()) };
        // Until the work in flight has ended, a loss looks like a wrong call.
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

    /// A recording was rejected, which the next call tells. In browsers the news may come when the next call has nothing to do with it:
    /// there those are told who use what should have been written.
    pub(in crate::gpu) fn reject(&self, error: Arc<wgpu::Error>) {
        log::error!("the device rejected what was recorded: {error}");
        #[cfg(not(target_family = "wasm"))]
        self.first.keep(Told::Rejected(error));
    }

    /// Somebody was told of this rejection: the next call has nothing to do with it.
    #[cfg(not(target_family = "wasm"))]
    pub(in crate::gpu) fn heard_of(&self, rejected: &Arc<wgpu::Error>) {
        self.first.drop_rejected(rejected);
    }

    /// The error of a call that had returned before the browser told of it, which the next call tells.
    #[cfg(target_family = "wasm")]
    pub(in crate::gpu) fn keep(&self, error: Error) {
        log::error!("{error}");
        self.first.keep(Told::Late(error));
    }

    /// The crate itself is about to destroy the device: that is no loss to report.
    #[cfg(target_family = "wasm")]
    pub(in crate::gpu) fn expect_end(&self) {
        self.lost.get_or_init(|| "the last handle to it was dropped".into());
    }

    /// An error where the device is lost: known for certain when the work in flight has ended.
    pub(in crate::gpu) fn check_loss(&self) -> Result<()> {
        if !self.is_lost() {
            // While others hand over more and more work, its end does not come.
            let start = Instant::now();
            let useless = || self.is_lost() || start.elapsed() > LONGEST_LOOK;
            // A wait that fails says nothing that the lost callback does not.
            let _ = self.turns.wait_for(&self.device, None, useless);
        }
        self.check_lost()
    }

    /// The device has not done what it says is done: nothing that it gives from now on can be relied on.
    pub(in crate::gpu) fn lose(&self, reason: &str) -> Result<()> {
        self.lost.get_or_init(|| {
            log::error!("the device is given up: {reason}");
            reason.to_string()
        });
        self.check_lost()
    }

    /// Whether the device is lost, as far as wgpu has told.
    pub(in crate::gpu) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// [`ErrorSlot::check`] after a poll: wgpu tells of a loss only while it is polled.
    pub(in crate::gpu) fn poll_and_check(&self) -> Result<()> {
        // wgpu can panic over a device that is lost.
        if !self.is_lost() {
            let _turn = self.turns.take();
            // A poll that fails says nothing that the lost callback does not.
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
