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
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }));
        let lost = slot.lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            lost.get_or_init(|| format!("{reason:?}: {message}"));
        });
        slot
    }

    /// The error that is waiting, if one is: a loss every time, any other once.
    pub(super) fn check(&self) -> Result<()> {
        // wgpu tells of a loss only while it is polled.
        let _ = self.device.poll(wgpu::PollType::Poll);
        if let Some(reason) = self.lost.get() {
            return Err(Error::DeviceLost { reason: reason.clone() });
        }
        match self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Ok(()),
            Some(source @ wgpu::Error::OutOfMemory { .. }) => {
                Err(Error::OutOfMemory { bytes: 0, source: Some(source) })
            }
            Some(source) => Err(Error::Device { source }),
        }
    }
}
