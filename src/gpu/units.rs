//! Matrix units: hardware with which a subgroup multiplies small matrices of f16 and adds in f32; and the tiles for it.

use super::encode::form::Constant;
use super::tiles::Sides;

/// An adapter's matrix units: the matrices that they multiply, and the subgroups that do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    /// Rows, columns and steps of a matrix.
    pub side: u32,
    /// Lanes of a subgroup, at most.
    lanes: u32,
    /// Lanes of a subgroup, at least.
    least_lanes: u32,
}

/// A workgroup's tile of a product on matrix units, and a subgroup's share of it, `wm x wn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnitTile {
    pub sides: Sides,
    wm: u32,
    wn: u32,
    pub units: Units,
}

/// The number of matrices along a step of k. The sum of a step's products stays in the units, which may truncate it.
const MATRICES_A_STEP: u32 = 2;
/// The most lanes of a subgroup for each row of a matrix. Known units have no more, and no test runs kernels for others.
const MOST_LANES_A_SIDE: u32 = 4;
/// The bytes of padding behind each line of a factor in workgroup memory, against bank conflicts.
const PADDING: u32 = 16;

/// The least number of steps of k for matrix units. From 79 steps on, their error keeps within the bound of other kernels; below
/// this number, the passes that scale and cut the factors do not pay.
const LONG_ENOUGH: usize = 128;
/// The least number of rows and of columns of a product for matrix units: half a tile.
const WIDE_ENOUGH: usize = 32;
/// The multiply-adds from which on the units are worth the passes that cut the factors. Measured on an H200: square products of 2^30
/// were faster without the units, and those of 2^33 faster with them, in all layouts. (The gradient of a layer of 784 x 512 over
/// 65,536 rows was not faster, while the kernel for the largest numbers of columns still read one word at a time.)
const MANY_MULTIPLY_ADDS: u64 = 1 << 31;

impl Units {
    /// The features that a device needs: the units themselves, halves, and the number of a subgroup.
    pub const FEATURES: wgpu::Features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX
        .union(wgpu::Features::SHADER_F16)
        .union(wgpu::Features::SUBGROUP);

    /// The adapter's units, where they take f16 and give f32, and there is room for the smaller tile.
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

    /// Units for tests: as large GPUs have them, as a software driver does, and with subgroups of either of two sizes.
    #[cfg(test)]
    pub const KNOWN: [Units; 3] = [
        Units { side: 16, lanes: 32, least_lanes: 32 },
        Units { side: 8, lanes: 8, least_lanes: 8 },
        Units { side: 16, lanes: 64, least_lanes: 32 },
    ];

    /// Steps of k that are staged at a time.
    pub fn step(&self) -> u32 {
        MATRICES_A_STEP * self.side
    }

    /// Whether products over k keep the bound of the other kernels, which sums of fewer steps would not.
    pub fn are_exact([_, _, k]: [usize; 3]) -> bool {
        k >= LONG_ENOUGH
    }

    /// Whether matrix units are faster for products `m x n` over k. Software drivers have units only for tests, so there every
    /// product with enough rows and columns uses them.
    pub fn pay([m, n, k]: [usize; 3], software: bool) -> bool {
        let multiply_adds = (m as u64).saturating_mul(n as u64).saturating_mul(k as u64);
        m >= WIDE_ENOUGH && n >= WIDE_ENOUGH && (software || multiply_adds >= MANY_MULTIPLY_ADDS)
    }
}

impl UnitTile {
    /// The sizes that `shaders/products/matmul_units.wgsl` takes, in the order in which [`UnitTile::constants`] gives them.
    pub const SIZES: &[&str; 9] = &["ALIGNED", "BM", "BN", "BK", "WM", "WN", "SIDE", "LANES", "LEAST_LANES"];

    /// The tile for many rows and many columns. Each subgroup has 4 x 2 matrices; more would not fit its registers.
    pub fn large_of(units: Units) -> Self {
        let side = units.side;
        UnitTile { sides: Sides { rows: 8 * side, cols: 8 * side }, wm: 4 * side, wn: 2 * side, units }
    }

