//! The context: a device together with its options, limits, pool of buffers, pipelines and counters. Kernels' files work with it.

use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counters::{AtomicCounters, Counters};
use super::driver::type_erased::Shared;
use super::encode::budget;
use super::encode::form::Constant;
use super::encode::ledger::{Entries, Ledger, Variant};
use super::encode::live::Live;
use super::limits::lowered;
use super::memory::pool::Pool;
use super::tuned::Tuned;
use super::units::Units;
use crate::error::{Error, Result};
use crate::options::{DebugOptions, GpuOptions};

/// The context of a device: a handle whose clones are cheap and share everything.
#[derive(Clone)]
pub(crate) struct Context(Shared<Inner>);

/// The state that a context's clones share.
pub(crate) struct Inner {
    pub(super) limits: wgpu::Limits,
    pub(super) options: GpuOptions,
    pub(super) traits: Traits,
    pub(super) pool: Mutex<Pool>,
    pub(super) counters: AtomicCounters,
    /// The device; `None` in a dry run, which does everything except the device's own work. Contexts with other options share the
    /// device.
    pub(super) live: Option<Arc<Live>>,
    pub(super) ledger: Ledger,
    /// The kernels that tuning measured to be the fastest; dry contexts share them.
    tuned: Arc<Tuned>,
}

/// The traits of a device that decide which kernels suit it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    /// Whether the adapter is a software driver, for which kernels for software drivers are chosen.
    pub software: bool,
    /// The least number of lanes of a subgroup; 0 without subgroup operations.
    pub subgroup_lanes: u32,
    /// Whether shaders know 64-bit words.
    pub longs: bool,
    /// Whether threads have registers for the largest tiles.
    pub registers: bool,
    /// Whether it may be a GPU of the slowest kind. Drivers end work that takes long, so its dispatches must be smaller.
    pub slow: bool,
    /// Matrix units that products go through.
    pub units: Option<Units>,
}

impl Deref for Context {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Context {
    /// A dry context with these limits: it does everything except the device's own work.
    pub(super) fn dry_with(limits: wgpu::Limits, options: GpuOptions) -> Context {
        Self::with(None, limits, options, Traits::default(), Arc::default())
    }

    /// A context of this device with other options. A buffer belongs to the context that made it.
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

    /// A dry context with this one's limits, traits and options, but without a bound of memory and without guards.
    pub fn dry(&self) -> Context {
        let options = GpuOptions {
            max_memory_bytes: None,
            debug: DebugOptions { guarded_buffers: false, ..self.options.debug },
            ..self.options.clone()
        };
        Self::with(None, self.limits.clone(), options, self.traits, self.tuned.clone())
    }

    /// A dry context for the CPU path. Its only limit is that of host memory: no allocation is longer than `isize::MAX` bytes.
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

    /// A context of these parts. It is dry if there is no live device.
    pub(super) fn with(
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

    /// Whether kernels may use subgroup operations.
    pub fn uses_subgroups(&self) -> bool {
        self.has_subgroups() && !self.options.debug.without_subgroups
    }

    /// Whether the driver is a software driver, for which kernels for software drivers are chosen.
    pub fn is_software(&self) -> bool {
        self.traits.software
    }

    /// Whether products go through matrix units.
    pub fn uses_units(&self) -> bool {
        self.traits.units.is_some()
    }

    /// The kernels that were measured to be the fastest.
    pub fn tuned(&self) -> &Tuned {
        &self.tuned
    }

    /// The folder that keeps the results of tuning.
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
        self.counters.counts(self.pool().bytes())
    }

    /// The entries that a dry run made since the last call.
    pub fn take_entries(&self) -> Entries {
        self.ledger.take()
    }

    /// The workgroups of a kernel in runs, each small enough for the budget of a dispatch, if a workgroup does so many
    /// multiply-adds.
    pub fn groups_at_a_time(&self, groups: u64, multiply_adds: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        let line = self.limits.max_compute_workgroups_per_dimension;
        let budget = self.options.debug.max_multiply_adds.unwrap_or(budget::MULTIPLY_ADDS);
        budget::group_runs(groups, self.as_long_as(multiply_adds), budget, line)
    }

