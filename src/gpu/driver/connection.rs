//! The connection to a wgpu device: its queue, its errors, the thread that polls it, and the turns in which threads call the driver.

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
    /// Whether the backend's compiler serves only one thread at a time. On DX12 wgpu's threads share one object of Microsoft's DXC,
    /// which is not thread-safe. The other compiler there, FXC, is thread-safe, but has no subgroup operations.
    pub compiles_alone: bool,
    /// Whether the backend may report work as done that its driver has ended early, so that reads need receipts.
    pub needs_receipts: bool,
    /// Whether the crate has opened the device itself, and destroys it at the end.
    #[cfg(target_family = "wasm")]
    pub is_own: AtomicBool,
}

/// Destroys the device in browsers, where dropping the last handle frees nothing until the garbage is collected.
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
        let backend = adapter.get_info().backend;
        let turns = Turns::new(backend);
        let errors = ErrorSlot::install(&device, turns);
        Connection {
            poller: Poller::new(turns),
            turns,
            device,
            queue,
            errors,
            compiles_alone: backend == wgpu::Backend::Dx12 && adapter.features().contains(wgpu::Features::SUBGROUP),
            needs_receipts: matches!(backend, wgpu::Backend::Metal | wgpu::Backend::Dx12),
            #[cfg(target_family = "wasm")]
            is_own: AtomicBool::new(false),
        }
    }

    /// A new buffer from the driver. A browser may report only later that there was no memory for it. Then `late` is called, and
    /// the next call returns the error.
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

    /// Returns an error if the buffer belongs to another device. If such a buffer were recorded, wgpu would reject all commands of
    /// the recording.
    pub fn check_own(&self, buffer: &wgpu::Buffer) -> Result<()> {
        let _turn = self.turns.take();
        let scope = self.begin_scope(wgpu::ErrorFilter::Validation);
        let entry = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: true },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let layout = wgpu::BindGroupLayoutDescriptor { label: None, entries: &[entry] };
        // Only the first word is bound, since the whole buffer may be larger than a binding.
        let word = wgpu::BufferBinding { buffer, offset: 0, size: wgpu::BufferSize::new(4) };
        let _ = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.device.create_bind_group_layout(&layout),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(word) }],
        });
        scope.outcome(|source| Error::Device { source })
    }

    /// The outcome of a call. If it failed because the device is lost, the error is [`Error::DeviceLost`].
    pub fn or_lost<T>(&self, outcome: Result<T>) -> Result<T> {
        match &outcome {
            Ok(_) => {}
            #[cfg(not(target_family = "wasm"))]
            Err(Error::Unwritten { source }) => {
                self.errors.check_loss()?;
                self.errors.heard_of(source);
            }
            Err(error) if is_of_device(error) => self.errors.check_loss()?,
            Err(_) => {}
        }
        outcome
    }
}

/// Whether a lost device may be the cause of an error. To be certain, one must wait for the work in flight.
fn is_of_device(error: &Error) -> bool {
    use Error::{Device, OutOfMemory, Read, Shader, Unwritten};
    matches!(error, Device { .. } | OutOfMemory { .. } | Read { .. } | Shader { .. } | Unwritten { .. })
}
