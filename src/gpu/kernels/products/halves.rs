//! The factors of products on matrix units: they are scaled, and each number is cut into two f16 halves
//! (`shaders/products/cut.wgsl`).

use bytemuck::{Pod, Zeroable};

use super::largest;
use super::window::Factor;
use crate::error::Result;
use crate::gpu::units::{UnitTile, Units};
use crate::gpu::{Access, Buffer, Constant, Context, Form, Kernel, Launch, View};

/// The kernels that cut factors.
#[derive(Debug)]
pub(crate) struct CutKernels {
    /// The kernel that finds the largest magnitudes of columns.
    pub largest: Kernel,
    /// The kernel that scales and cuts.
    pub cut: Kernel,
}

impl CutKernels {
    /// The kernels, under this op's name.
    pub(super) const fn named(name: &'static str) -> Self {
        let cut = Kernel {
            name,
            file: "products/cut.wgsl",
            forms: Form::PLAIN,
            params: size_of::<CutParams>(),
            buffers: &[Access::Read, Access::Write, Access::Write],
            overrides: &[],
            sizes: &["THREADS", "BK", "LINES", "EACH", "ALONG", "VECTORS"],
        };
        CutKernels { largest: largest::kernel(name), cut }
    }
}

/// Parameters of the kernel that cuts.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct CutParams {
    lines: u32,
    steps: u32,
    padded_lines: u32,
    padded_steps: u32,
}

/// The layout of a factor's halves: as many lines as whole tiles have, and so many steps of k. A line is a row of a or a column of
/// b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gpu) struct Halves {
    lines: usize,
    pub steps: usize,
    units: Units,
}

impl Halves {
    /// Threads that share a line which lies along memory.
    const THREADS: u32 = 64;
    /// The steps of a line that a thread handles at a time.
    const EACH: u32 = 8;

    /// The layouts of both factors of a product over k, in slices of this length.
    pub fn of(tile: UnitTile, [m, n, k]: [usize; 3], slice: usize) -> [Halves; 2] {
        let slice = slice.min(k).next_multiple_of(tile.units.step() as usize);
        let steps = k.div_ceil(slice) * slice;
        let padded = |lines: usize, tile_lines: u32| lines.next_multiple_of(tile_lines as usize);
        [(m, tile.sides.rows), (n, tile.sides.cols)].map(|(lines, tile_lines)| Halves {
            lines: padded(lines, tile_lines),
            steps,
            units: tile.units,
        })
    }

    /// Whether bindings of so many words hold the halves of both factors.
    pub fn fit(tile: UnitTile, dims: [usize; 3], slice: usize, words: u64) -> bool {
        // The two halves of a number are one word.
        let needed = |halves: &Halves| (halves.lines as u64).saturating_mul(halves.steps as u64);
        Halves::of(tile, dims, slice).iter().all(|halves| needed(halves) <= words)
    }

    /// The number of lines that a workgroup transposes together: that of the smallest tile.
    fn together(&self) -> u32 {
        4 * self.units.side
    }

    /// The number of workgroups that cut the factor; `along` says whether lines lie along memory.
    fn groups(&self, along: bool) -> u64 {
        let blocks =
            self.steps as u64 / u64::from(self.units.step()) * (self.lines as u64 / u64::from(self.together()));
        if along { self.lines as u64 } else { blocks }
    }

    /// The numbers as the shader wants them; `vectors` says whether rows of memory are multiples of four words.
    pub fn constants(&self, along: bool, vectors: bool) -> [Constant; 6] {
        let (step, lines) = (self.units.step(), self.together());
        let threads = if along { Self::THREADS } else { lines * step / Self::EACH };
        [
            ("THREADS", threads),
            ("BK", step),
            ("LINES", lines),
            ("EACH", Self::EACH),
            ("ALONG", u32::from(along)),
            ("VECTORS", u32::from(vectors)),
        ]
        .map(|(name, value)| (name, f64::from(value)))
    }
}

/// A factor that has been cut for matrix units.
pub(super) struct CutFactor {
    /// Two halves for each number.
    pub halves: Buffer,
    /// The largest magnitude of each line, which tells its scale.
    pub largest: Buffer,
}

/// Records the cut of both factors. The order of the dispatches is such that the work on one factor does not wait for the other.
pub(super) fn cut(
    gpu: &Context,
    kernels: &'static CutKernels,
    [a, b]: [&Factor<'_>; 2],
    [halves_a, halves_b]: [Halves; 2],
) -> Result<[CutFactor; 2]> {
    let of_blocks = |factor| largest::of_blocks(gpu, &kernels.largest, factor);
    let (blocks_a, blocks_b) = (of_blocks(a)?, of_blocks(b)?);
    let of_all = |factor, blocks| largest::of_all(gpu, &kernels.largest, factor, blocks);
    let (largest_a, largest_b) = (of_all(a, blocks_a)?, of_all(b, blocks_b)?);
    let launch = |factor, halves, largest| launch(gpu, &kernels.cut, factor, halves, largest);
    Ok([launch(a, halves_a, largest_a)?, launch(b, halves_b, largest_b)?])
}

fn launch(
    gpu: &Context,
    kernel: &'static Kernel,
    factor: &Factor<'_>,
    padded: Halves,
    largest: Buffer,
) -> Result<CutFactor> {
    let halves = gpu.buffer(kernel.name, padded.lines, padded.steps)?;
    gpu.launch(Launch {
        kernel,
        constants: &padded.constants(factor.along, factor.has_vectors()),
        params: CutParams {
            lines: factor.lines as u32,
            steps: factor.steps as u32,
            padded_lines: padded.lines as u32,
            padded_steps: padded.steps as u32,
        },
        buffers: &[factor.view.clone(), View::from(&largest), View::from(&halves)],
        groups: padded.groups(factor.along),
    })?;
    Ok(CutFactor { halves, largest })
}

#[cfg(test)]
mod tests {
    use super::Halves;
    use crate::gpu::units::{UnitTile, Units};

    #[test]
    fn halves_have_room_for_whole_tiles_and_slices() {
        for units in Units::KNOWN {
            for tile in [UnitTile::large_of(units), UnitTile::medium_of(units)] {
                let [a, b] = Halves::of(tile, [65, 129, 1000], 512);
                assert!(a.lines >= 65 && b.lines >= 129 && a.steps == 1024 && b.steps == 1024);
                let [whole, _] = Halves::of(tile, [65, 129, 1000], 1000);
                assert_eq!(whole.steps, 1000usize.next_multiple_of(units.step() as usize));
                // cut.wgsl depends on it: a thread handles so many steps of a line at a time.
                assert!(units.step().is_multiple_of(Halves::EACH));
            }
        }
    }
}
