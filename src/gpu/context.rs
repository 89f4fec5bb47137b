//! One wgpu device with everything the crate keeps for it.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use super::buffers::{Buffer, Pool, Raw};
use super::cache::Cache;
use super::errors::ErrorSlot;
use super::kernel::Form;
use super::ledger::{Entries, Ledger};
use super::needs;
use super::pipelines::Pipelines;
use super::poller::Poller;
use super::recorder::Recorder;
use super::rows::RowGrid;
use super::shared::Shared;
use super::staging::{PIECE_BYTES, Reads, Source};
use super::tiles::{Lanes, Method, Panel, Room};
use super::tuned::Tuned;
use super::turns::Turns;
use super::units::{UnitTile, Units};
use super::windows::Piece;
use crate::error::{Error, Result};
use crate::options::{GpuOptions, MatrixUnits};
use crate::waiting::{Waiting, at_once};

/// What a device is opened with where the adapter has it: kernels take advantage of the first two, but do without them.
const USEFUL_FEATURES: wgpu::Features = wgpu::Features::SUBGROUP
    .union(wgpu::Features::SHADER_INT64)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::PIPELINE_CACHE);

/// The longest binding that kernels are given: they count a binding's words in u32, and its bytes as drivers do in i32. Metal
/// allows more.
const MAX_BINDING_BYTES: u64 = (1 << 31) - 4;
/// The least that a binding can be lowered to: the smallest reductions need some room.
const MIN_BINDING_BYTES: u64 = 256;

/// A cheap handle to a device; clones share everything.
#[derive(Clone)]
pub(crate) struct Context(Shared<Inner>);

/// What a context owns.
pub(crate) struct Inner {
    pub(super) limits: wgpu::Limits,
    pub(super) options: GpuOptions,
    pub(super) traits: Traits,
    pub(super) pool: Mutex<Pool>,
    pub(super) counters: AtomicCounters,
    /// `None` in a dry run, which goes through every step but the device's.
    /// Contexts with other options share it.
    pub(super) live: Option<Arc<Live>>,
    pub(super) ledger: Ledger,
    /// What was measured; shared with dry contexts.
    tuned: Arc<Tuned>,
}

/// What decides which kernels suit a device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    /// Whether the adapter is a driver that runs on the CPU, and gets kernels for such.
    pub software: bool,
    /// Lanes of a subgroup, at least; 0 without subgroup operations.
    subgroup_lanes: u32,
    /// Whether shaders know 64-bit words.
    longs: bool,
    /// Whether threads have registers for the largest tiles.
    registers: bool,
    /// Matrix units that products go through.
    units: Option<Units>,
}

/// Devices that differ in what they choose.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Preset {
    /// A large GPU.
    Discrete,
    /// What WebGPU promises, without subgroup operations.
    Smallest,
    /// A software driver whose lanes read for each other.
    Shuffled,
    /// A software driver without subgroups.
    Alone,
    /// A large GPU whose matrix units are in use.
    OnUnits,
}

#[cfg(test)]
impl Preset {
    pub const ALL: [Preset; 5] = [Preset::Discrete, Preset::Smallest, Preset::Shuffled, Preset::Alone, Preset::OnUnits];
}

/// The device itself, and what belongs to it.
pub(super) struct Live {
    /// Dropped first: its thread holds the device.
    pub poller: Poller,
    pub turns: Turns,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub errors: ErrorSlot,
    pub pipelines: Pipelines,
    pub recorder: Mutex<Recorder>,
    /// Staging buffers for reads.
    pub reads: Reads,
    pub cache: Option<Cache>,
}

/// Counts of what a device was made to do, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counters {
    /// Kernels recorded.
    pub dispatches: u64,
    /// Bytes of their operands, each counted once a dispatch: the least that they read and write.
    pub bytes: u64,
    /// Command buffers handed to the queue.
    pub submits: u64,
    /// Times the host waited for the device.
    pub waits: u64,
    /// Buffers taken from the driver.
    pub allocations: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Bytes of device memory held now, idle buffers included; staging memory, some 192 MiB for uploads and 64 MiB for reads at
    /// most, is not counted.
    pub memory_bytes: u64,
    /// The most that was held at a time.
    pub peak_memory_bytes: u64,
}

