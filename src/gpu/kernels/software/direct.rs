//! Products on software drivers whose lanes cannot exchange values: `shaders/software/direct.wgsl`.

use bytemuck::{Pod, Zeroable};

use super::pack::{PackKernels, pack};
use crate::error::Result;
use crate::gpu::choice::DriverKind;
use crate::gpu::kernels::products::window::{OPERANDS, ProductParams, ProductWindow};
use crate::gpu::tiles::Sides;
use crate::gpu::{Constant, Context, Form, Kernel, Launch, View};

/// The shares of a workgroup, in groups of four rows or columns. All lanes share `lefts` groups of one factor; each lane has
/// `rights` groups of the other factor for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Direct {
    /// Whether b is the factor that all lanes share, as for products with few columns.
    swapped: bool,
    lefts: u32,
    rights: u32,
}

/// The most groups of four that all lanes share.
const MOST_LEFTS: u32 = 4;
/// The most groups of four that each lane has for itself.
const MOST_RIGHTS: u32 = 4;
/// The largest product of both numbers. With more, Mesa no longer keeps the sums in registers, and takes ten times as long.
const MOST_GROUPS: u32 = 16;
/// Lanes of a workgroup.
const LANES: u32 = DriverKind::LANES;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct DirectParams {
    product: ProductParams,
    lefts: u32,
    rights: u32,
    left_groups: u32,
}

/// The kernel, under this op's name.
pub(in crate::gpu::kernels) const fn kernel(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "software/direct.wgsl",
        forms: Form::BY_FOUR,
        params: size_of::<DirectParams>(),
        buffers: OPERANDS,
        overrides: &["LANES", "SWAPPED", "ACCUMULATE"],
        sizes: &["LEFTS", "LEFT_ROWS", "RIGHTS"],
    }
}

impl Direct {
    /// The shares that suit an `m x n` product.
    pub fn suiting(m: usize, n: usize) -> Self {
        let swapped = n <= 16 && m > n;
        let (left, right) = if swapped { (n, m) } else { (m, n) };
        let groups = |length: usize| u32::try_from(length.div_ceil(4)).unwrap_or(u32::MAX);
        let (left, right) = (groups(left), groups(right));
        let lefts = left.min(MOST_LEFTS);
        let rights = (MOST_GROUPS / lefts).min(MOST_RIGHTS).min(right.div_ceil(LANES).next_power_of_two());
        Direct { swapped, lefts, rights }
    }

    /// The factor that all lanes share, and the other, of a pair for a and b.
    fn ordered<T>(&self, a: T, b: T) -> (T, T) {
        if self.swapped { (b, a) } else { (a, b) }
    }

    /// Workgroups along the factor that all lanes share, and along the other.
    pub fn grid(&self, m: usize, n: usize) -> (u64, u64) {
        let (left, right) = self.ordered(m, n);
        Sides { rows: 4 * self.lefts, cols: 4 * self.rights * LANES }.grid(left, right)
    }

    /// The numbers as the shader wants them.
    fn constants(&self, accumulate: bool) -> [Constant; 6] {
        [
            ("LANES", f64::from(LANES)),
            ("SWAPPED", f64::from(self.swapped)),
            ("LEFTS", f64::from(self.lefts)),
            ("LEFT_ROWS", f64::from(4 * self.lefts)),
            ("RIGHTS", f64::from(self.rights)),
            ("ACCUMULATE", f64::from(accumulate)),
        ]
    }
}

/// Records a window of a product. Factors that are not stored step by step are packed first.
pub(in crate::gpu::kernels) fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    packing: &'static PackKernels,
    direct: Direct,
    window: &ProductWindow<'_>,
) -> Result<()> {
    let (left, right) = direct.ordered(&window.a, &window.b);
    let (packed_left, packed_right) = (pack(gpu, packing, left, false)?, pack(gpu, packing, right, false)?);
    let (m, n) = (window.a.lines, window.b.lines);
    let (product, groups) = window.params(direct.grid(m, n));
    let params = DirectParams {
        product,
        lefts: left.lines.div_ceil(4) as u32,
        rights: right.lines.div_ceil(4) as u32,
        left_groups: direct.lefts,
    };
    let left = packed_left.as_ref().map_or_else(|| left.view.clone(), View::from);
    let right = packed_right.as_ref().map_or_else(|| right.view.clone(), View::from);
    let extra = window.finish.extra.clone().unwrap_or_else(|| right.clone());
    let launch = Launch {
        kernel,
        constants: &direct.constants(window.finish.accumulate),
        params,
        buffers: &[left, right, extra, window.c.clone()],
        groups,
    };
    gpu.dispatch(launch, window.form(gpu))
}
