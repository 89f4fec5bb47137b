//! Matmul tiles: which workgroup owns which part of the product. Chosen by shape alone, so results repeat bit by bit.

use super::kernel::Constant;

/// A workgroup's share of the product (`bm x bn`, in steps of `bk` along k) and a thread's share (`tm x tn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    bm: u32,
    bn: u32,
    bk: u32,
    tm: u32,
    tn: u32,
}

/// Plenty of both rows and columns.
const MEDIUM: Tile = Tile { bm: 64, bn: 64, bk: 8, tm: 4, tn: 4 };
/// Small products, where medium tiles would leave most of the device idle.
const SMALL: Tile = Tile { bm: 32, bn: 32, bk: 8, tm: 4, tn: 4 };
/// Few columns: a classifier's logits.
const NARROW: Tile = Tile { bm: 128, bn: 16, bk: 8, tm: 4, tn: 4 };
/// Few rows.
const FLAT: Tile = Tile { bm: 16, bn: 128, bk: 8, tm: 4, tn: 4 };

/// Workgroups that a product should have before k stays whole.
const ENOUGH_GROUPS: u64 = 64;
/// The shortest slice of k worth a workgroup of its own.
const MIN_SLICE: u64 = 256;

impl Tile {
    /// The tile for an `m x n` product.
    pub fn choose(m: usize, n: usize) -> Self {
        match (m, n) {
            (_, ..=16) => NARROW,
            (..=16, _) => FLAT,
            (..=256, ..=256) => SMALL,
            _ => MEDIUM,
        }
    }

    /// Every tile, for tests that force each in turn.
    #[cfg(test)]
    pub const ALL: [Tile; 4] = [MEDIUM, SMALL, NARROW, FLAT];

    /// Tiles down and across the product.
    pub fn grid(&self, m: usize, n: usize) -> (u64, u64) {
        ((m as u64).div_ceil(u64::from(self.bm)), (n as u64).div_ceil(u64::from(self.bn)))
    }

    /// Length of the slices that k is cut into when the product alone has too few tiles; a multiple of `bk`.
    pub fn slice(&self, m: usize, n: usize, k: usize) -> usize {
        let (down, across) = self.grid(m, n);
        let wanted = (ENOUGH_GROUPS / (down * across)).max(1);
        let slice = (k as u64).div_ceil(wanted).max(MIN_SLICE);
        slice.next_multiple_of(u64::from(self.bk)) as usize
    }

    /// The tile's numbers as the shader wants them.
    pub fn constants(&self) -> [Constant; 5] {
        [
            ("BM", f64::from(self.bm)),
            ("BN", f64::from(self.bn)),
            ("BK", f64::from(self.bk)),
            ("TM", f64::from(self.tm)),
            ("TN", f64::from(self.tn)),
        ]
    }
}
#[cfg(test)]
mod tests {
    use super::Tile;

    #[test]
    fn threads_and_memory_stay_within_what_every_adapter_has() {
        for tile in Tile::ALL {
            let threads = (tile.bm / tile.tm) * (tile.bn / tile.tn);
            assert!(threads <= 256, "{tile:?} has {threads} threads");
            assert!((tile.bm + tile.bn) * tile.bk * 4 <= 16 << 10, "{tile:?}");
            assert!(tile.bm % tile.tm == 0 && tile.bn % tile.tn == 0);
        }
    }

    #[test]
    fn slices_cover_k_and_leave_enough_groups() {
        for (m, n, k) in [(64, 128, 1_000_000), (784, 512, 4096), (1, 1, 1), (10_000, 10_000, 10_000)] {
            let tile = Tile::choose(m, n);
            let slice = tile.slice(m, n, k);
            assert!(slice.is_multiple_of(tile.bk as usize) && slice >= 256);
            assert!(k.div_ceil(slice) <= 64);
        }
    }
}