#[derive(Default)]
pub(super) struct AtomicCounters {
    pub dispatches: AtomicU64,
    pub bytes: AtomicU64,
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
    pub async fn open(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<Context> {
        let wants_units = options.matrix_units == MatrixUnits::On;
        let features = if wants_units { USEFUL_FEATURES | Units::FEATURES } else { USEFUL_FEATURES };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("wgpu-mlp"),
            required_features: adapter.features() & features,
            required_limits: adapter.limits(),
            experimental_features: if wants_units { experimental() } else { wgpu::ExperimentalFeatures::disabled() },
            ..Default::default()
        };
        let opened = {
            // The answer is there at once, except in browsers; a turn is no thing to hold while others run.
            let _turn = Turns::new(adapter.get_info().backend).take();
            at_once(adapter.request_device(&descriptor))
        };
        let (device, queue) = opened.map_err(|source| Error::NoDevice { adapter: adapter.get_info().name, source })?;
        Context::adopt(adapter, device, queue, options)
    }

    /// Builds a context round a device that exists already.
    pub fn adopt(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &GpuOptions,
    ) -> Result<Context> {
        let turns = Turns::new(adapter.get_info().backend);
        let turn = turns.take();
        let errors = ErrorSlot::install(&device, turns);
        let limits = lowered(device.limits(), options)?;
        let units = match options.matrix_units {
            MatrixUnits::Off => None,
            MatrixUnits::On => Some(usable_units(adapter, &device)?),
        };
        let recorder = Mutex::new(Recorder::new(&device, &limits));
        let (pipelines, poller) = (Pipelines::default(), Poller::new(turns));
        let folder = options.pipeline_cache.as_deref();
        let cache = folder.and_then(|folder| Cache::open(&device, &adapter.get_info(), folder));
        let live = Live { reads: Reads::default(), recorder, pipelines, errors, queue, device, turns, poller, cache };
        drop(turn);
        live.errors.check()?;
        let info = adapter.get_info();
        let has = |feature| live.device.features().contains(feature);
        let traits = Traits {
            software: info.device_type == wgpu::DeviceType::Cpu && !options.kernels_for_gpus,
            subgroup_lanes: if has(wgpu::Features::SUBGROUP) { info.subgroup_min_size.max(1) } else { 0 },
            longs: has(wgpu::Features::SHADER_INT64),
            registers: info.device_type == wgpu::DeviceType::DiscreteGpu || options.kernels_for_gpus,
            units,
        };
        Ok(Self::with(Some(Arc::new(live)), limits, options.clone(), traits, Arc::default()))
    }

    /// A context with these limits that goes through every step but touches no device.
    fn dry_with(limits: wgpu::Limits, options: GpuOptions) -> Context {
        Self::with(None, limits, options, Traits::default(), Arc::default())
    }

    /// A dry context of a device as some have them.
    #[cfg(test)]
    pub fn dry_as(preset: Preset) -> Context {
        let units = Some(Units::KNOWN[0]);
        let large = wgpu::Limits {
            max_compute_workgroup_storage_size: 48 << 10,
            max_compute_invocations_per_workgroup: 1024,
            max_compute_workgroup_size_x: 1024,
            max_storage_buffer_binding_size: MAX_BINDING_BYTES,
            max_buffer_size: 1 << 40,
            ..Default::default()
        };
        let (limits, traits) = match preset {
            Preset::Discrete => {
                (large, Traits { software: false, subgroup_lanes: 32, longs: true, registers: true, units: None })
            }
            Preset::Smallest => (wgpu::Limits::default(), Traits { software: false, ..Traits::default() }),
            Preset::Shuffled => {
                (large, Traits { software: true, subgroup_lanes: 8, longs: true, registers: false, units: None })
            }
            Preset::Alone => (large, Traits { software: true, ..Traits::default() }),
            Preset::OnUnits => {
                (large, Traits { software: false, subgroup_lanes: 32, longs: true, registers: true, units })
            }
        };
        Self::with(None, limits, GpuOptions::default(), traits, Arc::default())
    }

    /// The same device with options changed: limits lowered, or kernels wanted. Buffers belong to one of the two.
    pub fn with_options(&self, change: impl FnOnce(&mut GpuOptions)) -> Result<Context> {
        let mut options = self.options.clone();
        change(&mut options);
        let limits = lowered(self.limits.clone(), &options)?;
        Ok(Self::with(self.live.clone(), limits, options, self.traits, self.tuned.clone()))
    }

