//! Opening a device: its features, its limits, which options can lower, and the traits by which kernels are chosen.

use std::sync::Arc;
#[cfg(target_family = "wasm")]
use std::sync::atomic::Ordering::Relaxed;

use super::context::{Context, Traits};
use super::driver::connection::Connection;
use super::driver::turns::Turns;
use super::encode::live::Live;
use super::limits::{check_parameters, lowered};
use super::units::Units;
use crate::error::{Error, Result};
use crate::options::{GpuOptions, MatrixUnits};
#[cfg(not(target_family = "wasm"))]
use crate::waiting::at_once;

/// Intel's PCI vendor id.
const INTEL: u32 = 0x8086;

/// The features that a device is opened with if the adapter has them. Without them other kernel variants are chosen.
const USEFUL_FEATURES: wgpu::Features =
    wgpu::Features::SUBGROUP.union(wgpu::Features::SHADER_INT64).union(wgpu::Features::TIMESTAMP_QUERY);

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
        #[cfg(target_family = "wasm")]
        let opened = adapter.request_device(&descriptor).await;
        #[cfg(not(target_family = "wasm"))]
        let opened = {
            // The future is ready at once, so that the turn is never held across a wait.
            let _turn = Turns::new(adapter.get_info().backend).take();
            at_once(adapter.request_device(&descriptor))
        };
        let (device, queue) = opened.map_err(|source| Error::NoDevice { adapter: adapter.get_info().name, source })?;
        #[cfg(target_family = "wasm")]
        let own = device.clone();
        let context = Context::adopt(adapter, device, queue, options);
        // A browser's device is there until it is destroyed, or its page is closed.
        #[cfg(target_family = "wasm")]
        match &context {
            Ok(context) => context.live.iter().for_each(|live| live.connection.is_own.store(true, Relaxed)),
            Err(_) => own.destroy(),
        }
        context
    }

    /// Builds a context for a wgpu device that exists already.
    pub fn adopt(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &GpuOptions,
    ) -> Result<Context> {
        let turn = Turns::new(adapter.get_info().backend).take();
        let mut connection = Connection::new(adapter, device, queue);
        connection.needs_receipts |= options.debug.left_out_submit.is_some();
        let limits = lowered(connection.device.limits(), options)?;
        check_parameters(&connection.device.limits())?;
        let units = match options.matrix_units {
            MatrixUnits::Off => None,
            MatrixUnits::On => Some(usable_units(adapter, &connection.device)?),
        };
        let live = Live::new(connection, &limits, options.debug.left_out_submit);
        drop(turn);
        live.connection.errors.check()?;
        let info = adapter.get_info();
        let has = |feature| live.connection.device.features().contains(feature);
        let traits = Traits {
            software: info.device_type == wgpu::DeviceType::Cpu && !options.debug.kernels_for_gpus,
            subgroup_lanes: if has(wgpu::Features::SUBGROUP) { info.subgroup_min_size.max(1) } else { 0 },
            longs: has(wgpu::Features::SHADER_INT64),
            // A thread on Intel's GPUs has 128 registers, which is not enough for the sums of the largest tile.
            registers: (info.device_type == wgpu::DeviceType::DiscreteGpu && info.vendor != INTEL)
                || options.debug.kernels_for_gpus,
            slow: ![wgpu::DeviceType::DiscreteGpu, wgpu::DeviceType::Cpu].contains(&info.device_type),
            units,
        };
        Ok(Self::with(Some(Arc::new(live)), limits, options.clone(), traits, Arc::default()))
    }

    /// The name of the GPU as a browser tells it: its description, or, without one, its vendor and architecture.
    pub fn browser_name(&self) -> Option<String> {
        #[cfg(all(target_family = "wasm", feature = "web"))]
        {
            let device: wasm_bindgen::JsValue = self.live.as_ref()?.connection.device.as_webgpu()?.clone().into();
            // Older browsers have no such property.
            let about = js_sys::Reflect::get(&device, &"adapterInfo".into()).ok().filter(|about| about.is_object())?;
            let told = |name: &str| js_sys::Reflect::get(&about, &name.into()).ok()?.as_string();
            let [description, vendor, architecture] =
                ["description", "vendor", "architecture"].map(|name| told(name).unwrap_or_default());
            let known = [description, [vendor, architecture].join(" ")];
            let name = known.into_iter().map(|name| name.trim().to_string()).find(|name| !name.is_empty());
            Some(name.unwrap_or_else(|| "a GPU that the browser does not name".into()))
        }
        #[cfg(not(all(target_family = "wasm", feature = "web")))]
        None
    }

    /// Whether a device that is opened with matrix units could use them for products.
    pub fn could_use_units(&self, adapter: &wgpu::Adapter) -> bool {
        Units::of(adapter, &self.limits).is_some()
    }
}

/// The matrix units that a device was opened with, or an error that says why there are none to use.
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

/// The token that wgpu asks for before it enables what is experimental.
#[allow(unsafe_code, reason = "matrix units are experimental in wgpu")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: with the token, its user accepts that wgpu's validation of experimental features may be incomplete. Only matrix units
    // are requested with it, and only if the caller chose them. Their kernel loads and stores matrices only in workgroup memory, at
    // places that follow from constants and from the subgroup's number. That number is below threads / lanes, where lanes is the
    // least size of a subgroup that the adapter reports. The tests of guards run this kernel as they run all others.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}
