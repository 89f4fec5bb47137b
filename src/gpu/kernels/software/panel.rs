//! Products in panels of b, which lanes keep in registers. The lanes take values of a from each other:
//! `shaders/software/panel.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::pack::{PackKernels, pack};
use crate::error::Result;
use crate::gpu::choice::DriverKind;
use crate::gpu::kernels::products::window::{OPERANDS, ProductParams, ProductWindow};
use crate::gpu::tiles::Sides;
use crate::gpu::{Constant, Context, Form, Kernel, Launch, View};

/// The share of a workgroup: its number of rows of c.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panel {
    rows: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct PanelParams {
    product: ProductParams,
    groups: u32,
    b_step: u32,
    b_col: u32,
    rows: u32,
    summed: u32,
}

/// The kernel, under this op's name.
pub(in crate::gpu::kernels) const fn kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "software/panel.wgsl",
        forms: Form::BY_FOUR,
        params: size_of::<PanelParams>(),
        buffers: OPERANDS,
        overrides: &[],
        sizes: &["LANES", "STEPS"],
    }
}

impl Panel {
    /// The steps of k in a panel. With more there would be fewer additions to c, but the code would no longer fit a CPU's caches.
    pub const STEPS: u32 = 64;
    /// Columns of a workgroup.
    const COLUMNS: u32 = 4 * DriverKind::LANES;
    /// Rows of a workgroup, at least and at most: each panel is read once for all of them.
    const ROWS: [u64; 2] = [64, 512];

    /// The share that suits an `m x n` product.
    pub fn suiting(m: usize, n: usize) -> Self {
        let [least, most] = Self::ROWS;
        let (m, across) = (m as u64, (n as u64).div_ceil(Self::COLUMNS.into()));
        let down = DriverKind::ENOUGH_GROUPS.div_ceil(across).min(m.div_ceil(least)).max(m.div_ceil(most));
        Panel { rows: m.div_ceil(down) as u32 }
    }

    /// Rows and columns of a workgroup.
    pub fn sides(&self) -> Sides {
        Sides { rows: self.rows, cols: Self::COLUMNS }
    }

    /// The numbers as the shader wants them.
    fn constants() -> [Constant; 2] {
        [("LANES", f64::from(DriverKind::LANES)), ("STEPS", f64::from(Self::STEPS))]
    }
}

/// Records a window of a product. If a is not stored by rows, it is packed first.
pub(in crate::gpu::kernels) fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    packing: &'static PackKernels,
    panel: Panel,
    window: &ProductWindow<'_>,
) -> Result<()> {
    let [m, n, k] = window.dims();
    let packed = pack(gpu, packing, &window.a.turned(), true)?;
    let a = packed.as_ref().map_or_else(|| window.a.view.clone(), View::from);
    let [b_col, b_step] = window.b.strides();
    let (product, groups) = window.params(panel.sides().grid(m, n));
    let params = PanelParams {
        product,
        groups: k.div_ceil(4) as u32,
        b_step,
        b_col,
        rows: panel.rows,
        summed: u32::from(window.sums_at.is_some()),
    };
    let b = &window.b.view;
    let launch = Launch {
        kernel,
        constants: &Panel::constants(),
        params,
        buffers: &[a, b.clone(), window.extra_or(b), window.c.clone()],
        groups,
    };
    gpu.dispatch(launch, window.form(gpu))
}
