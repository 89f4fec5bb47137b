//! Factors of products as the kernels without workgroup memory read them: in groups of four.

use bytemuck::{Pod, Zeroable};

use super::{family::Family, flag};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, PackBlocks, PackGrid, View};

/// What lays any factor out.
pub(super) const fn pack(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "products/pack.wgsl",
        forms: Form::PLAIN,
        params: size_of::<PackParams>(),
        buffers: &[Access::Read, Access::Write],
        overrides: &["TRANSPOSE", "TILE_GROUPS", "TILE_STEPS", "THREADS", "PER_THREAD"],
        sizes: &[],
    }
}

/// What lays one out that lies across, its rows whole groups of four: for devices with 64-bit words.
pub(super) const fn pack_blocks(name: &'static str) -> Kernel {
    Kernel {
        name,
        file: "products/pack_blocks.wgsl",
        forms: Form::PLAIN,
        params: size_of::<BlockParams>(),
        buffers: &[Access::Read, Access::Write],
        overrides: &["LANES", "BLOCKS"],
        sizes: &[],
    }
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

/// A block of a product's factor: `steps x length` where it lies step by step, else `length x steps`.
pub(super) struct Factor<'a> {
    pub view: View<'a>,
    pub steps: usize,
    pub length: usize,
    pub by_step: bool,
}

impl Factor<'_> {
    /// Groups of four in a step.
    pub fn groups(&self) -> usize {
        self.length.div_ceil(4)
    }

    /// A copy in groups of four, unless it lies so already; `longs`: the device knows 64-bit words.
    pub fn pack(&self, gpu: &Context, family: &'static Family, longs: bool) -> Result<Option<Buffer>> {
        if self.by_step && self.length.is_multiple_of(4) {
            return Ok(None);
        }
        let groups = self.groups();
        let packed = gpu.buffer(family.name(), self.steps, 4 * groups)?;
        let (steps, length) = (self.steps as u32, self.length as u32);
        let buffers = &[self.view.clone(), View::from(&packed)];
        if longs && !self.by_step && self.steps.is_multiple_of(4) {
            let (down, across) = PackBlocks::grid(groups, self.steps / 4);
            gpu.launch(Launch {
                kernel: &family.pack_blocks,
                constants: &PackBlocks::constants(),
                params: BlockParams { rows: steps, length, groups: groups as u32, down: down as u32 },
                buffers,
                groups: down * across,
            })?;
            return Ok(Some(packed));
        }
        let mut constants = vec![("TRANSPOSE", flag(!self.by_step))];
        constants.extend(PackGrid::constants());
        let count = PackGrid::count(self.steps, groups);
        gpu.launch(Launch {
            kernel: &family.pack,
            constants: &constants,
            params: PackParams { count: count as u32, steps, length, groups: groups as u32 },
            buffers,
            groups: PackGrid::groups(count),
        })?;
        Ok(Some(packed))
    }
}
