//! The device: a GPU that wgpu reaches, or the CPU path.

use std::fmt;
use std::sync::Arc;

use super::info::{DeviceInfo, DeviceKind, KernelSource};
use crate::error::{Error, Result};
use crate::gpu::{self, Context, Counters};
use crate::options::GpuOptions;
use crate::tuning;
use crate::waiting::{Waiting, blocking_and_async, give_way};

/// A GPU or the CPU path, chosen at run time. Clones are cheap and stand for the same device.
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
        /// Opens a hardware GPU; if there is none, returns the CPU path. [`Device::info`] says which, and why.
        ///
        /// A software driver is used only if `WGPU_ADAPTER_NAME` asks for it by name.
        ///
        /// # Errors
        /// [`Error::NoAdapter`] if `WGPU_ADAPTER_NAME` is set and no adapter's name contains it.
        pub fn auto, auto_async() -> Result<Self> = |_waiting| {
            match Self::choose(&GpuOptions::default(), false).await {
                Ok(device) => Ok(device),
                Err(error @ Error::NoAdapter { .. }) if gpu::name_in_environment().is_some() => Err(error),
                Err(error) => Ok(Self::cpu_because(error.to_string())),
            }
        }

        /// Opens a GPU, or a software driver if there is no GPU.
        ///
        /// # Errors
        /// [`Error::NoAdapter`] says what was looked for and found; [`Error::NoDevice`] if an adapter gives no device.
        pub fn gpu, gpu_async() -> Result<Self> = |_waiting| {
            Self::choose(&GpuOptions::default(), true).await
        }

        /// Opens a GPU as [`Device::gpu`] does, with options.
        ///
        /// # Errors
        /// As [`Device::gpu`]; [`Error::Option`] for a limit below what the device needs; [`Error::NoMatrixUnits`] if matrix
        /// units are on and the adapter has none.
        ///
        /// ```
        /// use wgpu_mlp::{Device, Error, GpuOptions};
        /// let options = GpuOptions { adapter_name: Some("no such adapter".into()), ..Default::default() };
        /// assert!(matches!(Device::gpu_with(&options), Err(Error::NoAdapter { .. })));
        /// ```
        pub fn gpu_with, gpu_with_async(options: &GpuOptions) -> Result<Self> = |_waiting| {
            Self::choose(options, true).await
        }

        /// Waits until all work that was asked for so far is done. On the CPU path there is nothing to wait for.
        ///
        /// Only benchmarks need this, since reads wait by themselves.
        ///
        /// # Errors
        /// Any error of the device since the last call.
        pub fn wait, wait_async(&self) -> Result<()> = |waiting| {
            self.wait_by(waiting).await
        }
    }

    /// The CPU path. It uses no adapter and no driver, and its results are within the same bounds.
    pub fn cpu() -> Self {
        Self::cpu_because("asked for".into())
    }

    /// Shares the caller's adapter, device and queue. The caller can keep using them.
    ///
    /// The device's uncaptured-error and device-lost handlers are replaced, and errors are returned by this crate's calls. A
    /// second call for one wgpu device replaces the handlers of the first: call it once and clone the result. Features are used
    /// if the device was opened with them: `SUBGROUP` by kernels, `SHADER_INT64` by kernels on software drivers,
    /// `TIMESTAMP_QUERY` by tuning, and with [`GpuOptions::matrix_units`] on, `EXPERIMENTAL_COOPERATIVE_MATRIX` and `SHADER_F16`.
    /// wgpu also runs the caller's callbacks during the crate's submits, under a lock of the crate: they may drop matrices, but must
    /// not call the crate, nor wait for a thread that calls it.
    ///
    /// # Errors
    /// [`Error::Limit`] if the device was opened with lower limits than the kernels need: storage buffers a stage, workgroup
    /// memory, threads a workgroup, buffers of 1 MiB.
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

    /// Shares the caller's device as [`Device::from_wgpu`], with options. Those that choose or open a device have no effect.
    ///
    /// # Errors
    /// As [`Device::from_wgpu`]; [`Error::Option`] for a limit below what the kernels need; [`Error::NoMatrixUnits`] if matrix
    /// units are on and the device was opened without them.
    pub fn from_wgpu_with(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &GpuOptions,
    ) -> Result<Self> {
        let context = Context::adopt(adapter, device, queue, options)?;
        Ok(Self::with_context(adapter, context, "handed over by the caller".into()))
    }

    /// Information about the device: its kind, name and limits, and why it was chosen.
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// Counters of the work of this device so far. On the CPU path all are zero.
    pub fn counters(&self) -> Counters {
        self.0.context.as_ref().map(Context::counters).unwrap_or_default()
    }

    /// Waits, without blocking the thread, until the device can take more work at once.
    ///
    /// Ops and uploads return as soon as they are recorded. But if the device is far behind, by 16 submits or 128 MiB of uploads,
    /// the next one blocks until the oldest is done. To avoid that, await this call before each step or upload. The `_async`
    /// calls do so themselves.
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

    /// Awaits [`Device::ready_async`] in calls that yield, and lets the executor's other tasks run. In blocking calls it does
    /// nothing, since recording waits by itself.
    pub(crate) async fn make_room(&self, waiting: Waiting) -> Result<()> {
        if waiting == Waiting::Blocking {
            return Ok(());
        }
        give_way().await;
        self.ready_async().await
    }

    /// Waits as [`Device::wait`] does, blocking or yielding.
    pub(crate) async fn wait_by(&self, waiting: Waiting) -> Result<()> {
        match (&self.0.context, waiting) {
            (Some(context), Waiting::Blocking) => context.wait(),
            (Some(context), Waiting::Yielding) => context.wait_async().await,
            (None, _) => Ok(()),
        }
    }

    /// The kernels that this device has compiled so far. Each variant is listed by itself, with its source.
    pub fn kernels(&self) -> Vec<KernelSource> {
        let source = |(name, form, constants, wgsl)| KernelSource { name, form, constants, wgsl };
        self.context().map(|gpu| gpu.compiled().into_iter().map(source).collect()).unwrap_or_default()
    }

    /// A dry device like this one: it goes through all steps without computing, so that a plan can be made.
    pub(crate) fn dry(&self) -> Self {
        let context = self.context().map_or_else(Context::dry_unlimited, Context::dry);
        Device(Arc::new(Inner { info: self.info().clone(), context: Some(context) }))
    }

    /// Compiles in parallel the kernels that `run` will launch on this device. A dry run of it shows which these are.
    pub(crate) fn compile_ahead(&self, run: impl FnOnce(&Device) -> Result<()>) {
        let Some(gpu) = self.context().filter(|gpu| gpu.compiles_at_once()) else { return };
        let dry = self.dry();
        if run(&dry).is_ok() {
            let launched = dry.context().map(Context::take_entries).unwrap_or_default();
            gpu.compile_ahead(launched.compiled.into_iter().map(|(_, variant)| variant));
        }
    }

    /// A dry device with this preset.
    #[cfg(test)]
    pub(crate) fn dry_as(preset: gpu::Preset) -> Self {
        let info = Self::cpu_because(format!("{preset:?}")).info().clone();
        Device(Arc::new(Inner { info, context: Some(Context::dry_as(preset)) }))
    }

    /// This device with other options. A matrix can be used on only one of the two. The CPU path has no options.
    pub(crate) fn with_options(&self, change: impl FnOnce(&mut GpuOptions)) -> Result<Self> {
        let context = self.context().map(|context| context.with_options(change)).transpose()?;
        Ok(Device(Arc::new(Inner { info: self.info().clone(), context })))
    }

    /// The GPU context; `None` on the CPU path.
    pub(crate) fn context(&self) -> Option<&Context> {
        self.0.context.as_ref()
    }

    /// Whether operands on both devices can be used in one op: both have the same GPU context, or both are the CPU path.
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
        // If there is no adapter at all, `choices` has already returned the error.
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
