//! Likeness of devices: tells which devices give the same bits.

use super::device::Device;

impl Device {
    /// A text of the properties that results depend on. Devices with equal texts give the same bits, unless debug options change
    /// that.
    pub(crate) fn likeness(&self) -> String {
        let info = self.info();
        let units = if info.matrix_units { ", matrix units" } else { "" };
        format!("{:?} {} {} {}{units}", info.kind, info.name, info.backend, info.driver)
    }
}
