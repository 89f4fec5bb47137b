//! Likeness of devices: tells which devices make the same update from the same gradients.

use super::device::Device;

impl Device {
    /// A text of the properties that the bits of an update depend on: those of the device, its driver and its options. Devices with
    /// equal texts make the same update from the same gradients, unless debug options change that. Products are another matter:
    /// they also depend on [`Device::tune`](crate::Device::tune), and on the CPU path on the processor's caches and vectors.
    pub(crate) fn likeness(&self) -> String {
        let info = self.info();
        let units = if info.matrix_units { ", matrix units" } else { "" };
        format!("{:?} {} {} {}{units}", info.kind, info.name, info.backend, info.driver)
    }
}
