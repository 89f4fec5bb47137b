//! Packing: copies a product's factor into the layout that `direct.wgsl` and `panel.wgsl` read, step by step in groups of four
//! lines.

use bytemuck::{Pod, Zeroable};

use crate::error::Result;
use crate::gpu::choice::DriverKind;
use crate::gpu::kernels::products::window::Factor;
use crate::gpu::tiles::Sides;
use crate::gpu::{Access, Buffer, Constant, Context, Form, Kernel, Launch, View};

/// The kernels that pack factors.
#[derive(Debug)]
pub(crate) struct PackKernels {
    /// The kernel that packs any factor.
    pub any: Kernel,
    /// The kernel for a factor whose lines lie along memory in whole groups of four: for devices with 64-bit words.
    pub blocks: Kernel,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct PackParams {
    count: u32,
    steps: u32,
    length: u32,
    groups: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct BlockParams {
    rows: u32,
    length: u32,
    groups: u32,
    down: u32,
}

impl PackKernels {
    /// The kernels, under this op's name.
    pub(in crate::gpu::kernels) const fn named(name: &'static str) -> Self {
        let any = Kernel {
            name,
            file: "software/pack.wgsl",
            forms: Form::PLAIN,
            params: size_of::<PackParams>(),
            buffers: &[Access::Read, Access::Write],
            overrides: &["TRANSPOSE", "TILE_GROUPS", "TILE_STEPS", "THREADS", "PER_THREAD"],
            sizes: &[],
        };
        let blocks = Kernel {
            name,
            file: "software/pack_blocks.wgsl",
            forms: Form::PLAIN,
            params: size_of::<BlockParams>(),
            buffers: &[Access::Read, Access::Write],
            overrides: &["LANES", "BLOCKS"],
            sizes: &[],
        };
        PackKernels { any, blocks }
    }
}

/// The grid of pack.wgsl: tiles of `GROUPS` groups of four and `STEPS` steps, one group a thread.
struct PackGrid;

impl PackGrid {
    const THREADS: u32 = 256;
    const GROUPS: u32 = 16;
    const STEPS: u32 = 32;

    /// The number of groups in all tiles, also of those behind the ends.
    fn count(steps: usize, groups: usize) -> u64 {
        let whole = |length: usize, tile: u32| (length as u64).next_multiple_of(tile.into());
        whole(steps, Self::STEPS) * whole(groups, Self::GROUPS)
    }

    /// The constants as the shader wants them.
    fn constants(transpose: bool) -> [Constant; 5] {
        [
            ("TRANSPOSE", f64::from(transpose)),
            ("TILE_GROUPS", f64::from(Self::GROUPS)),
            ("TILE_STEPS", f64::from(Self::STEPS)),
            ("THREADS", f64::from(Self::THREADS)),
            ("PER_THREAD", 1.0),
        ]
    }
}

/// The grid of pack_blocks.wgsl: a thread transposes a block of 4 x 4, and a workgroup has `LANES` blocks along groups of lines and
/// `BLOCKS` along steps.
struct BlockGrid;

impl BlockGrid {
    const LANES: u32 = DriverKind::LANES;
    const BLOCKS: u32 = 4;

    /// Workgroups along the groups, and along blocks of four steps.
    fn grid(groups: usize, blocks: usize) -> (u64, u64) {
        Sides { rows: Self::LANES, cols: Self::BLOCKS }.grid(groups, blocks)
    }

    /// The constants as the shader wants them.
    fn constants() -> [Constant; 2] {
        [("LANES", f64::from(Self::LANES)), ("BLOCKS", f64::from(Self::BLOCKS))]
    }
}

/// Whether a factor of so many steps and lines can be packed: a binding has room for `words`, and the kernel counts in u32.
pub(in crate::gpu::kernels) fn packs(words: u64, steps: usize, lines: usize) -> bool {
    let groups = lines.div_ceil(4);
    4 * steps as u64 * groups as u64 <= words && PackGrid::count(steps, groups) <= u32::MAX.into()
}

/// Records a copy of a factor, step by step in groups of four lines, unless the factor already has this layout. `longs` says
/// whether the device has 64-bit words.
pub(super) fn pack(
    gpu: &Context,
    kernels: &'static PackKernels,
    factor: &Factor<'_>,
    longs: bool,
) -> Result<Option<Buffer>> {
    if !factor.along && factor.lines.is_multiple_of(4) {
        return Ok(None);
    }
    let group_count = factor.lines.div_ceil(4);
    let packed = gpu.buffer(kernels.any.name, factor.steps, 4 * group_count)?;
    let (steps, length, groups) = (factor.steps as u32, factor.lines as u32, group_count as u32);
    let buffers = &[factor.view.clone(), View::from(&packed)];
    if longs && factor.along && factor.steps.is_multiple_of(4) {
        let (down, across) = BlockGrid::grid(group_count, factor.steps / 4);
        gpu.launch(Launch {
            kernel: &kernels.blocks,
            constants: &BlockGrid::constants(),
            params: BlockParams { rows: steps, length, groups, down: down as u32 },
            buffers,
            groups: down * across,
        })?;
        return Ok(Some(packed));
    }
    let count = PackGrid::count(factor.steps, group_count);
    gpu.launch(Launch {
        kernel: &kernels.any,
        constants: &PackGrid::constants(factor.along),
        params: PackParams { count: count as u32, steps, length, groups },
        buffers,
        groups: count.div_ceil(PackGrid::THREADS.into()),
    })?;
    Ok(Some(packed))
}

#[cfg(test)]
mod tests {
    use super::packs;

    #[test]
    fn packing_stays_within_bindings_and_u32() {
        assert!(packs(1 << 25, 1, 1 << 25) && !packs(1 << 25, 1, (1 << 25) + 1));
        // A single step is packed as a tile of 32: 2^28 groups would make 2^33.
        assert!(!packs(u64::MAX, 1, 1 << 30) && packs(u64::MAX, 1, 1 << 28));
    }
}
