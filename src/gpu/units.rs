//! Matrix units: hardware that multiplies small matrices of f16 and adds in f32, a subgroup at a time.

use super::encode::form::Constant;

/// What an adapter's matrix units multiply, and who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    /// Rows, columns and steps of a matrix.
    side: u32,
    /// Lanes of a subgroup, at most.
    lanes: u32,
    /// And at least.
    least_lanes: u32,
}

/// A workgroup's share of a product on matrix units (`bm x bn`) and a subgroup's (`wm x wn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitTile {
    bm: u32,
    bn: u32,
    wm: u32,
    wn: u32,
    units: Units,
}

/// Matrices along a step of k: what a step's products add up to stays in the units, which may cut it off.
const MATRICES_A_STEP: u32 = 2;
/// Lanes of a subgroup for each row of a matrix, at most: what is known has no more, and no test runs kernels for others.
const MOST_LANES_A_SIDE: u32 = 4;
/// Bytes behind each line of a factor in workgroup memory, against bank conflicts.
const PADDING: u32 = 16;

/// A slice of k that is long beside the larger tile's sides.
const LONG_SLICE: usize = 1024;
/// Steps of k from which on the bound of products on matrix units is below that of others (79 would do), and scaling pays.
const LONG_ENOUGH: usize = 128;
/// Rows and columns that a product should have: half a tile.
const WIDE_ENOUGH: usize = 32;
/// Multiply-adds from which on the units make up for the passes that cut the factors. It lies between what was measured on an H200: squares
/// of 2^30 were faster without them, such of 2^33 faster with them, in all layouts. (Not the gradient of a layer of 784 x 512 over 65,536
/// rows, while the largest numbers of columns were found a word at a time.)
const MANY_MULTIPLY_ADDS: u64 = 1 << 31;

impl Units {
    /// What a device needs beside the units themselves: halves, and the number of a subgroup.
    pub const FEATURES: wgpu::Features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX
        .union(wgpu::Features::SHADER_F16)
        .union(wgpu::Features::SUBGROUP);

    /// The adapter's, where they take f16 and give f32, and there is room for the smaller tile.
    pub fn of(adapter: &wgpu::Adapter, limits: &wgpu::Limits) -> Option<Self> {
        if !adapter.features().contains(Self::FEATURES) {
            return None;
        }
        let info = adapter.get_info();
        let known = adapter.cooperative_matrix_properties();
        let multiplies = |side: &u32| {
            known.iter().any(|properties| {
                [properties.m_size, properties.n_size, properties.k_size] == [*side; 3]
                    && properties.ab_type == wgpu::CooperativeScalarType::F16
                    && properties.cr_type == wgpu::CooperativeScalarType::F32
            })
        };
        let side = [16, 8].into_iter().find(multiplies)?;
        let (least, most) = (info.subgroup_min_size, info.subgroup_max_size);
        let units = Units { side, lanes: most, least_lanes: least };
        (least >= 8 && most <= MOST_LANES_A_SIDE * side && UnitTile::medium_of(units).fits(limits)).then_some(units)
    }

    /// For tests: as large GPUs have them, as a software driver does, and with subgroups of either of two sizes.
    #[cfg(test)]
    pub const KNOWN: [Units; 3] = [
        Units { side: 16, lanes: 32, least_lanes: 32 },
        Units { side: 8, lanes: 8, least_lanes: 8 },
        Units { side: 16, lanes: 64, least_lanes: 32 },
    ];

    /// Steps of k that are staged at a time.
    fn step(&self) -> u32 {
        MATRICES_A_STEP * self.side
    }

    /// Whether products over k stay within the bound of other kernels: sums of fewer steps would not.
    pub fn are_exact([_, _, k]: [usize; 3]) -> bool {
        k >= LONG_ENOUGH
    }

    /// Whether they pay for products `m x n` over k. On software drivers, which have them for tests, everything that has tiles does.
    pub fn pay([m, n, k]: [usize; 3], software: bool) -> bool {
        let multiply_adds = (m as u64).saturating_mul(n as u64).saturating_mul(k as u64);
        m >= WIDE_ENOUGH && n >= WIDE_ENOUGH && (software || multiply_adds >= MANY_MULTIPLY_ADDS)
    }
}

impl UnitTile {
    /// Plenty of both rows and columns: each subgroup has 4 x 2 matrices. More would not fit its registers.
    pub(super) fn large_of(units: Units) -> Self {
        let side = units.side;
        UnitTile { bm: 8 * side, bn: 8 * side, wm: 4 * side, wn: 2 * side, units }
    }

