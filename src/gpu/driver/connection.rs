//! The connection to a wgpu device: its queue, its errors, who polls it, and whose turn it is to call the driver.

#[cfg(target_family = "wasm")]
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Poller;
use super::errors::ErrorSlot;
use super::turns::Turns;
use crate::error::{Error, Result};

/// A wgpu device and what every call to it needs.
pub(in crate::gpu) struct Connection {
    /// Dropped first: its thread holds the device.
    pub poller: Poller,
    pub turns: Turns,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub errors: ErrorSlot,
    /// Whether the crate has opened the device itself, and destroys it at the end.
    #[cfg(target_family = "wasm")]
    pub is_own: AtomicBool,
}

/// In browsers dropping the last handle frees nothing before the garbage is collected.
#[cfg(target_family = "wasm")]
impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_own.load(Relaxed) {
            self.errors.expect_end();
            self.device.destroy();
        }
    }
}

impl Connection {
    /// The connection to a device of this adapter; the handlers of its errors are replaced.
    pub fn new(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let turns = Turns::new(adapter.get_info().backend);
        let errors = ErrorSlot::install(&device, turns);
        Connection {
            poller: Poller::new(turns),
            turns,
            device,
            queue,
            errors,
            #[cfg(target_family = "wasm")]
            is_own: AtomicBool::new(false),
        }
    }

    /// A new buffer from the driver. In browsers it may turn out only later that there was no memory for it: then `late` is called,
    /// and the next call gets the error.
    pub fn new_buffer(
        &self,
        descriptor: &wgpu::BufferDescriptor<'_>,
        late: impl FnOnce() + 'static,
    ) -> Result<wgpu::Buffer> {
        let _turn = self.turns.take();
        let scope = self.begin_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(descriptor);
        let bytes = descriptor.size;
        let describe = move |source| {
            if cfg!(target_family = "wasm") {
                late();
            }
            Error::OutOfMemory { bytes, source: Some(source) }
        };
        scope.outcome(describe).map(|()| buffer)
    }

    /// The outcome of a call; where it failed because the device is lost, that error.
    pub fn or_lost<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.errors.check_loss()?;
        }
        outcome
    }
}
