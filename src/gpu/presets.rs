//! Presets: limits and traits of typical devices, for tests of the choices that are made on them. No real device is needed.

use std::sync::Arc;

use super::context::{Context, Traits};
use super::limits::{MAX_BINDING_BYTES, MAX_BUFFER_BYTES};
use super::units::Units;
use crate::options::GpuOptions;

/// Typical devices, which differ in the kernels that they choose.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Preset {
    /// A large GPU.
    Discrete,
    /// A large GPU on DX12 whose kernels Microsoft's FXC compiles: without subgroup operations and 64-bit words.
    WithFxc,
    /// The smallest device that WebGPU allows, without subgroup operations.
    Smallest,
    /// A software driver whose lanes take values from each other.
    Shuffled,
    /// A software driver without subgroups, and with small bindings, as Mesa's OpenGL has.
    Alone,
    /// A large GPU whose matrix units are in use.
    OnUnits,
}

impl Preset {
    pub const ALL: [Preset; 6] =
        [Preset::Discrete, Preset::WithFxc, Preset::Smallest, Preset::Shuffled, Preset::Alone, Preset::OnUnits];
}

impl Context {
    /// A dry context with the limits and traits of the preset.
    pub fn dry_as(preset: Preset) -> Context {
        let units = Some(Units::KNOWN[0]);
        let large = wgpu::Limits {
            max_compute_workgroup_storage_size: 48 << 10,
            max_compute_invocations_per_workgroup: 1024,
            max_compute_workgroup_size_x: 1024,
            max_storage_buffer_binding_size: MAX_BINDING_BYTES,
            max_buffer_size: MAX_BUFFER_BYTES.min(1 << 40),
            ..Default::default()
        };
        let (limits, traits) = match preset {
            Preset::Discrete => {
                (large, Traits { subgroup_lanes: 32, longs: true, registers: true, ..Traits::default() })
            }
            Preset::WithFxc => (large, Traits { registers: true, ..Traits::default() }),
            Preset::Smallest => (wgpu::Limits::default(), Traits { slow: true, ..Traits::default() }),
            Preset::Shuffled => (large, Traits { software: true, subgroup_lanes: 8, longs: true, ..Traits::default() }),
            Preset::Alone => {
                let limits = wgpu::Limits { max_storage_buffer_binding_size: 128 << 20, ..large };
                (limits, Traits { software: true, ..Traits::default() })
            }
            Preset::OnUnits => {
                (large, Traits { subgroup_lanes: 32, longs: true, registers: true, units, ..Traits::default() })
            }
        };
        Self::with(None, limits, GpuOptions::default(), traits, Arc::default())
    }
}
