//! The kind of driver that a device has, by which kernels are chosen.

use super::context::{Context, Traits};
use super::encode::form::Form;
use super::rows::RowGrid;

/// The kind of a device's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DriverKind {
    /// A driver for hardware.
    Gpu,
    /// A software driver, whose lanes each read for themselves.
    Software,
    /// A software driver whose lanes read for each other in subgroups, and know 64-bit words.
    SoftwareSubgroups,
}

impl DriverKind {
    /// Lanes that a software driver runs side by side, and the fewest that its subgroups must have to be of use.
    pub const LANES: u32 = 8;
    /// Workgroups that a product should have on a software driver: some for each core.
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

    /// Steps of k whose weights the lanes of a software driver read for each other.
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
