//! One wgpu device with everything the crate keeps for it.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use super::buffers::{Buffer, Pool};
use super::errors::ErrorSlot;
use super::pipelines::Pipelines;
use super::recorder::Recorder;
use crate::device::GpuOptions;
use crate::error::{Error, Result};

/// Uploads go to the queue in pieces of this size, so that its staging memory stays small.
const UPLOAD_BYTES: usize = 32 << 20;

/// Storage buffers that the widest kernel binds.
const MAX_STORAGE_BUFFERS: u64 = 7;

/// A cheap handle to a device; clones share everything.
#[derive(Clone)]
pub(crate) struct Context(Arc<Inner>);

/// What a context owns.
pub(crate) struct Inner {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    pub(super) options: GpuOptions,
    pub(super) errors: ErrorSlot,
    pub(super) pool: Mutex<Pool>,
    pub(super) pipelines: Pipelines,
    pub(super) recorder: Mutex<Recorder>,
    pub(super) counters: AtomicCounters,
}

/// Counts of what a device was made to do, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Command buffers handed to the queue.
    pub submits: u64,
    /// Times the host waited for the device.
    pub waits: u64,
    /// Buffers taken from the driver.
    pub allocations: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
}

#[derive(Default)]
pub(super) struct AtomicCounters {
    pub dispatches: AtomicU64,
    pub submits: AtomicU64,
    pub waits: AtomicU64,
    pub allocations: AtomicU64,
    pub pipelines: AtomicU64,
}

impl Deref for Context {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Context {
    /// Opens a device on the adapter, with the adapter's own limits and the useful features it has.
    pub fn open(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<Context> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgpu-mlp"),
            required_features: adapter.features()
                & (wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE),
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|source| Error::NoDevice { adapter: adapter.get_info().name, source })?;
        Context::adopt(device, queue, options)
    }

    /// Builds a context round a device that exists already.
    pub fn adopt(device: wgpu::Device, queue: wgpu::Queue, options: &GpuOptions) -> Result<Context> {
        let errors = ErrorSlot::install(&device);
        let limits = lowered(device.limits(), options)?;
        let inner = Inner {
            recorder: Mutex::new(Recorder::new(&device, &limits)),
            pipelines: Pipelines::default(),
            pool: Mutex::default(),
            counters: AtomicCounters::default(),
            options: options.clone(),
            limits,
            errors,
            queue,
            device,
        };
        inner.errors.check()?;
        Ok(Context(Arc::new(inner)))
    }

    pub(super) fn from_inner(inner: Arc<Inner>) -> Self {
        Context(inner)
    }

    pub(super) fn inner(&self) -> Arc<Inner> {
        self.0.clone()
    }

    /// Whether both handles name one device.
    pub fn same(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the device was opened with subgroup operations.
    pub fn has_subgroups(&self) -> bool {
        self.device.features().contains(wgpu::Features::SUBGROUP)
    }

    /// The largest piece of a buffer that a kernel can see.
    pub fn max_binding_bytes(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size
    }

    /// The largest buffer.
    pub fn max_buffer_bytes(&self) -> u64 {
        self.limits.max_buffer_size
    }

    /// The counts so far.
    pub fn counters(&self) -> Counters {
        let counters = &self.counters;
        Counters {
            dispatches: counters.dispatches.load(Relaxed),
            submits: counters.submits.load(Relaxed),
            waits: counters.waits.load(Relaxed),
            allocations: counters.allocations.load(Relaxed),
            pipelines: counters.pipelines.load(Relaxed),
        }
    }

    /// A new buffer with this content.
    pub fn upload<T: bytemuck::NoUninit>(&self, op: &'static str, values: &[T]) -> Result<Buffer> {
        let buffer = self.buffer(op, size_of_val(values).div_ceil(4), 1)?;
        self.write(&buffer, values)?;
        Ok(buffer)
    }

    /// Overwrites a buffer from its start.
    ///
    /// Queue writes land before everything that is still being recorded, which may yet read the buffer's old content:
    /// so what is recorded goes first.
    pub fn write<T: bytemuck::NoUninit>(&self, buffer: &Buffer, values: &[T]) -> Result<()> {
        self.flush()?;
        let mut offset = 0;
        for piece in bytemuck::cast_slice::<T, u8>(values).chunks(UPLOAD_BYTES) {
            self.queue.write_buffer(&buffer.raw().buffer, offset, piece);
            offset += piece.len() as u64;
            if piece.len() == UPLOAD_BYTES {
                self.queue.submit([]);
            }
        }
        self.errors.check()
    }

    /// A new buffer with the same content, copied on the device.
    pub fn duplicate(&self, op: &'static str, source: &Buffer) -> Result<Buffer> {
        let copy = self.buffer(op, (source.bytes() / 4) as usize, 1)?;
        self.record_copy(source, &copy)?;
        Ok(copy)
    }
}

impl Inner {
    pub(super) fn forget_bind_groups(&self) {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner).forget_bind_groups();
    }
}

/// The device's limits, lowered where the caller asked for that.
fn lowered(mut limits: wgpu::Limits, options: &GpuOptions) -> Result<wgpu::Limits> {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let allowed = u64::from(limits.max_storage_buffers_per_shader_stage);
    if allowed < MAX_STORAGE_BUFFERS {
        return Err(Error::Limit {
            op: "device",
            what: "storage buffers a stage",
            needed: MAX_STORAGE_BUFFERS,
            allowed,
        });
    }
    if let Some(bytes) = options.max_binding_bytes {
        if bytes < alignment {
            let rule = "at least the device's offset alignment";
            return Err(Error::Option { op: "device", option: "max_binding_bytes", rule, value: bytes as f64 });
        }
        limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(bytes);
    }
    if let Some(groups) = options.max_workgroups_per_dimension {
        if groups == 0 {
            return Err(Error::Option {
                op: "device",
                option: "max_workgroups_per_dimension",
                rule: "at least 1",
                value: 0.0,
            });
        }
        limits.max_compute_workgroups_per_dimension = limits.max_compute_workgroups_per_dimension.min(groups);
    }
    Ok(limits)
}
