//! The connection to a wgpu device: its queue, its errors, the thread that polls it, and whose turn it is to call the driver.

use super::errors::ErrorSlot;
use super::poll_thread::PollThread;
use super::turns::Turns;
use crate::error::{Error, Result};

/// A wgpu device and what every call to it needs.
pub(in crate::gpu) struct Connection {
    /// Dropped first: its thread holds the device.
    pub poll_thread: PollThread,
    pub turns: Turns,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub errors: ErrorSlot,
}

impl Connection {
    /// The connection to a device of this adapter; the handlers of its errors are replaced.
    pub fn new(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let turns = Turns::new(adapter.get_info().backend);
        let errors = ErrorSlot::install(&device, turns);
        Connection { poll_thread: PollThread::new(turns), turns, device, queue, errors }
    }

    /// A new buffer from the driver.
    pub fn new_buffer(&self, descriptor: &wgpu::BufferDescriptor<'_>) -> Result<wgpu::Buffer> {
        let _turn = self.turns.take();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(descriptor);
        match pollster::block_on(scope.pop()) {
            Some(source) => Err(Error::OutOfMemory { bytes: descriptor.size, source: Some(source) }),
            None => Ok(buffer),
        }
    }

    /// The outcome of a call; where it failed because the device is lost, that error.
    pub fn or_lost<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.errors.check_loss()?;
        }
        outcome
    }
}
