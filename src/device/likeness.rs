//! Likeness of devices: which of them give the same bits.

use super::device::Device;

impl Device {
    /// The device in words, as far as results depend on it: devices that are alike give the same
    /// bits, as long as no knob of tests says otherwise.
    pub(crate) fn likeness(&self) -> String {
        let info = self.info();
        let units = if info.matrix_units { ", matrix units" } else { "" };
        format!("{:?} {} {} {}{units}", info.kind, info.name, info.backend, info.driver)
    }
}
