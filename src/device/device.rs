//! The device: a GPU that wgpu reaches, or the CPU path.

use std::fmt;
use std::sync::Arc;

use super::info::{DeviceInfo, DeviceKind, KernelSource};
use crate::error::{Error, Result};
use crate::gpu::{self, Context, Counters};
use crate::options::GpuOptions;
use crate::tuning;
use crate::waiting::{Waiting, blocking_and_async, give_way};

/// A GPU or the CPU path; a cheap clone, chosen as the program runs.
///
/// ```
/// use wgpu_mlp::Device;
/// let device = Device::auto()?; // a hardware GPU, else the CPU path
/// println!("{}", device.info()); // which, and why
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    info: DeviceInfo,
    context: Option<Context>,
}

impl Device {
    blocking_and_async! {
        /// A hardware GPU, else the CPU path; [`Device::info`] says which and why.
        ///
        /// A software driver is taken only when `WGPU_ADAPTER_NAME` asks for it by name.
        ///
        /// # Errors
        /// [`Error::NoAdapter`] when `WGPU_ADAPTER_NAME` is set and no adapter has that name.
        pub fn auto, auto_async() -> Result<Self> = |_waiting| {
            match Self::choose(&GpuOptions::default(), false).await {
                Ok(device) => Ok(device),
                Err(error @ Error::NoAdapter { .. }) if gpu::name_in_environment().is_some() => Err(error),
                Err(error) => Ok(Self::cpu_because(error.to_string())),
            }
        }

        /// A GPU, or a software driver where there is no GPU.
        ///
        /// # Errors
        /// [`Error::NoAdapter`] says what was looked for and what was there; [`Error::NoDevice`] when an adapter refuses.
        pub fn gpu, gpu_async() -> Result<Self> = |_waiting| {
            Self::choose(&GpuOptions::default(), true).await
        }

        /// A GPU as [`Device::gpu`] finds it, with options.
        ///
        /// # Errors
        /// As [`Device::gpu`]; [`Error::Option`] for a limit below what the device needs; [`Error::NoMatrixUnits`] where these are
        /// to be used and the adapter has none.
        ///
        /// ```
        /// use wgpu_mlp::{Device, Error, GpuOptions};
        /// let options = GpuOptions { adapter_name: Some("no such adapter".into()), ..Default::default() };
        /// assert!(matches!(Device::gpu_with(&options), Err(Error::NoAdapter { .. })));
        /// ```
        pub fn gpu_with, gpu_with_async(options: &GpuOptions) -> Result<Self> = |_waiting| {
            Self::choose(options, true).await
        }

        /// Waits until everything asked for so far is done; nothing to wait for on the CPU path.
        ///
        /// Only benchmarks need it: reads wait by themselves.
        ///
        /// # Errors
        /// Whatever went wrong on the device since the last call.
        pub fn wait, wait_async(&self) -> Result<()> = |waiting| {
            self.wait_by(waiting).await
        }
    }

    /// The CPU path: no adapter, no driver, the same results within the ops' bounds.
    pub fn cpu() -> Self {
        Self::cpu_because("asked for".into())
    }

