//! The kernels for products: one family an op, which shares its name, and what each kernel is told.

use bytemuck::{Pod, Zeroable};

use super::{ELEMENTWISE, factor};
use crate::gpu::{Access, Form, Kernel};

/// The kernels of one op, which share its name: errors and labels carry it.
#[derive(Debug)]
pub(super) struct Family {
    /// Through workgroup memory.
    pub tiled: Kernel,
    /// On matrix units.
    pub units: Kernel,
    /// What finds the largest numbers of their factors' columns.
    pub largest: Kernel,
    /// What cuts their factors in halves.
    pub cut: Kernel,
    /// What adds up the slices that such a product is cut into along k.
    pub sum_slices: Kernel,
    /// A few outputs a thread.
    pub plain: Kernel,
    /// Without it, each lane by itself.
    pub direct: Kernel,
    /// Without it, in panels of b.
    pub panel: Kernel,
    /// What lays factors out for these.
    pub pack: Kernel,
    /// The same where it can turn blocks of four by four.
    pub pack_blocks: Kernel,
}

/// What `shaders/products/tile.wgsl` is told.
pub(crate) const TILE_SIZES: &[&str] = &[
    "BM",
    "BN",
    "BK",
    "TM",
    "TN",
    "UNROLL",
    "TRANSPOSE_A",
    "TRANSPOSE_B",
    "VECTORS_A",
    "VECTORS_B",
    "ALIGNED",
    "COLUMN_SUMS",
];

/// What `shaders/products/matmul_units.wgsl` is told.
const UNIT_SIZES: &[&str] = &["BM", "BN", "BK", "WM", "WN", "SIDE", "LANES", "LEAST_LANES", "ALIGNED"];

const OPERANDS: &[Access] = &[Access::Read, Access::Read, Access::Read, Access::Write];

pub(super) const fn family(name: &'static str) -> Family {
    let buffers = OPERANDS;
    Family {
        tiled: Kernel {
            name,
            file: "products/matmul.wgsl",
            forms: Form::BY_FOUR,
            params: size_of::<Params>(),
            buffers,
            overrides: &[],
            sizes: TILE_SIZES,
        },
        units: Kernel {
            name,
            file: "products/matmul_units.wgsl",
            forms: Form::FOURS,
            params: size_of::<Params>(),
            buffers: &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Read, Access::Write],
            overrides: &[],
            sizes: UNIT_SIZES,
        },
        largest: Kernel {
            name,
            file: "products/largest.wgsl",
            forms: Form::PLAIN,
            params: size_of::<LargestParams>(),
            buffers: &[Access::Read, Access::Write],
            overrides: &[],
            sizes: &["THREADS", "ROWS", "VECTORS"],
        },
        cut: Kernel {
            name,
            file: "products/cut.wgsl",
            forms: Form::PLAIN,
            params: size_of::<CutParams>(),
            buffers: &[Access::Read, Access::Write, Access::Write],
            overrides: &[],
            sizes: &["THREADS", "BK", "LINES", "EACH", "ALONG", "VECTORS"],
        },
        sum_slices: Kernel {
            name,
            file: "products/sum_slices.wgsl",
            forms: Form::BY_FOUR,
            params: size_of::<SumParams>(),
            buffers: &[Access::Read, Access::Read, Access::Write],
            overrides: ELEMENTWISE,
            sizes: &[],
        },
        plain: Kernel {
            name,
            file: "products/matmul_plain.wgsl",
            forms: Form::BY_FOUR,
            params: size_of::<PlainParams>(),
            buffers,
            overrides: &["THREADS"],
            sizes: &[],
        },
        direct: Kernel {
            name,
            file: "products/matmul_direct.wgsl",
            forms: Form::BY_FOUR,
            params: size_of::<DirectParams>(),
            buffers,
            overrides: &["LANES", "SWAPPED", "ACCUMULATE"],
            sizes: &["LEFTS", "LEFT_ROWS", "RIGHTS"],
        },
        panel: Kernel {
            name,
            file: "products/matmul_panel.wgsl",
            forms: Form::BY_FOUR,
            params: size_of::<PanelParams>(),
            buffers,
            overrides: &[],
            sizes: &["LANES", "STEPS"],
        },
        pack: factor::pack(name),
        pack_blocks: factor::pack_blocks(name),
    }
}

impl Family {
    pub fn name(&self) -> &'static str {
        self.tiled.name
    }

    /// All of them.
    #[cfg(test)]
    pub fn kernels(&'static self) -> [&'static Kernel; 10] {
        [
            &self.tiled,
            &self.units,
            &self.largest,
            &self.cut,
            &self.sum_slices,
            &self.plain,
            &self.direct,
            &self.panel,
            &self.pack,
            &self.pack_blocks,
        ]
    }
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub slice: u32,
    pub down: u32,
    pub across: u32,
    pub slices: u32,
    pub stride: u32,
    pub sums_at: u32,
    pub biased: u32,
    pub relu: u32,
    pub masked: u32,
    pub accumulate: u32,
    pub first_group: u32,
}

/// For the largest numbers of columns.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct LargestParams {
    pub rows: u32,
    pub cols: u32,
    pub run: u32,
    pub across: u32,
}

/// For the halves of a factor's numbers.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct CutParams {
    pub lines: u32,
    pub steps: u32,
    pub padded_lines: u32,
    pub padded_steps: u32,
}

/// For slices that are added up, counted in values.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct SumParams {
    pub count: u32,
    pub n: u32,
    pub slices: u32,
    pub stride: u32,
    pub biased: u32,
    pub relu: u32,
    pub masked: u32,
    pub accumulate: u32,
}

/// For a few outputs a thread.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct PlainParams {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub a_row: u32,
    pub a_step: u32,
    pub b_step: u32,
    pub b_col: u32,
    pub sums_at: u32,
    pub summed: u32,
    pub biased: u32,
    pub relu: u32,
    pub masked: u32,
    pub accumulate: u32,
}

/// For panels of b.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct PanelParams {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub groups: u32,
    pub b_step: u32,
    pub b_col: u32,
    pub rows: u32,
    pub slice: u32,
    pub down: u32,
    pub across: u32,
    pub slices: u32,
    pub stride: u32,
    pub sums_at: u32,
    pub summed: u32,
    pub biased: u32,
    pub relu: u32,
    pub masked: u32,
    pub accumulate: u32,
}

/// For lanes that each go by themselves.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct DirectParams {
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub lefts: u32,
    pub rights: u32,
    pub slice: u32,
    pub down: u32,
    pub across: u32,
    pub slices: u32,
    pub stride: u32,
    pub biased: u32,
    pub relu: u32,
    pub masked: u32,
    pub accumulate: u32,
    pub left_groups: u32,
}