    /// Enough of both: 2 x 2 matrices.
    pub(super) fn medium_of(units: Units) -> Self {
        let side = units.side;
        UnitTile { bm: 4 * side, bn: 4 * side, wm: 2 * side, wn: 2 * side, units }
    }

    /// The smaller one for these units.
    pub fn medium(self) -> Self {
        Self::medium_of(self.units)
    }

    /// The largest that the device has room for.
    pub fn most(units: Units, limits: &wgpu::Limits) -> Self {
        let large = Self::large_of(units);
        if large.fits(limits) { large } else { Self::medium_of(units) }
    }

    /// This one, or the smaller one where a product has too few tiles of it, by the workgroups that keep a device busy: slices of k
    /// that are long beside a tile's sides make more of them.
    pub fn suiting(self, [m, n, k]: [usize; 3], enough: u64) -> Self {
        let (down, across) = self.grid(m, n);
        let groups = (down * across).saturating_mul((k / LONG_SLICE).max(1) as u64);
        let medium = self.medium();
        let computed = |tile: Self| {
            let (down, across) = tile.grid(m, n);
            (down * across).saturating_mul(tile.multiply_adds(1))
        };
        // What lies behind the edges is computed for nothing.
        let wasteful = computed(self) / 17 > computed(medium) / 16;
        if groups >= enough && !wasteful { self } else { medium }
    }

    fn warps(&self) -> u32 {
        (self.bm / self.wm) * (self.bn / self.wn)
    }

    fn threads(&self) -> u32 {
        self.warps() * self.units.lanes
    }

    /// Bytes of workgroup memory: both factors' halves, two for each number, and a matrix of each subgroup, of which there may be more
    /// than have a share.
    pub(super) fn memory(&self) -> u32 {
        let word = size_of::<f32>() as u32;
        let halves = (self.bm + self.bn) * (word * self.step() + PADDING);
        let subgroups = self.threads() / self.units.least_lanes;
        halves + word * subgroups * self.units.side * self.units.side
    }

    /// Whether the device has room for it.
    pub fn fits(&self, limits: &wgpu::Limits) -> bool {
        self.memory() <= limits.max_compute_workgroup_storage_size
            && self.threads() <= limits.max_compute_invocations_per_workgroup
            && self.threads() <= limits.max_compute_workgroup_size_x
    }

    /// Workgroups down and across the product.
    pub fn grid(&self, m: usize, n: usize) -> (u64, u64) {
        ((m as u64).div_ceil(self.bm.into()), (n as u64).div_ceil(self.bn.into()))
    }

    /// Steps of k that are staged at a time.
    pub fn step(&self) -> u32 {
        self.units.step()
    }

    /// What becomes of both factors of a product over k, in slices of this length.
    pub fn halves(&self, [m, n, k]: [usize; 3], slice: usize) -> [Halves; 2] {
        let slice = slice.min(k).next_multiple_of(self.step() as usize);
        let steps = k.div_ceil(slice) * slice;
        let of =
            |lines: usize, tile: u32| Halves { lines: lines.next_multiple_of(tile as usize), steps, units: self.units };
        [of(m, self.bm), of(n, self.bn)]
    }

    /// What a workgroup does over so many steps of k.
    pub fn multiply_adds(&self, steps: u32) -> u64 {
        u64::from(self.bm) * u64::from(self.bn) * u64::from(steps)
    }

    /// Whether bindings of so many words hold the halves of both factors.
    pub fn fits_bindings(&self, dims: [usize; 3], slice: usize, words: u64) -> bool {
        self.halves(dims, slice).iter().all(|halves| halves.words() <= words)
    }

    /// Whether the tiles cover the product exactly.
    pub fn covers(&self, m: usize, n: usize) -> bool {
        m.is_multiple_of(self.bm as usize) && n.is_multiple_of(self.bn as usize)
    }

    /// The tile's numbers as the shader wants them.
    pub fn constants(&self) -> [Constant; 8] {
        let Units { side, lanes, least_lanes } = self.units;
        [
            ("BM", self.bm),
            ("BN", self.bn),
            ("BK", self.step()),
            ("WM", self.wm),
            ("WN", self.wn),
            ("SIDE", side),
            ("LANES", lanes),
            ("LEAST_LANES", least_lanes),
        ]
        .map(|(name, value)| (name, f64::from(value)))
    }
}