    /// Shares the caller's adapter, device and queue, which keep working for the caller.
    ///
    /// The device's uncaptured-error and device-lost handlers are replaced: errors come back from this crate's calls. A second call
    /// for one wgpu device replaces those of the first, so call it once and clone the result. Where the device was
    /// opened with them, kernels use the features `SUBGROUP` and, on software drivers, `SHADER_INT64`, and tuning
    /// `TIMESTAMP_QUERY`; with [`GpuOptions::matrix_units`] on, `EXPERIMENTAL_COOPERATIVE_MATRIX` and `SHADER_F16`. wgpu runs the
    /// caller's own callbacks (of `map_async`, say) within the crate's submits, too: they must not call the crate.
    ///
    /// # Errors
    /// [`Error::Limit`] when the device was opened with less than the kernels need: storage buffers a stage, workgroup memory,
    /// threads a workgroup.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Result, wgpu};
    /// fn share(adapter: &wgpu::Adapter, device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Device> {
    ///     Device::from_wgpu(adapter, device.clone(), queue.clone())
    /// }
    /// ```
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        Self::from_wgpu_with(adapter, device, queue, &GpuOptions::default())
    }

    /// Like [`Device::from_wgpu`], with those options that do not choose or open the device.
    ///
    /// # Errors
    /// As [`Device::from_wgpu`]; [`Error::Option`] for a limit below what the kernels need; [`Error::NoMatrixUnits`] where these are
    /// to be used and the device was opened without them.
    pub fn from_wgpu_with(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &GpuOptions,
    ) -> Result<Self> {
        let context = Context::adopt(adapter, device, queue, options)?;
        Ok(Self::with_context(adapter, context, "handed over by the caller".into()))
    }

    /// The device's kind, name and limits, and why it was chosen.
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// Counters of what the device was made to do so far; all zero on the CPU path.
    pub fn counters(&self) -> Counters {
        self.0.context.as_ref().map(Context::counters).unwrap_or_default()
    }

    /// Waits, without blocking the thread, until the device has caught up so far that it takes more work at once.
    ///
    /// Ops and uploads return as soon as they are recorded; but where the device lags far behind, by 16 submits or 128 MiB of
    /// uploads, the next one blocks until the oldest is done. Await this before each step or upload, and it need not. The
    /// `_async` calls do it themselves.
    ///
    /// # Errors
    /// As [`Device::wait`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Targets};
    /// # let device = Device::cpu();
    /// # let mut model = Mlp::new(&device, &[4, 3], 0)?;
    /// # let mut optimizer = OptimizerState::new(Optimizer::sgd(0.1));
    /// # let (x, y) = (Matrix::zeros(&device, 2, 4)?, Targets::classes(&device, &[0u8, 2], 3)?);
    /// pollster::block_on(async {
    ///     for _ in 0..100 {
    ///         device.ready_async().await?;
    ///         model.train_step(&x, &y, &mut optimizer)?;
    ///     }
    ///     Ok::<(), wgpu_mlp::Error>(())
    /// })?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn ready_async(&self) -> Result<()> {
        match &self.0.context {
            Some(context) => context.room_async().await,
            None => Ok(()),
        }
    }

    /// [`Device::ready_async`] for those who yield, whose executor's other tasks get their turn each time. Where the thread may
    /// block there is nothing to do: what is recorded waits by itself.
    pub(crate) async fn make_room(&self, waiting: Waiting) -> Result<()> {
        if waiting == Waiting::Blocking {
            return Ok(());
        }
        give_way().await;
        self.ready_async().await
    }

    /// [`Device::wait`], either way.
    pub(crate) async fn wait_by(&self, waiting: Waiting) -> Result<()> {
        match (&self.0.context, waiting) {
            (Some(context), Waiting::Blocking) => context.wait(),
            (Some(context), Waiting::Yielding) => context.wait_async().await,
            (None, _) => Ok(()),
        }
    }

    /// The kernels that this device has compiled so far, each variant by itself: for those who want to see what drivers get.
    ///
    /// ```
    /// use wgpu_mlp::Device;
    /// assert!(Device::cpu().kernels().is_empty());
    /// ```
    pub fn kernels(&self) -> Vec<KernelSource> {
        let source = |(name, form, constants, wgsl)| KernelSource { name, form, constants, wgsl };
        self.context().map(|gpu| gpu.compiled().into_iter().map(source).collect()).unwrap_or_default()
    }

    /// A dry device like this one: it goes through every step and computes nothing, so that a plan can be made on it.
    pub(crate) fn dry(&self) -> Self {
        let context = self.context().map_or_else(Context::dry_unlimited, Context::dry);
        Device(Arc::new(Inner { info: self.info().clone(), context: Some(context) }))
    }

    /// Compiles in parallel the kernels that `run` will launch on this device, as a dry run of it shows.
    pub(crate) fn compile_ahead(&self, run: impl FnOnce(&Device) -> Result<()>) {
        let Some(gpu) = self.context().filter(|gpu| gpu.compiles_at_once()) else { return };
        let dry = self.dry();
        if run(&dry).is_ok() {
            let launched = dry.context().map(Context::take_entries).unwrap_or_default();
            gpu.compile_ahead(launched.compiled.into_iter().map(|(_, variant)| variant));
        }
    }

    /// A dry device of this preset.
    #[cfg(test)]
    pub(crate) fn dry_as(preset: gpu::Preset) -> Self {
        let info = Self::cpu_because(format!("{preset:?}")).info().clone();
        Device(Arc::new(Inner { info, context: Some(Context::dry_as(preset)) }))
    }

    /// This device with other options; a matrix belongs to one of the two. The CPU path has no options.
    pub(crate) fn with_options(&self, change: impl FnOnce(&mut GpuOptions)) -> Result<Self> {
        let context = self.context().map(|context| context.with_options(change)).transpose()?;
        Ok(Device(Arc::new(Inner { info: self.info().clone(), context })))
    }

    /// The GPU context; none on the CPU path.
    pub(crate) fn context(&self) -> Option<&Context> {
        self.0.context.as_ref()
    }

    /// Whether operands on both may meet in one op: one GPU context, or the CPU path on both sides.
    pub(crate) fn same(&self, other: &Device) -> bool {
        match (self.context(), other.context()) {
            (Some(a), Some(b)) => a.same(b),
            (None, None) => true,
            _ => false,
        }
    }

    pub(super) fn cpu_because(reason: String) -> Self {
        let info = DeviceInfo {
            kind: DeviceKind::Cpu,
            name: "CPU path".into(),
            backend: "ndarray".into(),
            driver: String::new(),
            reason,
            subgroups: false,
            has_matrix_units: false,
            matrix_units: false,
            max_binding_bytes: u64::MAX,
            max_buffer_bytes: u64::MAX,
        };
        log::info!("device: {info}");
        Device(Arc::new(Inner { info, context: None }))
    }

    pub(super) async fn choose(options: &GpuOptions, software: bool) -> Result<Self> {
        let mut refused = None;
        for choice in gpu::choices(options, software).await? {
            match Context::open(&choice.adapter, options).await {
                Ok(context) => return Ok(Self::with_context(&choice.adapter, context, choice.reason)),
                // The caller asked for matrix units: no other adapter is tried.
                Err(error @ Error::NoMatrixUnits { .. }) => return Err(error),
                Err(error) => {
                    log::warn!("{}: {error}", choice.adapter.get_info().name);
                    refused.get_or_insert(error);
                }
            }
        }
        // Where there is no adapter at all, `choices` has said so.
        let none = || Error::NoAdapter { wanted: "a GPU".into(), found: Vec::new() };
        Err(refused.unwrap_or_else(none))
    }

    fn with_context(adapter: &wgpu::Adapter, context: Context, reason: String) -> Self {
        let about = adapter.get_info();
        let kind = match about.device_type {
            wgpu::DeviceType::Cpu => DeviceKind::SoftwareDriver,
            _ => DeviceKind::Gpu,
        };
        let info = DeviceInfo {
            kind,
            name: context.browser_name().unwrap_or(about.name),
            backend: about.backend.to_string(),
            driver: [about.driver, about.driver_info].join(" ").trim().into(),
            reason,
            subgroups: context.has_subgroups(),
            has_matrix_units: context.could_use_units(adapter),
            matrix_units: context.uses_units(),
            max_binding_bytes: context.max_binding_bytes(),
            max_buffer_bytes: context.max_buffer_bytes(),
        };
        log::info!("device: {info}");
        if let Some(folder) = context.tuning_folder() {
            tuning::load(folder, &info.adapter(), context.tuned());
        }
        Device(Arc::new(Inner { info, context: Some(context) }))
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.info())
    }
}
