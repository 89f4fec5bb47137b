//! The choice of kernels for a device: how its lanes work together, and which kernel suits a product.

use super::context::{Context, Traits};
use super::encode::form::Form;
use super::rows::RowGrid;
use super::tiles::{Lanes, Method, Panel, Room};
use super::units::UnitTile;

impl Context {
    /// How the driver's lanes work together in products.
    fn lanes(&self) -> Lanes {
        let Traits { software, subgroup_lanes, longs, .. } = self.traits;
        match software {
            true if longs && self.uses_subgroups() && subgroup_lanes >= Panel::LANES => Lanes::Shuffled,
            true => Lanes::Alone,
            false => Lanes::Hardware,
        }
    }

    /// Steps of k whose weights the lanes of a software driver read for each other.
    pub fn steps_ahead(&self) -> u32 {
        if self.lanes() == Lanes::Shuffled { Panel::LANES } else { 1 }
    }

    /// The form of kernels that work on `vec4`s.
    pub fn fours(&self) -> Form {
        Form { longs: self.lanes() == Lanes::Shuffled, ..Form::FOURS }
    }

    /// The numbers of lanes that can share a row.
    pub fn row_lanes(&self) -> impl Iterator<Item = u32> {
        RowGrid::lanes_within(&self.limits)
    }

    /// The kernel for windows of `m x n` over k.
    pub fn method(&self, dims: [usize; 3]) -> Method {
        let wanted = self.options.matmul_kernel.or_else(|| self.tuned().kernel(dims));
        let room = Room {
            words: self.binding_words(),
            memory: self.limits.max_compute_workgroup_storage_size,
            registers: self.traits.registers,
            units: self.traits.units.map(|units| UnitTile::most(units, &self.limits)),
        };
        Method::choose(wanted, self.lanes(), room, dims)
    }
}
