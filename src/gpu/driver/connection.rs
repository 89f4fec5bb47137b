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
    /// The backend's compiler serves one thread at a time: on DX12, wgpu's threads share one object of Microsoft's DXC, which is not
    /// made for that. Its other compiler there, FXC, is, and knows no subgroup operations.
    pub compiles_alone: bool,
    /// The backend may say that work is done which its driver has ended.
    pub needs_receipts: bool,
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

    /// An error for a buffer that is another device's. Recorded beside other commands, it would spoil all of their work.
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
        // Its first word: all of it may be more than a binding holds.
        let word = wgpu::BufferBinding { buffer, offset: 0, size: wgpu::BufferSize::new(4) };
        let _ = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.device.create_bind_group_layout(&layout),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(word) }],
        });
        scope.outcome(|source| Error::Device { source })
    }

    /// The outcome of a call; where it failed because the device is lost, that error.
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

/// Whether a lost device may be the reason of an error. To find out takes a wait for the work in flight.
fn is_of_device(error: &Error) -> bool {
    use Error::{Device, OutOfMemory, Read, Shader, Unwritten};
    matches!(error, Device { .. } | OutOfMemory { .. } | Read { .. } | Shader { .. } | Unwritten { .. })
}
