//! The kernels for products, declared once for each op that makes products.

#[cfg(test)]
use super::halves::CutKernels;
use super::sum_slices;
use super::tiled;
use super::units::{self, UnitKernels};
use crate::gpu::Kernel;
use crate::gpu::kernels::software::{PackKernels, direct, panel, plain};

/// The kernels of one op, whose name they share: errors and labels carry it.
#[derive(Debug)]
pub(crate) struct MatmulKernels {
    /// The kernel that goes through workgroup memory.
    pub tiled: Kernel,
    /// The kernels for matrix units.
    pub units: UnitKernels,
    /// The kernel that adds up the slices along k of a product in tiles.
    pub sum_slices: Kernel,
    /// The kernel for small products on software drivers.
    pub plain: Kernel,
    /// The kernel for software drivers whose lanes cannot exchange values.
    pub direct: Kernel,
    /// The kernel for software drivers whose lanes take values from each other.
    pub panel: Kernel,
    /// The kernels that pack factors for the previous two.
    pub pack: PackKernels,
}

pub(super) static MATMUL: MatmulKernels = MatmulKernels::named("matmul");
pub(super) static MATMUL_TN: MatmulKernels = MatmulKernels::named("matmul_tn");
pub(super) static MATMUL_NT: MatmulKernels = MatmulKernels::named("matmul_nt");
pub(super) static LINEAR: MatmulKernels = MatmulKernels::named("linear");
pub(super) static LINEAR_BACKWARD: MatmulKernels = MatmulKernels::named("linear_backward");

impl MatmulKernels {
    const fn named(name: &'static str) -> Self {
        MatmulKernels {
            tiled: tiled::kernel(name),
            units: units::kernels(name),
            sum_slices: sum_slices::kernel(name),
            plain: plain::kernel(name),
            direct: direct::kernel(name),
            panel: panel::kernel(name),
            pack: PackKernels::named(name),
        }
    }

    /// The op's name.
    pub fn name(&self) -> &'static str {
        self.tiled.name
    }
}

/// Every kernel for products.
#[cfg(test)]
pub(crate) fn all() -> Vec<&'static Kernel> {
    let of = |kernels: &'static MatmulKernels| {
        let MatmulKernels { tiled, units, sum_slices, plain, direct, panel, pack } = kernels;
        let UnitKernels { product, factors: CutKernels { largest, cut } } = units;
        [tiled, product, largest, cut, sum_slices, plain, direct, panel, &pack.any, &pack.blocks]
    };
    [&MATMUL, &MATMUL_TN, &MATMUL_NT, &LINEAR, &LINEAR_BACKWARD].into_iter().flat_map(of).collect()
}
