//! Tiles: the blocks of a product that workgroups compute through workgroup memory. The sizes of all tiles are here;
//! `kernels/products/choose.rs` chooses between them.

use super::encode::form::Constant;
use crate::options::MatmulKernel;

/// The rows and columns of a block of a product that one workgroup owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    pub rows: u32,
    pub cols: u32,
}

impl Sides {
    /// Blocks down and across an `m x n` product.
    pub fn grid(&self, m: usize, n: usize) -> (u64, u64) {
        ((m as u64).div_ceil(self.rows.into()), (n as u64).div_ceil(self.cols.into()))
    }

    /// Blocks of an `m x n` product.
    pub fn count(&self, m: usize, n: usize) -> u64 {
        let (down, across) = self.grid(m, n);
        down.saturating_mul(across)
    }

    /// Whether blocks cover an `m x n` product exactly.
    pub fn cover(&self, m: usize, n: usize) -> bool {
        m.is_multiple_of(self.rows as usize) && n.is_multiple_of(self.cols as usize)
    }

    /// Multiply-adds of one block over so many steps of k.
    pub fn multiply_adds(&self, steps: u32) -> u64 {
        u64::from(self.rows) * u64::from(self.cols) * u64::from(steps)
    }

    /// Whether blocks of these sides compute over a sixteenth more than smaller blocks do for an `m x n` product. The part of a
    /// block behind the product's edges is computed in vain.
    pub fn waste(&self, smaller: Sides, m: usize, n: usize) -> bool {
        let computed = |sides: &Sides| sides.count(m, n).saturating_mul(sides.multiply_adds(1));
        computed(self) / 17 > computed(&smaller) / 16
    }
}

/// The tile of a workgroup, computed in steps of `bk` along k, and the share of a thread in it, `tm x tn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub sides: Sides,
    bk: u32,
    tm: u32,
    tn: u32,
}

/// The layout of the operands of a product in tiles, and whether its kernel also computes column sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileOperands {
    pub transpose_a: bool,
    pub transpose_b: bool,
    /// Whether the rows of a in memory are multiples of four words.
    pub vectors_a: bool,
    /// Whether the rows of b in memory are multiples of four words.
    pub vectors_b: bool,
    /// Whether tiles and steps cover the product exactly.
    pub aligned: bool,
    /// Whether b's column sums are wanted as well.
    pub column_sums: bool,
}

impl Tile {
    /// The tile for products with many rows and many columns, on devices with enough workgroup memory and registers.
    pub const LARGE: Tile = Tile::new([256, 128], [16, 8]);
    /// The tile for products of medium size.
    pub const MEDIUM: Tile = Tile::new([64, 64], [8, 8]);
    /// The tile for small products, where medium tiles would leave most of the device idle.
    pub const SMALL: Tile = Tile::new([32, 64], [4, 8]);
    /// The tile for products of few columns, such as a classifier's logits.
    pub const NARROW: Tile = Tile::new([64, 16], [4, 4]);
    /// The tile for products of few rows.
    pub const FLAT: Tile = Tile::new([16, 128], [4, 4]);

    /// Every tile, the large one first.
    pub const ALL: [Tile; 5] = [Tile::LARGE, Tile::MEDIUM, Tile::SMALL, Tile::NARROW, Tile::FLAT];

    /// The sizes that `shaders/products/tile.wgsl` takes, in the order in which [`Tile::constants`] gives them.
    pub const SIZES: &[&str; 12] = &[
        "TRANSPOSE_A",
        "TRANSPOSE_B",
        "VECTORS_A",
        "VECTORS_B",
        "ALIGNED",
        "COLUMN_SUMS",
        "BM",
        "BN",
        "BK",
        "TM",
        "TN",
        "UNROLL",
    ];

    const fn new([rows, cols]: [u32; 2], [tm, tn]: [u32; 2]) -> Self {
        Tile { sides: Sides { rows, cols }, bk: 16, tm, tn }
    }

    /// The tile that a kernel's name stands for.
    pub fn of(kernel: MatmulKernel) -> Self {
        match kernel {
            MatmulKernel::Large => Tile::LARGE,
            MatmulKernel::Small => Tile::SMALL,
            MatmulKernel::Narrow => Tile::NARROW,
            MatmulKernel::Flat => Tile::FLAT,
            _ => Tile::MEDIUM,
        }
    }

