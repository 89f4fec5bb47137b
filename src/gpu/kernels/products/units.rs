//! Products on matrix units: `shaders/products/matmul_units.wgsl`, on factors that `cut.wgsl` has cut into halves.

use super::halves::{self, CutKernels, Halves};
use super::tiled::{TileLaunch, TileParams};
use super::window::{ProductParams, ProductWindow};
use crate::error::Result;
use crate::gpu::units::UnitTile;
use crate::gpu::{Access, Context, Form, Kernel, View};

/// The kernels of products on matrix units.
#[derive(Debug)]
pub(crate) struct UnitKernels {
    /// The kernel for the product itself.
    pub product: Kernel,
    /// The kernels that cut its factors in halves.
    pub factors: CutKernels,
}

/// The kernels, under this op's name.
pub(super) const fn kernels(name: &'static str) -> UnitKernels {
    let product = Kernel {
        name,
        file: "products/matmul_units.wgsl",
        forms: Form::FOURS,
        params: size_of::<TileParams>(),
        buffers: &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Read, Access::Write],
        overrides: &[],
        sizes: UnitTile::SIZES,
    };
    UnitKernels { product, factors: CutKernels::named(name) }
}

/// Records a window of a product.
pub(super) fn launch(
    gpu: &Context,
    kernels: &'static UnitKernels,
    tile: UnitTile,
    window: &ProductWindow<'_>,
) -> Result<()> {
    let dims @ [m, n, _] = window.dims();
    let padded @ [Halves { steps, .. }, _] = Halves::of(tile, dims, window.slice);
    let [a, b] = halves::cut(gpu, &kernels.factors, [&window.a, &window.b], padded)?;
    let (params, groups) = window.params(tile.sides.grid(m, n));
    let (k, slice) = (steps as u32, (steps / window.slices()) as u32);
    let [halves_a, halves_b] = [&a, &b].map(|factor| View::from(&factor.halves));
    let [largest_a, largest_b] = [&a, &b].map(|factor| View::from(&factor.largest));
    let extra = window.finish.extra.clone().unwrap_or_else(|| halves_b.clone());
    let launch = TileLaunch {
        kernel: &kernels.product,
        constants: &tile.constants(tile.sides.cover(m, n)),
        params: ProductParams { k, slice, ..params },
        buffers: &[halves_a, halves_b, largest_a, largest_b, extra, window.c.clone()],
        groups,
        multiply_adds: tile.sides.multiply_adds(slice),
    };
    launch.record(gpu, window.form(gpu))
}