    /// The tile for products of medium size. Each subgroup has 2 x 2 matrices.
    pub fn medium_of(units: Units) -> Self {
        let side = units.side;
        UnitTile { sides: Sides { rows: 4 * side, cols: 4 * side }, wm: 2 * side, wn: 2 * side, units }
    }

    /// The smaller tile for these units.
    pub fn medium(self) -> Self {
        Self::medium_of(self.units)
    }

    /// The largest tile that the device has room for.
    pub fn most(units: Units, limits: &wgpu::Limits) -> Self {
        let large = Self::large_of(units);
        if large.fits(limits) { large } else { Self::medium_of(units) }
    }

    fn subgroups(&self) -> u32 {
        (self.sides.rows / self.wm) * (self.sides.cols / self.wn)
    }

    fn threads(&self) -> u32 {
        self.subgroups() * self.units.lanes
    }

    /// The bytes of workgroup memory: two halves for each number of both factors, and a matrix for each subgroup. There may be more
    /// subgroups than shares of the tile.
    pub fn memory(&self) -> u32 {
        let word = size_of::<f32>() as u32;
        let halves = (self.sides.rows + self.sides.cols) * (word * self.units.step() + PADDING);
        let subgroups = self.threads() / self.units.least_lanes;
        halves + word * subgroups * self.units.side * self.units.side
    }

    /// Whether the device has room for the tile.
    fn fits(&self, limits: &wgpu::Limits) -> bool {
        self.memory() <= limits.max_compute_workgroup_storage_size
            && self.threads() <= limits.max_compute_invocations_per_workgroup
            && self.threads() <= limits.max_compute_workgroup_size_x
    }

    /// The tile's numbers as the shader wants them; `aligned` says whether tiles cover the product exactly.
    pub fn constants(&self, aligned: bool) -> [Constant; 9] {
        let (Sides { rows, cols }, Units { side, lanes, least_lanes }) = (self.sides, self.units);
        let numbers = [u32::from(aligned), rows, cols, self.units.step(), self.wm, self.wn, side, lanes, least_lanes];
        let mut values = numbers.into_iter().map(f64::from);
        Self::SIZES.map(|name| (name, values.next().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::{LONG_ENOUGH, MOST_LANES_A_SIDE, UnitTile, Units, WIDE_ENOUGH};

    #[test]
    fn threads_stage_whole_lines_of_a_tile() {
        // matmul_units.wgsl depends on it: from one round to the next, a thread moves on by a whole number of lines.
        for side in [8, 16] {
            for lanes in [8, 16, 32, 64].into_iter().filter(|lanes| *lanes <= MOST_LANES_A_SIDE * side) {
                let units = Units { side, lanes, least_lanes: lanes };
                for tile in [UnitTile::large_of(units), UnitTile::medium_of(units)] {
                    let elements = units.step() / 2;
                    assert!(tile.threads().is_multiple_of(elements), "{tile:?}");
                    for lines in [tile.sides.rows, tile.sides.cols] {
                        assert!((lines * elements).is_multiple_of(tile.threads()), "{tile:?}: {lines} lines");
                        assert!(lines.is_multiple_of(4 * side));
                    }
                }
            }
        }
    }

    #[test]
    fn long_sums_are_exact_and_wide_products_pay() {
        assert!(Units::are_exact([1, 1, LONG_ENOUGH]) && !Units::are_exact([4096, 4096, LONG_ENOUGH - 1]));
        // Both have the multiply-adds that pay on hardware, and one row or column too few.
        for narrow in [[WIDE_ENOUGH - 1, 1 << 14, 1 << 14], [1 << 14, WIDE_ENOUGH - 1, 1 << 14]] {
            assert!(!Units::pay(narrow, false) && !Units::pay(narrow, true), "{narrow:?}");
        }
        let least = [WIDE_ENOUGH, WIDE_ENOUGH, 1 << 21];
        assert!(Units::pay(least, false) && !Units::pay([WIDE_ENOUGH, WIDE_ENOUGH, (1 << 21) - 1], false));
        assert!(Units::pay([WIDE_ENOUGH, WIDE_ENOUGH, 1], true));
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
}