    /// Whether the large tile can compute products of `n` columns with so many bytes of workgroup memory. Rows must be multiples of
    /// four, since code that stores its many sums one by one would be long.
    pub fn can_be_large(n: usize, memory: u32) -> bool {
        Tile::LARGE.memory() <= memory && n.is_multiple_of(4)
    }

    /// The most threads and the most bytes of workgroup memory of the tiles that every device must run: all except the large one.
    pub fn most() -> (u32, u32) {
        let most = |of: fn(&Tile) -> u32| Self::ALL[1..].iter().map(of).max().unwrap_or_default();
        (most(Self::threads), most(Self::memory))
    }

    fn threads(&self) -> u32 {
        (self.sides.rows / self.tm) * (self.sides.cols / self.tn)
    }

    /// The most bytes of both factors in workgroup memory. They take most if both are transposed, with two groups of four of padding
    /// every four steps.
    fn memory(&self) -> u32 {
        (self.sides.rows + 2 + self.sides.cols + 2) * self.bk * size_of::<f32>() as u32
    }

    /// Steps of k that are staged at a time.
    pub fn step(&self) -> u32 {
        self.bk
    }

    /// Whether a tile holds all of `n` columns and has a row for each thread, so that each thread can continue with a whole row.
    /// The large tile leaves no workgroup memory for that.
    pub fn row_a_thread(&self, n: usize) -> bool {
        n <= self.sides.cols as usize && self.sides.rows == self.threads() && *self != Tile::LARGE
    }

    /// Whether tiles cover an `m x n` product over k exactly, and all slices of k have this length.
    pub fn covers(&self, [m, n, k]: [usize; 3], slice: usize) -> bool {
        let whole = |length: usize| k.is_multiple_of(length);
        self.sides.cover(m, n) && whole(self.bk as usize) && (slice >= k || whole(slice))
    }

    /// The tile's numbers and its operands' layout as the shader wants them. The loop over a step of k is unrolled for hardware. A
    /// software driver would take long to compile the unrolled loop, and would gain nothing.
    pub fn constants(&self, software: bool, operands: &TileOperands) -> [Constant; 12] {
        let TileOperands { transpose_a, transpose_b, vectors_a, vectors_b, aligned, column_sums } = *operands;
        let flags = [transpose_a, transpose_b, vectors_a, vectors_b, aligned, column_sums].map(u32::from);
        let Sides { rows, cols } = self.sides;
        let numbers = [rows, cols, self.bk, self.tm, self.tn, if software { 1 } else { self.bk }];
        let mut values = flags.into_iter().chain(numbers).map(f64::from);
        Self::SIZES.map(|name| (name, values.next().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::Tile;

    #[test]
    fn threads_stage_whole_rows_of_a_tile() {
        // tile.wgsl depends on it: from one round to the next, a thread moves on by a whole number of rows of memory.
        for tile in Tile::ALL {
            for rows_of_groups in [tile.sides.rows / 4, tile.sides.cols / 4, tile.bk / 4] {
                assert_eq!(tile.threads() % rows_of_groups, 0, "{tile:?}");
            }
        }
    }

    #[test]
    fn tiles_cover_whole_multiples_of_their_sides_and_steps_alone() {
        // In a product that tiles do not cover exactly, a kernel without guards would write behind the last row. Software drivers
        // stop such writes, so no result would be wrong here.
        for tile in Tile::ALL {
            let [rows, cols, step] = [tile.sides.rows, tile.sides.cols, tile.bk].map(|side| side as usize);
            let [m, n, k] = [3 * rows, 2 * cols, 4 * step];
            assert!(tile.covers([m, n, k], k) && tile.covers([m, n, k], 2 * step), "{tile:?}");
            let others = [([m + 4, n, k], k), ([m, n + 4, k], k), ([m, n, k + 4], k + 4), ([m, n, k], step + 4)];
            for (dims, slice) in others {
                assert!(!tile.covers(dims, slice), "{tile:?}: {dims:?} in slices of {slice}");
            }
        }
    }

    #[test]
    fn threads_and_memory_stay_within_what_every_adapter_has() {
        for tile in Tile::ALL {
            assert!(tile.threads() <= 256 && (tile.memory() <= 16 << 10 || tile == Tile::LARGE), "{tile:?}");
            assert!(tile.sides.rows % tile.tm == 0 && tile.sides.cols % tile.tn == 0);
        }
    }
}