    /// The multiply-adds that the budgets count for these: more on a device that may be slower than the GPU of the budgets.
    pub(super) fn as_long_as(&self, multiply_adds: u64) -> u64 {
        if self.traits.slow { multiply_adds.saturating_mul(budget::SLOWER) } else { multiply_adds }
    }

    /// Whether the driver may compile on several threads at a time.
    pub fn compiles_at_once(&self) -> bool {
        let connection = self.live.as_ref().map(|live| &live.connection);
        connection.is_some_and(|connection| !connection.turns.are_taken() && !connection.compiles_alone)
    }

    /// Compiles those of these variants that are not compiled yet, on several threads. Does nothing if the driver serves one thread
    /// at a time.
    pub fn compile_ahead(&self, variants: impl IntoIterator<Item = Variant>) {
        if let Some(live) = self.live.as_ref().filter(|_| self.compiles_at_once()) {
            let checked = self.options.runtime_checks;
            let compiled = live.pipelines.compile_ahead(&live.connection, variants, checked);
            self.counters.pipelines.fetch_add(compiled, Relaxed);
        }
    }

    /// Every variant compiled so far, in the order of their names: the kernel's name, its form, its constants, and its WGSL with
    /// these in place.
    pub fn compiled(&self) -> Vec<(&'static str, Vec<&'static str>, Vec<Constant>, String)> {
        self.live.as_ref().map(|live| live.pipelines.compiled()).unwrap_or_default()
    }

    /// Submits everything recorded so far, without waiting for it.
    pub fn flush(&self) -> Result<()> {
        if let Some(live) = &self.live {
            live.recorder().submit(&live.connection, &self.counters);
            live.catch_up();
        }
        self.check_device()
    }

    /// Submits everything recorded so far, and waits until the device has done it.
    pub fn wait(&self) -> Result<()> {
        self.flush()?;
        self.poll(None)?;
        self.check()
    }

    /// The result of `make`, which allocates device memory. If the memory runs out, the pool's idle buffers are freed and `make` is
    /// called once more. Its second error is the [`Error::OutOfMemory`] that the caller sees.
    pub(super) fn with_room<T>(&self, make: impl Fn() -> Result<T>) -> Result<T> {
        let first = make();
        if !matches!(first, Err(Error::OutOfMemory { .. })) {
            return first;
        }
        let gone = self.pool().shrink(0);
        log::warn!("out of device memory: letting go of {} idle buffers", gone.len());
        self.give_back(gone);
        if let Some(live) = &self.live {
            live.clear_staging();
        }
        self.wait()?;
        make()
    }

    /// Waits for a submission, or, without one, for everything submitted.
    pub(super) fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
        let Some(live) = &self.live else { return Ok(()) };
        self.counters.waits.fetch_add(1, Relaxed);
        let waited = live.wait_for(submission_index.as_ref()).map_err(|error| Error::Read { source: error.into() });
        self.check()?;
        self.or_lost(waited)
    }
}

impl Inner {
    /// The outcome of a call. If it failed because the device is lost, the error is [`Error::DeviceLost`].
    pub(super) fn or_lost<T>(&self, outcome: Result<T>) -> Result<T> {
        match &self.live {
            Some(live) => live.connection.or_lost(outcome),
            None => outcome,
        }
    }

    /// Polls the device, then checks for errors as [`Inner::check`] does. Every dispatch, read and upload begins with this call,
    /// because wgpu reports a lost device only while it is polled.
    pub(crate) fn check_device(&self) -> Result<()> {
        self.live.as_ref().map_or(Ok(()), |live| live.connection.errors.poll_and_check())
    }

    /// The error that the device reported since the last check, if there is one.
    pub(super) fn check(&self) -> Result<()> {
        self.live.as_ref().map_or(Ok(()), |live| live.connection.errors.check())
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