    /// The options that it was opened with.
    pub fn options(&self) -> &GpuOptions {
        &self.options
    }

    /// A dry context like this one.
    pub fn dry(&self) -> Context {
        let options = GpuOptions { guarded_buffers: false, max_memory_bytes: None, ..self.options.clone() };
        Self::with(None, self.limits.clone(), options, self.traits, self.tuned.clone())
    }

    /// A dry context for the CPU path, without limits but those of host memory: no allocation is longer than `isize::MAX` bytes.
    pub fn dry_unlimited() -> Context {
        let most = isize::MAX as u64;
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: most,
            max_buffer_size: most,
            max_compute_workgroups_per_dimension: u32::MAX,
            ..Default::default()
        };
        Self::dry_with(limits, GpuOptions::default())
    }

    fn with(
        live: Option<Arc<Live>>,
        limits: wgpu::Limits,
        options: GpuOptions,
        traits: Traits,
        tuned: Arc<Tuned>,
    ) -> Context {
        let ledger = Ledger::new(live.is_none());
        let (pool, counters) = (Mutex::default(), AtomicCounters::default());
        Context(Shared::new(Inner { limits, options, traits, pool, counters, live, ledger, tuned }))
    }

    /// Whether both handles name one device.
    pub fn same(&self, other: &Context) -> bool {
        self.0.same(&other.0)
    }

    /// Whether the device was opened with subgroup operations.
    pub fn has_subgroups(&self) -> bool {
        self.traits.subgroup_lanes > 0
    }

    /// Whether kernels may use them.
    pub fn uses_subgroups(&self) -> bool {
        self.has_subgroups() && !self.options.without_subgroups
    }

    /// What suits the driver's lanes in products.
    fn lanes(&self) -> Lanes {
        let Traits { software, subgroup_lanes, longs, .. } = self.traits;
        match software {
            true if longs && self.uses_subgroups() && subgroup_lanes >= Panel::LANES => Lanes::Shuffled,
            true => Lanes::Alone,
            false => Lanes::Hardware,
        }
    }

    /// Steps whose weights the lanes of a software driver read for each other.
    pub fn steps_ahead(&self) -> u32 {
        if self.lanes() == Lanes::Shuffled { Panel::LANES } else { 1 }
    }

    /// How kernels take values by fours.
    pub fn fours(&self) -> Form {
        Form { longs: self.lanes() == Lanes::Shuffled, ..Form::FOURS }
    }

    /// Whether the driver runs on the CPU, and gets kernels for such.
    pub fn is_software(&self) -> bool {
        self.traits.software
    }

    /// How many lanes can share a row.
    pub fn row_lanes(&self) -> impl Iterator<Item = u32> {
        RowGrid::lanes_within(&self.limits)
    }

    /// How to compute windows of `m x n` over k.
    pub fn method(&self, dims: [usize; 3]) -> Method {
        let wanted = self.options.matmul_kernel.or_else(|| self.tuned.kernel(dims));
        let room = Room {
            words: self.binding_words(),
            memory: self.limits.max_compute_workgroup_storage_size,
            registers: self.traits.registers,
            units: self.traits.units.map(|units| UnitTile::most(units, &self.limits)),
        };
        Method::choose(wanted, self.lanes(), room, dims)
    }

    /// Whether products go through matrix units.
    pub fn uses_units(&self) -> bool {
        self.traits.units.is_some()
    }

    /// Whether products could, with a device opened for it.
    pub fn could_use_units(&self, adapter: &wgpu::Adapter) -> bool {
        Units::of(adapter, &self.limits).is_some()
    }

    /// Kernels that were measured to be the fastest.
    pub fn tuned(&self) -> &Tuned {
        &self.tuned
    }

    /// Writes the pipeline cache, where there is one.
    pub fn save_pipeline_cache(&self) -> Result<()> {
        let cache = self.live.as_ref().and_then(|live| live.cache.as_ref());
        cache.map_or(Ok(()), Cache::save)
    }

    /// The folder that keeps them.
    pub fn tuning_folder(&self) -> Option<&Path> {
        self.options.tuning.as_deref()
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
        let (memory_bytes, peak_memory_bytes) = self.memory();
        Counters {
            dispatches: counters.dispatches.load(Relaxed),
            bytes: counters.bytes.load(Relaxed),
            submits: counters.submits.load(Relaxed),
            waits: counters.waits.load(Relaxed),
            allocations: counters.allocations.load(Relaxed),
            pipelines: counters.pipelines.load(Relaxed),
            memory_bytes,
            peak_memory_bytes,
        }
    }

    /// The memory that the caller allows, if there is a limit.
    pub fn max_memory_bytes(&self) -> Option<u64> {
        self.options.max_memory_bytes
    }

    /// A new buffer with this content.
    pub fn upload<T: bytemuck::NoUninit>(&self, op: &'static str, values: &[T]) -> Result<Buffer> {
        let buffer = self.buffer(op, size_of_val(values).div_ceil(4), 1)?;
        self.write(&buffer, values)?;
        Ok(buffer)
    }

    /// Overwrites a buffer from its start, behind everything that is recorded so far.
    pub fn write<T: bytemuck::NoUninit>(&self, buffer: &Buffer, values: &[T]) -> Result<()> {
        at_once(self.write_by(Waiting::Blocking, buffer, values))
    }

    /// [`Context::write`], which may wait while more is on its way than should be.
    pub async fn write_by<T: bytemuck::NoUninit>(&self, waiting: Waiting, buffer: &Buffer, values: &[T]) -> Result<()> {
        self.write_from(waiting, buffer, Source::Bytes(bytemuck::cast_slice(values))).await
    }

    /// The longest row that [`Context::write_rows`] takes: a piece holds two.
    pub const MOST_GATHERED: usize = PIECE_BYTES / (2 * size_of::<f32>());

    /// Fills a buffer with these rows of an array whose rows are so long: gathered on the way, by several threads.
    pub async fn write_rows(
        &self,
        waiting: Waiting,
        buffer: &Buffer,
        (values, cols): (&[f32], usize),
        rows: &[usize],
    ) -> Result<()> {
        self.write_from(waiting, buffer, Source::Rows { values, cols, rows }).await
    }

    async fn write_from(&self, waiting: Waiting, buffer: &Buffer, source: Source<'_>) -> Result<()> {
        self.check_device()?;
        let Some(live) = &self.live else { return Ok(()) };
        if buffer.whole().is_none() && buffer.is_own() {
            buffer.raw().mark.clear();
        }
        let mut offset = buffer.offset();
        for piece in source.pieces(PIECE_BYTES) {
            if waiting == Waiting::Yielding {
                self.room_async().await?;
            }
            self.or_lost(self.upload_piece(live, buffer, offset, piece))?;
            offset += piece.bytes() as u64;
        }
        self.check()
    }

    /// A new buffer of zeros, filled on the device.
    pub fn zeros(&self, op: &'static str, rows: usize, cols: usize) -> Result<Buffer> {
        let buffer = self.buffer(op, rows, cols)?;
        if let Some(target) = buffer.wgpu() {
            self.record(&[], &buffer.raw().mark, |encoder| {
                encoder.clear_buffer(target, buffer.offset(), Some(buffer.bytes()))
            })?;
        }
        Ok(buffer)
    }

    /// What a dry run came to since the last call.
    pub fn take_entries(&self) -> Entries {
        self.ledger.take()
    }

    /// A new buffer with the same content, copied on the device.
    pub fn duplicate(&self, op: &'static str, source: &Buffer) -> Result<Buffer> {
        let copy = self.buffer(op, source.words() as usize, 1)?;
        self.copy_all(source, &copy)?;
        Ok(copy)
    }

    /// Copies a buffer's content to another as large, on the device.
    pub fn copy_all(&self, source: &Buffer, target: &Buffer) -> Result<()> {
        self.copy(Piece::of(source), Piece::of(target))
    }
}

