//! The measurements, and the share of the adapter's rates that each case reached.

use wgpu_mlp::DeviceInfo;
use wgpu_mlp::verify::Worst;

use crate::cases::{Case, Scale, Work};
use crate::ceilings::Ceilings;
use crate::measure::Timing;

/// The data of the report and the picture.
pub(crate) struct Measured {
    pub(crate) info: DeviceInfo,
    pub(crate) scale: Scale,
    pub(crate) ceilings: Ceilings,
    pub(crate) timed: Vec<(Case, Timing)>,
    pub(crate) wrong: Vec<(Case, Worst)>,
}

/// How fast a case ran, and how fast it could have.
pub(crate) struct Rating {
    /// FLOP/s and bytes/s.
    pub(crate) flop_rate: f64,
    pub(crate) byte_rate: f64,
    /// FLOP per byte.
    pub(crate) intensity: f64,
    /// Whether the floor is one of bytes rather than of FLOP.
    pub(crate) by_bytes: bool,
    /// Floor over measured time.
    pub(crate) share: f64,
}

impl Measured {
    /// Floor: the sum over kernels of max(FLOP / multiply-add rate, bytes / copy bandwidth).
    pub(crate) fn rate(&self, case: &Case, timing: &Timing) -> Rating {
        let (peak, bandwidth) = (self.ceilings.multiply_add.rate(), self.ceilings.copy.rate());
        let floor: f64 = case.work.iter().map(|work| (work.flop / peak).max(work.bytes / bandwidth)).sum();
        let total = |part: fn(&Work) -> f64| case.work.iter().map(part).sum::<f64>();
        let (flop, bytes) = (total(|work| work.flop), total(|work| work.bytes));
        Rating {
            flop_rate: flop / timing.call,
            byte_rate: bytes / timing.call,
            intensity: flop / bytes,
            by_bytes: bytes / bandwidth > flop / peak,
            share: floor / timing.call,
        }
    }
}
