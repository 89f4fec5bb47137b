//! Errors that wgpu reports outside a call's return value, kept until the next call asks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::{Error, Result};

/// The first uncaptured error since the last look, and the reason of a device loss, which stays.
pub(super) struct ErrorSlot {
    device: wgpu::Device,
    first: Arc<Mutex<Option<wgpu::Error>>>,
    lost: Arc<OnceLock<String>>,
}

impl ErrorSlot {
    /// Installs the handlers; wgpu's own would panic.
    pub(super) fn install(device: &wgpu::Device) -> Self {
        let slot = ErrorSlot { device: device.clone(), first: Arc::default(), lost: Arc::default() };
        let first = slot.first.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            log::error!("the device reported: {error}");
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
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
        // wgpu tells of a loss only while it is polled.
        self.check_lost(wgpu::PollType::Poll)?;
        let Some(source) = self.first.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(()) };
        // And only when the work in flight has ended; until then a loss looks like a wrong call.
        self.check_lost(wgpu::PollType::Wait { submission_index: None, timeout: None })?;
        match source {
            wgpu::Error::OutOfMemory { .. } => Err(Error::OutOfMemory { bytes: 0, source: Some(source) }),
            source => Err(Error::Device { source }),
        }
    }

    fn check_lost(&self, poll: wgpu::PollType) -> Result<()> {
        // wgpu can panic over a device that is lost.
        if self.lost.get().is_none() {
            // A poll that fails says nothing that the lost callback does not.
            let _ = self.device.poll(poll);
        }
        match self.lost.get() {
            Some(reason) => Err(Error::DeviceLost { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}
