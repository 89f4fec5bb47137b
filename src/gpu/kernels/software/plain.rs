//! Small products on software drivers, with a block of 4 x 4 outputs for each thread: `shaders/software/plain.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::error::Result;
use crate::gpu::kernels::products::window::{OPERANDS, ProductParams, ProductWindow};
use crate::gpu::{Constant, Context, Form, Kernel, Launch};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct PlainParams {
    product: ProductParams,
    a_row: u32,
    a_step: u32,
    b_step: u32,
    b_col: u32,
    summed: u32,
}

/// The kernel, under this op's name.
pub(in crate::gpu::kernels) const fn kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "software/plain.wgsl",
        forms: Form::BY_FOUR,
        params: size_of::<PlainParams>(),
        buffers: OPERANDS,
        overrides: &["THREADS"],
        sizes: &[],
    }
}

/// The grid of kernels whose threads own blocks of 4 x 4 outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainGrid;

impl PlainGrid {
    /// The number of threads of a workgroup. They are few, so that small products have work for every core.
    const THREADS: u32 = 16;

    /// Blocks of so many outputs.
    pub fn blocks(rows: usize, cols: usize) -> u64 {
        rows.div_ceil(4) as u64 * cols.div_ceil(4) as u64
    }

    /// Workgroups for so many blocks.
    pub fn groups(blocks: u64) -> u64 {
        blocks.div_ceil(Self::THREADS.into())
    }

    /// `THREADS` as the shader wants it.
    pub fn constants() -> [Constant; 1] {
        [("THREADS", f64::from(Self::THREADS))]
    }
}

/// Records a window of a product.
pub(in crate::gpu::kernels) fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    window: &ProductWindow<'_>,
) -> Result<()> {
    let [a_row, a_step] = window.a.strides();
    let [b_col, b_step] = window.b.strides();
    let (product, _) = window.params((1, 1));
    let summed = u32::from(window.sums_at.is_some());
    let (a, b) = (&window.a.view, &window.b.view);
    let launch = Launch {
        kernel,
        constants: &PlainGrid::constants(),
        params: PlainParams { product, a_row, a_step, b_step, b_col, summed },
        buffers: &[a.clone(), b.clone(), window.extra_or(b), window.c.clone()],
        groups: PlainGrid::groups(PlainGrid::blocks(window.a.lines, window.b.lines)),
    };
    gpu.dispatch(launch, window.form(gpu))
}
