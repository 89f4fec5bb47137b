//! The kind of driver that a device has: hardware, or software with or without subgroups. The choice of kernels depends on it.

use super::context::{Context, Traits};
use super::encode::form::Form;
use super::rows::RowGrid;

/// The kind of a device's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriverKind {
    /// A driver for hardware.
    Gpu,
    /// A software driver whose lanes cannot exchange values: each lane reads all that it needs.
    Software,
    /// A software driver with subgroups, whose lanes can take values from each other, and with 64-bit words.
    SoftwareSubgroups,
}

impl DriverKind {
    /// The number of lanes that a software driver runs side by side. Smaller subgroups are not used.
    pub const LANES: u32 = 8;
    /// The number of workgroups that a product should have on a software driver: several for each core.
    pub const ENOUGH_GROUPS: u64 = 64;
}

impl Context {
    /// The kind of driver.
    pub fn driver_kind(&self) -> DriverKind {
        let Traits { software, subgroup_lanes, longs, .. } = self.traits;
        match software {
            true if longs && self.uses_subgroups() && subgroup_lanes >= DriverKind::LANES => {
                DriverKind::SoftwareSubgroups
            }
            true => DriverKind::Software,
            false => DriverKind::Gpu,
        }
    }

    /// The number of steps of k whose weights the lanes of a subgroup share on a software driver; 1 if they share none.
    pub fn steps_ahead(&self) -> u32 {
        if self.driver_kind() == DriverKind::SoftwareSubgroups { DriverKind::LANES } else { 1 }
    }

    /// The form of kernels that work on `vec4`s.
    pub fn fours(&self) -> Form {
        Form { longs: self.driver_kind() == DriverKind::SoftwareSubgroups, ..Form::FOURS }
    }

    /// The numbers of lanes that can share a row.
    pub fn row_lanes(&self) -> impl Iterator<Item = u32> {
        RowGrid::lanes_within(&self.limits)
    }
}
