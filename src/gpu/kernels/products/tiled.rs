//! Products in tiles through workgroup memory: `shaders/products/matmul.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::window::{OPERANDS, ProductParams, ProductWindow};
use crate::error::Result;
use crate::gpu::tiles::{Tile, TileOperands};
use crate::gpu::{Constant, Context, Form, Kernel, Launch, View};

/// The parameters of kernels that compute tiles; a long product comes in several dispatches.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct TileParams {
    product: ProductParams,
    first_group: u32,
}

/// The kernel, under this op's name.
pub(super) const fn kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "products/matmul.wgsl",
        forms: Form::BY_FOUR,
        params: size_of::<TileParams>(),
        buffers: OPERANDS,
        overrides: &[],
        sizes: Tile::SIZES,
    }
}

/// Records a window of a product.
pub(super) fn launch(gpu: &Context, kernel: &'static Kernel, tile: Tile, window: &ProductWindow<'_>) -> Result<()> {
    let dims @ [m, n, k] = window.dims();
    let operands = TileOperands {
        transpose_a: !window.a.along,
        transpose_b: window.b.along,
        vectors_a: window.a.has_vectors(),
        vectors_b: window.b.has_vectors(),
        aligned: tile.covers(dims, window.slice),
        column_sums: window.sums_at.is_some(),
    };
    let (params, groups) = window.params(tile.sides.grid(m, n));
    let slice = window.slice.min(k) as u32;
    let (a, b) = (&window.a.view, &window.b.view);
    let launch = TileLaunch {
        kernel,
        constants: &tile.constants(gpu.is_software(), &operands),
        params: ProductParams { slice, ..params },
        buffers: &[a.clone(), b.clone(), window.extra_or(b), window.c.clone()],
        groups,
        multiply_adds: tile.sides.multiply_adds(slice),
    };
    launch.record(gpu, window.form(gpu))
}

/// A launch of a kernel that computes tiles.
pub(super) struct TileLaunch<'a> {
    pub kernel: &'static Kernel,
    pub constants: &'a [Constant],
    pub params: ProductParams,
    pub buffers: &'a [View<'a>],
    /// Workgroups for all slices.
    pub groups: u64,
    /// Multiply-adds of one workgroup.
    pub multiply_adds: u64,
}

impl TileLaunch<'_> {
    /// Records the launch as several dispatches, each within the budget. Each workgroup does the work that it would do in a single
    /// dispatch, so the bits are the same.
    pub fn record(self, gpu: &Context, form: Form) -> Result<()> {
        for run in gpu.groups_at_a_time(self.groups, self.multiply_adds) {
            let groups = run.end - run.start;
            let launch = Launch {
                kernel: self.kernel,
                constants: self.constants,
                params: TileParams { product: self.params, first_group: run.start as u32 },
                buffers: self.buffers,
                groups,
            };
            gpu.dispatch_work(launch, form, groups.saturating_mul(self.multiply_adds))?;
        }
        Ok(())
    }
}