/// A factor's lines, rows of a or columns of b, cut in halves: as many as whole tiles have, and so many steps of k.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Halves {
    pub lines: usize,
    pub steps: usize,
    units: Units,
}

impl Halves {
    /// Threads that share a line which lies along memory.
    const THREADS: u32 = 64;
    /// Steps of a line that a thread has at a time.
    const EACH: u32 = 8;

    /// Lines that are turned together: those of the smallest tile.
    fn together(&self) -> u32 {
        4 * self.units.side
    }

    /// Workgroups that cut them; `along` says whether lines lie along memory.
    pub fn groups(&self, along: bool) -> u64 {
        let blocks =
            self.steps as u64 / u64::from(self.units.step()) * (self.lines as u64 / u64::from(self.together()));
        if along { self.lines as u64 } else { blocks }
    }

    /// Words of memory: two halves for each number.
    fn words(&self) -> u64 {
        (self.lines as u64).saturating_mul(self.steps as u64)
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

/// How the largest numbers of columns are looked for.
pub(crate) struct LargestGrid;

impl LargestGrid {
    const THREADS: u32 = 64;
    /// Rows that a thread reads at a time.
    const ROWS: u32 = 16;
    /// Rows of a block, at least.
    const RUN: usize = 64;
    /// Workgroups that keep a large device's memory busy. More would make more blocks, whose largest few threads look for.
    const ENOUGH: usize = 256;

    /// The numbers as the shader wants them; `vectors` says whether cells are fours of columns.
    pub fn constants(vectors: bool) -> [Constant; 3] {
        [("THREADS", Self::THREADS), ("ROWS", Self::ROWS), ("VECTORS", u32::from(vectors))]
            .map(|(name, value)| (name, f64::from(value)))
    }

    /// Workgroups across so many cells.
    pub fn across(cells: usize) -> usize {
        cells.div_ceil(Self::THREADS as usize)
    }

    /// Rows of the blocks whose columns are looked at.
    pub fn run(rows: usize, cells: usize) -> usize {
        rows.div_ceil((Self::ENOUGH / Self::across(cells)).max(1)).max(Self::RUN)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tiles::{Lanes, Method, ProductSplit, Room};
    use super::{LargestGrid, MOST_LANES_A_SIDE, UnitTile, Units};
    use crate::options::MatmulKernel;

    #[test]
    fn threads_stage_whole_lines_of_a_tile() {
        // matmul_units.wgsl counts on it: what a thread stages next lies so many lines further on; and cut.wgsl, whose threads have eight
        // steps each.
        for side in [8, 16] {
            for lanes in [8, 16, 32, 64].into_iter().filter(|lanes| *lanes <= MOST_LANES_A_SIDE * side) {
                let units = Units { side, lanes, least_lanes: lanes };
                for tile in [UnitTile::large_of(units), UnitTile::medium_of(units)] {
                    let elements = tile.step() / 2;
                    assert!(tile.threads().is_multiple_of(elements), "{tile:?}");
                    for lines in [tile.bm, tile.bn] {
                        assert!((lines * elements).is_multiple_of(tile.threads()), "{tile:?}: {lines} lines");
                        assert!(lines.is_multiple_of(4 * side));
                    }
                    let [a, b] = tile.halves([65, 129, 1000], 512);
                    assert!(a.lines >= 65 && b.lines >= 129 && a.steps == 1024 && b.steps == 1024);
                    assert_eq!(
                        tile.halves([65, 129, 1000], 1000)[0].steps,
                        1000usize.next_multiple_of(2 * side as usize)
                    );
                }
            }
        }
    }

    #[test]
    fn every_window_of_a_product_fits_bindings() {
        // A product whose last window is narrow has more slices there, and so more steps behind the end of k.
        let room =
            |units, words| Room { words, memory: 48 << 10, registers: true, units: Some(UnitTile::large_of(units)) };
        let mut looked_at = 0;
        for (units, words, dims) in [
            (Units::KNOWN[0], 1 << 25, [4352, 7936, 4200]),
            (Units::KNOWN[1], 20 << 10, [151, 106, 153]),
            (Units::KNOWN[1], 20 << 10, [130, 100, 700]),
        ] {
            let room = room(units, words);
            let split = ProductSplit::new(words, dims, false, false);
            for wanted in [None, Some(MatmulKernel::LargeUnits), Some(MatmulKernel::MediumUnits)] {
                let method = Method::choose(wanted, Lanes::Hardware, room, [split.m, split.n, split.k]);
                let Method::Units(tile) = method else { continue };
                looked_at += 1;
                let last = |length: usize, piece: usize| length - (length - 1) / piece * piece;
                for m in [split.m, last(dims[0], split.m)] {
                    for n in [split.n, last(dims[1], split.n)] {
                        for k in [split.k, last(dims[2], split.k)] {
                            let slice = method.slice([m, n, k], words);
                            assert!(tile.fits_bindings([m, n, k], slice, words), "{dims:?}: {m} x {k} x {n}");
                        }
                    }
                }
            }
        }
        assert!(looked_at >= 6, "{looked_at} choices of matrix units");
    }

    #[test]
    fn tiles_fit_the_memory_that_gpus_with_matrix_units_have() {
        let [gpu, software, either] = Units::KNOWN;
        // Subgroups of 32 lanes are twice as many as those of 64, and each has a matrix.
        assert_eq!(UnitTile::large_of(either).memory(), UnitTile::large_of(gpu).memory() + 8 * 4 * 16 * 16);
        assert!(UnitTile::large_of(either).memory() <= 64 << 10);
        assert_eq!(UnitTile::large_of(gpu).memory(), 44 << 10);
        assert!(UnitTile::medium_of(gpu).memory() <= 32 << 10);
        assert!(UnitTile::large_of(software).memory() <= 16 << 10 && UnitTile::medium_of(software).memory() <= 8 << 10);
    }

    #[test]
    fn the_larger_tile_is_for_many_tiles_without_much_behind_their_edges() {
        let large = UnitTile::large_of(Units::KNOWN[0]);
        for (dims, enough, chosen) in [
            ([1024, 1024, 512], 64, large),
            ([1024, 1024, 512], 65, large.medium()),
            // Slices of k make two workgroups of each tile.
            ([1024, 1024, 2048], 65, large),
            ([1024, 1024, 2047], 65, large.medium()),
            // A ninth row and column of large tiles, of which next to nothing is used.
            ([1025, 1025, 512], 1, large.medium()),
            ([1088, 1024, 512], 1, large),
        ] {
            assert_eq!(large.suiting(dims, enough), chosen, "{dims:?}, {enough} workgroups");
        }
    }

    #[test]
    fn units_are_for_products_in_which_they_are_exact_and_pay() {
        let large = UnitTile::large_of(Units::KNOWN[0]);
        let room = Room { words: 1 << 30, memory: 48 << 10, registers: true, units: Some(large) };
        let on_units = |wanted, lanes, dims| matches!(Method::choose(wanted, lanes, room, dims), Method::Units(_));
        for (dims, hardware, software) in [
            ([1024, 1024, 2048], true, true),
            ([1024, 1024, 2047], false, true),
            ([32, 32, 1 << 21], true, true),
            ([31, 8192, 1 << 14], false, false),
            ([8192, 31, 1 << 14], false, false),
            ([1 << 14, 1 << 14, 127], false, false),
        ] {
            assert_eq!(on_units(None, Lanes::Hardware, dims), hardware, "{dims:?}");
            assert_eq!(on_units(None, Lanes::Alone, dims), software, "{dims:?}");
        }
        for wanted in [MatmulKernel::LargeUnits, MatmulKernel::MediumUnits] {
            assert!(
                on_units(Some(wanted), Lanes::Hardware, [1, 1, 128])
                    && !on_units(Some(wanted), Lanes::Hardware, [99, 99, 127])
            );
        }
    }

    #[test]
    fn a_tile_whose_halves_fit_no_binding_gives_way() {
        let large = UnitTile::large_of(Units::KNOWN[0]);
        let room = |words| Room { words, memory: 48 << 10, registers: true, units: Some(large) };
        // 128 lines of 1,024 steps, or 64.
        let chosen =
            |words| Method::choose(Some(MatmulKernel::LargeUnits), Lanes::Hardware, room(words), [32, 32, 1024]);
        assert_eq!(chosen(128 << 10), Method::Units(large));
        assert_eq!(chosen((128 << 10) - 1), Method::Units(large.medium()));
        assert_eq!(chosen(64 << 10), Method::Units(large.medium()));
        assert!(!matches!(chosen((64 << 10) - 1), Method::Units(_)));
    }

    #[test]
    fn blocks_of_rows_keep_a_device_busy_and_are_not_short() {
        assert_eq!(LargestGrid::run(65_536, 128), 512);
        assert_eq!(LargestGrid::run(10, 128), 64);
        assert!(LargestGrid::run(usize::MAX / 2, 1 << 20) >= usize::MAX / 2);
    }
}
