//! Where the numbers live and the work is done: a GPU that wgpu reaches, or the CPU path.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::{self, Context};
use crate::matrix::{Matrix, Storage, not_empty};
use crate::options::GpuOptions;
use crate::targets::{Kind, Targets};
use crate::tuning;
use crate::waiting::{Waiting, give_way};

pub use crate::gpu::Counters;

/// The version of wgpu that [`Device::from_wgpu`] and some errors speak.
pub use wgpu;

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

/// What a device is, and why it was chosen.
///
/// ```
/// use wgpu_mlp::{Device, DeviceKind};
/// assert_eq!(Device::cpu().info().kind, DeviceKind::Cpu);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DeviceInfo {
    /// A GPU, a software driver, or the CPU path.
    pub kind: DeviceKind,
    /// The adapter's own name; `CPU path` where there is none.
    pub name: String,
    /// `vulkan`, `metal`, `dx12`, `gl`; `ndarray` for the CPU path.
    pub backend: String,
    /// The driver and its version, as far as it tells.
    pub driver: String,
    /// Why this one.
    pub reason: String,
    /// Whether the adapter has subgroup operations.
    pub subgroups: bool,
    /// Whether the adapter has matrix units that [`GpuOptions::matrix_units`] can turn on.
    #[cfg_attr(feature = "serde", serde(default))]
    pub has_matrix_units: bool,
    /// Whether products go through them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub matrix_units: bool,
    /// The largest piece of a buffer that a kernel can see, in bytes.
    pub max_binding_bytes: u64,
    /// The largest buffer, in bytes.
    pub max_buffer_bytes: u64,
}

/// The three kinds of device.
///
/// ```
/// use wgpu_mlp::{Device, DeviceKind};
/// match Device::auto()?.info().kind {
///     DeviceKind::Gpu => println!("fast"),
///     DeviceKind::SoftwareDriver => println!("slow, but the same kernels"),
///     DeviceKind::Cpu => println!("plain Rust"),
///     _ => {}
/// }
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DeviceKind {
    /// A hardware GPU.
    Gpu,
    /// A GPU driver that runs on the CPU: lavapipe, SwiftShader, WARP.
    SoftwareDriver,
    /// The crate's own CPU path.
    Cpu,
}