impl Drop for Inner {
    /// What wgpu lets go of with the device is a call, too.
    fn drop(&mut self) {
        let turn = self.live.as_ref().map(|live| live.turns.take());
        self.pool = Mutex::default();
        self.live = None;
        drop(turn);
    }
}

impl Inner {
    /// Lets go of what is bound of buffers that nobody uses any more.
    pub(super) fn forget_bind_groups(&self, buffers: &[Raw]) {
        if let Some(live) = self.live.as_ref().filter(|_| !buffers.is_empty()) {
            live.recorder().bindings.forget(buffers);
        }
    }

    /// What failed, or the loss of the device where that is why.
    pub(super) fn or_lost<T>(&self, outcome: Result<T>) -> Result<T> {
        if let (Err(_), Some(live)) = (&outcome, &self.live) {
            live.errors.check_loss()?;
        }
        outcome
    }

    /// [`Inner::check`], as an op begins, a read or an upload: these look whether the device is still there.
    pub(super) fn check_device(&self) -> Result<()> {
        self.live.as_ref().map_or(Ok(()), |live| live.errors.poll_and_check())
    }

    /// The error that waits to be told, if one does.
    pub(super) fn check(&self) -> Result<()> {
        self.live.as_ref().map_or(Ok(()), |live| live.errors.check())
    }
}

