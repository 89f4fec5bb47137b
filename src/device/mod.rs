//! Devices: they hold matrices and run ops.

#[allow(clippy::module_inception, reason = "the type's own file")]
mod device;
mod info;
mod interop;
mod likeness;
#[cfg(not(target_family = "wasm"))]
mod of_rank;

pub use device::Device;
pub use info::{DeviceInfo, DeviceKind, KernelSource};

pub use crate::gpu::Counters;

/// The version of wgpu that is used by [`Device::from_wgpu`] and some errors.
pub use wgpu;