/// A variant of a kernel as a driver compiles it.
///
/// ```
/// for kernel in wgpu_mlp::Device::cpu().kernels() {
///     println!("{} {:?}: {} bytes of WGSL", kernel.name, kernel.constants, kernel.wgsl.len());
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KernelSource {
    /// The op for which it was compiled first.
    pub name: &'static str,
    /// Its form: which parts have another in their place, such as `by fours` for values that go by fours.
    pub form: Vec<&'static str>,
    /// What else makes it this variant.
    pub constants: Vec<(&'static str, f64)>,
    /// Its WGSL, with the constants in place.
    pub wgsl: String,
}

impl Device {
    /// A hardware GPU, else the CPU path; [`Device::info`] says which and why.
    ///
    /// A software driver is taken only when `WGPU_ADAPTER_NAME` asks for it by name.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when `WGPU_ADAPTER_NAME` is set and no adapter has that name.
    ///
    /// ```
    /// let device = wgpu_mlp::Device::auto()?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn auto() -> Result<Self> {
        pollster::block_on(Self::auto_async())
    }

    /// [`Device::auto`] without blocking the thread, as far as the driver allows that.
    ///
    /// # Errors
    /// As [`Device::auto`].
    ///
    /// ```
    /// let device = pollster::block_on(wgpu_mlp::Device::auto_async())?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn auto_async() -> Result<Self> {
        match Self::choose(&GpuOptions::default(), false).await {
            Ok(device) => Ok(device),
            Err(error @ Error::NoAdapter { .. }) if std::env::var_os("WGPU_ADAPTER_NAME").is_some() => Err(error),
            Err(error) => Ok(Self::cpu_because(error.to_string())),
        }
    }

    /// A GPU, or a software driver where there is no GPU.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] says what was looked for and what was there; [`Error::NoDevice`] when an adapter refuses.
    ///
    /// ```
    /// match wgpu_mlp::Device::gpu() {
    ///     Ok(device) => println!("{}", device.info()),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub fn gpu() -> Result<Self> {
        Self::gpu_with(&GpuOptions::default())
    }

    /// [`Device::gpu`] without blocking the thread, as far as the driver allows that.
    ///
    /// # Errors
    /// As [`Device::gpu`].
    ///
    /// ```
    /// match pollster::block_on(wgpu_mlp::Device::gpu_async()) {
    ///     Ok(device) => println!("{}", device.info()),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub async fn gpu_async() -> Result<Self> {
        Self::gpu_with_async(&GpuOptions::default()).await
    }

    /// Like [`Device::gpu`], with options.
    ///
    /// # Errors
    /// As [`Device::gpu`]; [`Error::Option`] for a limit below what the device needs; [`Error::NoMatrixUnits`] where these are to be
    /// used and the adapter has none.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Error, GpuOptions};
    /// let options = GpuOptions { adapter_name: Some("no such adapter".into()), ..Default::default() };
    /// assert!(matches!(Device::gpu_with(&options), Err(Error::NoAdapter { .. })));
    /// ```
    pub fn gpu_with(options: &GpuOptions) -> Result<Self> {
        pollster::block_on(Self::gpu_with_async(options))
    }

    /// [`Device::gpu_with`] without blocking the thread, as far as the driver allows that.
    ///
    /// # Errors
    /// As [`Device::gpu_with`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Error, GpuOptions};
    /// let options = GpuOptions { adapter_name: Some("no such adapter".into()), ..Default::default() };
    /// assert!(matches!(pollster::block_on(Device::gpu_with_async(&options)), Err(Error::NoAdapter { .. })));
    /// ```
    pub async fn gpu_with_async(options: &GpuOptions) -> Result<Self> {
        Self::choose(options, true).await
    }

    /// The CPU path: no adapter, no driver, the same results within the ops' bounds.
    ///
    /// ```
    /// println!("{}", wgpu_mlp::Device::cpu().info());
    /// ```
    pub fn cpu() -> Self {
        Self::cpu_because("asked for".into())
    }

    /// Shares the caller's adapter, device and queue, which keep working for the caller.
    ///
    /// The device's uncaptured-error and device-lost handlers are replaced: errors come back from this crate's calls. Where it was
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
    ///
    /// ```
    /// use wgpu_mlp::{Device, GpuOptions, Result, wgpu};
    /// fn share(adapter: &wgpu::Adapter, device: &wgpu::Device, queue: &wgpu::Queue) -> Result<Device> {
    ///     let options = GpuOptions { max_memory_bytes: Some(1 << 30), ..Default::default() };
    ///     Device::from_wgpu_with(adapter, device.clone(), queue.clone(), &options)
    /// }
    /// ```
    pub fn from_wgpu_with(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &GpuOptions,
    ) -> Result<Self> {
        let context = Context::adopt(adapter, device, queue, options)?;
        Ok(Self::with_context(adapter, context, "handed over by the caller".into()))
    }

    /// What this device is, and why it was chosen.
    ///
    /// ```
    /// assert_eq!(wgpu_mlp::Device::cpu().info().backend, "ndarray");
    /// ```
    pub fn info(&self) -> &DeviceInfo {
        &self.0.info
    }

    /// How much the device was made to do so far; all zero on the CPU path.
    ///
    /// ```
    /// assert_eq!(wgpu_mlp::Device::cpu().counters().waits, 0);
    /// ```
    pub fn counters(&self) -> Counters {
        self.0.context.as_ref().map(Context::counters).unwrap_or_default()
    }

    /// Waits until everything asked for so far is done; nothing to wait for on the CPU path.
    ///
    /// Only benchmarks need it: reads wait by themselves.
    ///
    /// # Errors
    /// Whatever went wrong on the device since the last call.
    ///
    /// ```
    /// wgpu_mlp::Device::cpu().wait()?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wait(&self) -> Result<()> {
        self.0.context.as_ref().map_or(Ok(()), Context::wait)
    }

    /// [`Device::wait`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Device::wait`].
    ///
    /// ```
    /// pollster::block_on(wgpu_mlp::Device::cpu().wait_async())?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn wait_async(&self) -> Result<()> {
        match &self.0.context {
            Some(context) => context.wait_async().await,
            None => Ok(()),
        }
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
        match waiting {
            Waiting::Blocking => self.wait(),
            Waiting::Yielding => self.wait_async().await,
        }
    }

    /// Hands everything recorded so far to the device's queue, without waiting: what a caller does who goes on with
    /// [`Device::buffer_of`] on the same queue.
    ///
    /// # Errors
    /// Whatever went wrong on the device since the last call.
    ///
    /// ```
    /// wgpu_mlp::Device::cpu().flush()?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn flush(&self) -> Result<()> {
        self.0.context.as_ref().map_or(Ok(()), Context::flush)
    }

    /// Writes what the driver has made of the kernels so far, where
    /// [`GpuOptions::pipeline_cache`](crate::GpuOptions::pipeline_cache) names a folder and the backend has a cache.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    ///
    /// ```
    /// wgpu_mlp::Device::cpu().save_pipeline_cache()?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn save_pipeline_cache(&self) -> Result<()> {
        self.0.context.as_ref().map_or(Ok(()), Context::save_pipeline_cache)
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

    /// The buffer that holds a matrix, row-major f32, and the byte at which the matrix starts, for the caller's own
    /// commands; none on the CPU path.
    ///
    /// It may be longer than the matrix, as one buffer holds all parameters of an [`Mlp`](crate::Mlp), and goes on to serve
    /// other matrices once this one and its clones are dropped.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix};
    /// let x = Matrix::zeros(&Device::cpu(), 2, 3)?;
    /// assert!(Device::buffer_of(&x).is_none());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn buffer_of(matrix: &Matrix) -> Option<(wgpu::Buffer, u64)> {
        match matrix.storage() {
            Storage::Cpu(_) => None,
            Storage::Gpu(buffer) => buffer.wgpu().map(|whole| (whole.clone(), buffer.offset())),
        }
    }

    /// A matrix on a buffer of the caller's own, without a copy: row-major f32 from offset 0. Its usage must hold
    /// `STORAGE`, `COPY_SRC` and `COPY_DST`. Ops that work in place change the caller's buffer.
    ///
    /// # Errors
    /// [`Error::Limit`] when the buffer is too short, [`Error::Combination`] when its usage does not suffice,
    /// [`Error::OtherDevice`] on the CPU path.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Result, ops, wgpu};
    /// fn total(device: &Device, features: wgpu::Buffer) -> Result<f32> {
    ///     let x = device.wrap_matrix(features, 2, 3)?;
    ///     Ok(ops::column_sum(&x)?.to_array()?.sum())
    /// }
    /// // Where there is a GPU. The buffer here is the crate's own; one of the program's own does as well.
    /// if let Ok(device) = Device::gpu() {
    ///     let ones = Matrix::from_slice(&device, 2, 3, &[1.0; 6])?;
    ///     if let Some((buffer, 0)) = Device::buffer_of(&ones) {
    ///         assert_eq!(total(&device, buffer)?, 6.0);
    ///     }
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wrap_matrix(&self, buffer: wgpu::Buffer, rows: usize, cols: usize) -> Result<Matrix> {
        self.wrap_matrix_at(buffer, 0, rows, cols)
    }

    /// [`Device::wrap_matrix`] from this byte of the buffer on: a multiple of 256, which every device can bind.
    ///
    /// Several matrices may lie in one buffer, or one buffer be wrapped more than once: the crate knows buffers by their identity,
    /// and what an op reads of a buffer that it also writes is copied first. Two matrices that an op writes must not overlap
    /// ([`Error::Combination`]). A caller who destroys a buffer that is still to be read loses the results of that, and of all
    /// that was recorded beside it ([`Error::Unwritten`]).
    ///
    /// # Errors
    /// As [`Device::wrap_matrix`]; [`Error::Option`] for another offset.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix};
    /// if let Ok(device) = Device::gpu() {
    ///     let numbers: Vec<f32> = (0..70u8).map(f32::from).collect();
    ///     let all = Matrix::from_slice(&device, 1, 70, &numbers)?;
    ///     if let Some((buffer, 0)) = Device::buffer_of(&all) {
    ///         let x = device.wrap_matrix_at(buffer, 256, 2, 3)?; // behind 64 numbers
    ///         assert_eq!(x.to_array()?, ndarray::array![[64., 65., 66.], [67., 68., 69.]]);
    ///     }
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wrap_matrix_at(&self, buffer: wgpu::Buffer, offset: u64, rows: usize, cols: usize) -> Result<Matrix> {
        not_empty("matrix", rows, cols)?;
        let gpu = self.gpu_context("matrix")?;
        Ok(Matrix::on_gpu(self, rows, cols, gpu.wrap("matrix", buffer, offset, rows, cols)?))
    }

    /// Class ids that the caller's own commands produce, one u32 a row, in a buffer as in [`Device::wrap_matrix`].
    ///
    /// Nobody has looked at them: the kernels do. A row whose id is no class gives NaN in its own loss and gradient, is
    /// counted in [`Statistics`](crate::ops::Statistics), and is a miss in [`accuracy`](crate::ops::accuracy).
    ///
    /// # Errors
    /// As [`Device::wrap_matrix`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Result, ops, wgpu};
    /// fn first_bad(logits: &Matrix, labels: wgpu::Buffer) -> Result<Option<u64>> {
    ///     let (rows, classes) = logits.shape();
    ///     let targets = logits.device().wrap_classes(labels, rows, classes)?;
    ///     Ok(ops::softmax_cross_entropy(logits, &targets, &Default::default())?.stats()?.first_bad_row)
    /// }
    /// if let Ok(device) = Device::gpu() {
    ///     // The bits of the classes 2 and 7, of which there are three.
    ///     let bits = [f32::from_bits(2), f32::from_bits(7)];
    ///     if let Some((labels, 0)) = Device::buffer_of(&Matrix::from_slice(&device, 2, 1, &bits)?) {
    ///         assert_eq!(first_bad(&Matrix::zeros(&device, 2, 3)?, labels)?, Some(1));
    ///     }
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wrap_classes(&self, buffer: wgpu::Buffer, rows: usize, classes: usize) -> Result<Targets> {
        self.wrap_classes_at(buffer, 0, rows, classes)
    }

    /// [`Device::wrap_classes`] from this byte of the buffer on, as in [`Device::wrap_matrix_at`].
    ///
    /// # Errors
    /// As [`Device::wrap_matrix_at`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix};
    /// if let Ok(device) = Device::gpu() {
    ///     let bits: Vec<f32> = (0..66).map(f32::from_bits).collect();
    ///     if let Some((labels, 0)) = Device::buffer_of(&Matrix::from_slice(&device, 66, 1, &bits)?) {
    ///         assert_eq!(device.wrap_classes_at(labels, 256, 2, 100)?.to_classes()?, [64, 65]);
    ///     }
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn wrap_classes_at(&self, buffer: wgpu::Buffer, offset: u64, rows: usize, classes: usize) -> Result<Targets> {
        not_empty("targets", rows, classes)?;
        let ids = self.gpu_context("targets")?.wrap("targets", buffer, offset, rows, 1)?;
        Ok(Targets::made(self, rows, classes, Kind::GpuClasses(Arc::new(ids))))
    }

    fn gpu_context(&self, op: &'static str) -> Result<&Context> {
        let name = || self.info().name.clone();
        self.context().ok_or_else(|| Error::OtherDevice { op, left: "a GPU".into(), right: name() })
    }

    /// A device like this one that goes through every step and does nothing: what a plan is made on.
    pub(crate) fn dry(&self) -> Self {
        let context = self.context().map_or_else(Context::dry_unlimited, Context::dry);
        Device(Arc::new(Inner { info: self.info().clone(), context: Some(context) }))
    }

    /// Compiles at the same time what this will launch here, as a dry run of it tells; nothing where that does not go through.
    pub(crate) fn compile_ahead(&self, run: impl FnOnce(&Device) -> Result<()>) {
        let Some(gpu) = self.context().filter(|gpu| gpu.compiles_at_once()) else { return };
        let dry = self.dry();
        if run(&dry).is_ok() {
            let launched = dry.context().map(Context::take_entries).unwrap_or_default();
            gpu.compile_ahead(launched.compiled.into_iter().map(|(_, variant)| variant));
        }
    }

    /// A dry device as some are.
    #[cfg(test)]
    pub(crate) fn dry_as(preset: gpu::Preset) -> Self {
        let info = Self::cpu_because(format!("{preset:?}")).info().clone();
        Device(Arc::new(Inner { info, context: Some(Context::dry_as(preset)) }))
    }

    /// The same device with options changed; matrices belong to one of the two. The CPU path has no options.
    pub(crate) fn with_options(&self, change: impl FnOnce(&mut GpuOptions)) -> Result<Self> {
        let context = self.context().map(|context| context.with_options(change)).transpose()?;
        Ok(Device(Arc::new(Inner { info: self.info().clone(), context })))
    }

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

    fn cpu_because(reason: String) -> Self {
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

    async fn choose(options: &GpuOptions, software: bool) -> Result<Self> {
        let mut refused = None;
        for choice in gpu::choices(options, software).await? {
            match Context::open(&choice.adapter, options).await {
                Ok(context) => return Ok(Self::with_context(&choice.adapter, context, choice.reason)),
                // A choice of the caller's, which no other adapter is to take from him.
                Err(error @ Error::NoMatrixUnits { .. }) => return Err(error),
                Err(error) => {
                    log::warn!("{}: {error}", choice.adapter.get_info().name);
                    refused.get_or_insert(error);
                }
            }
        }
        // Where there is no adapter at all, the choice has said so.
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
            name: about.name,
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

impl DeviceInfo {
    /// The properties that a file of tuning results belongs to.
    pub(crate) fn adapter(&self) -> tuning::AdapterInfo<'_> {
        let DeviceInfo { name, backend, driver, matrix_units, .. } = self;
        tuning::AdapterInfo { name, backend, driver, matrix_units: *matrix_units }
    }
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.backend)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        let units = if self.matrix_units { ", by matrix units" } else { "" };
        write!(f, "{units}): {}", self.reason)
    }
}
