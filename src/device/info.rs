//! Information about a device: its kind, name and limits, and the kernels that it has compiled.

use std::fmt;

use crate::tuning;

#[cfg(doc)]
use crate::options::GpuOptions;

/// Information about a device: its kind, name and limits, and why it was chosen.
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
    /// The adapter's name, or `CPU path`.
    pub name: String,
    /// The backend: `vulkan`, `metal`, `dx12`, `gl` or `webgpu`; `ndarray` for the CPU path.
    pub backend: String,
    /// The driver and its version, if the driver tells them.
    pub driver: String,
    /// The reason why this device was chosen.
    pub reason: String,
    /// Whether the adapter has subgroup operations.
    pub subgroups: bool,
    /// Whether the adapter has matrix units that [`GpuOptions::matrix_units`] can turn on.
    #[cfg_attr(feature = "serde", serde(default))]
    pub has_matrix_units: bool,
    /// Whether products use matrix units.
    #[cfg_attr(feature = "serde", serde(default))]
    pub matrix_units: bool,
    /// The size of the largest binding, in bytes.
    pub max_binding_bytes: u64,
    /// The size of the largest buffer, in bytes.
    pub max_buffer_bytes: u64,
}

/// The three kinds of device.
///
/// ```
/// use wgpu_mlp::{Device, DeviceKind};
/// match Device::auto()?.info().kind {
///     DeviceKind::Gpu => println!("fast"),
///     DeviceKind::SoftwareDriver => println!("slow: kernels on the CPU, for tests"),
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

/// The source of a kernel's variant, in the form in which a driver compiles it.
///
/// ```
/// for kernel in wgpu_mlp::Device::cpu().kernels() {
///     println!("{} {:?}: {} bytes of WGSL", kernel.name, kernel.constants, kernel.wgsl.len());
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KernelSource {
    /// The op for which the variant was first compiled.
    pub name: &'static str,
    /// The form of this variant, for example `by fours` if values are loaded as `vec4`s.
    pub form: Vec<&'static str>,
    /// The constants of this variant.
    pub constants: Vec<(&'static str, f64)>,
    /// The WGSL of this variant, with the constants in place.
    pub wgsl: String,
}

impl DeviceInfo {
    /// The properties that identify the device's file of tuning results.
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