/// The matrix units that a device was opened with, or why there are none to use.
fn usable_units(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Result<Units> {
    let opened = device.features().contains(Units::FEATURES);
    Units::of(adapter, &device.limits()).filter(|_| opened).ok_or_else(|| {
        let why = if !adapter.features().contains(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            "the adapter offers none"
        } else if !adapter.features().contains(Units::FEATURES) {
            "the adapter has no f16 in shaders, or no subgroup operations"
        } else if !opened {
            "the device was opened without the features EXPERIMENTAL_COOPERATIVE_MATRIX, SHADER_F16 and SUBGROUP"
        } else {
            "none multiplies matrices of f16, 16 or 8 a side, into f32 with subgroups of 8 to 64 lanes (32 for matrices of 8 a side) \
             and the workgroup memory that there is"
        };
        Error::NoMatrixUnits { adapter: adapter.get_info().name, why }
    })
}

/// wgpu asks for it before it enables what is experimental.
#[allow(unsafe_code, reason = "matrix units are experimental in wgpu")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: the token says that its user knows what may be missing of an experimental feature's validation. Only matrix units are
    // asked for with it, and only where the caller chose so. Their kernel loads and stores matrices in workgroup memory alone, at
    // places that follow from constants and from the subgroup's number, which is below the threads over the fewest lanes that the
    // adapter says a subgroup has. tests/gpu_forced/guards.rs runs it as it runs all others.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// The device's limits, lowered where the caller asked for that.
fn lowered(mut limits: wgpu::Limits, options: &GpuOptions) -> Result<wgpu::Limits> {
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    needs::check(&limits)?;
    limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(MAX_BINDING_BYTES);
    if let Some(bytes) = options.max_binding_bytes {
        if bytes < alignment.max(MIN_BINDING_BYTES) {
            let rule = "at least 256 and the device's offset alignment";
            return Err(Error::Option { op: "device", option: "max_binding_bytes", rule, value: bytes as f64 });
        }
        limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(bytes);
    }
    if let Some(bytes) = options.max_buffer_bytes {
        limits.max_buffer_size = limits.max_buffer_size.min(bytes);
    }
    if let Some(lanes) =
        options.row_lanes.filter(|wanted| !RowGrid::lanes_within(&limits).any(|lanes| lanes == *wanted))
    {
        return Err(Error::Option {
            op: "device",
            option: "row_lanes",
            rule: "1, 16, 128 or 256; 512 or 1024 where the device has so many threads a workgroup",
            value: lanes.into(),
        });
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    /// A device as Metal has them: bindings may be longer than 2^32 words.
    #[test]
    fn no_binding_counts_more_words_than_kernels_can() {
        let most = 1 << 36;
        let limits =
            wgpu::Limits { max_storage_buffer_binding_size: most, max_buffer_size: most, ..Default::default() };
        let gpu = Context::dry_with(lowered(limits, &GpuOptions::default()).unwrap(), GpuOptions::default());
        assert_eq!((gpu.max_binding_bytes(), gpu.max_buffer_bytes()), (MAX_BINDING_BYTES, most));
        let (rows, cols) = (70_000, 65_536);
        let split = gpu.split_flat(rows * cols);
        let words: Vec<_> = split.blocks().map(|block| u64::from(block.words())).collect();
        assert!(words.iter().all(|words| *words <= crate::gpu::budget::WORDS), "{words:?}");
        assert_eq!(words.iter().sum::<u64>(), rows * cols);
        let split = gpu.split("relu", rows as usize, cols as usize).unwrap();
        assert_eq!(split.blocks().map(|block| u64::from(block.words())).sum::<u64>(), rows * cols);
    }
}
