//! The choice of a product's kernel and tile: by an option for tests, else by tuning, else by shape, driver and the device's limits.
//!
//! | kernel | where |
//! |---|---|
//! | `Tiled` | GPUs |
//! | `Units` | GPUs whose matrix units are in use, large products |
//! | `Plain` | software drivers, small products |
//! | `Panel` | software drivers with subgroups and 64-bit words |
//! | `Direct` | other software drivers |

use super::halves::Halves;
use crate::gpu::Context;
use crate::gpu::choice::DriverKind;
use crate::gpu::kernels::software::{Direct, Panel, packs};
use crate::gpu::tiles::Tile;
use crate::gpu::units::{UnitTile, Units};
use crate::options::MatmulKernel;

/// The kernel that was chosen for a product, with its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChosenKernel {
    Tiled(Tile),
    Units(UnitTile),
    Direct(Direct),
    Panel(Panel),
    Plain,
}

/// The most multiply-adds for which a software driver uses the plain kernel. Packing the factors would cost more than that.
const FEW_MULTIPLY_ADDS: u64 = 1 << 18;
/// The least number of workgroups with which the large tile, and then the medium tile, is worth it.
const MANY_TILES: u64 = 256;
/// Lengths of a slice of k that is long compared with the sides of large tiles, and with those of medium tiles.
const LONG_BESIDE_LARGE: usize = 1024;
const LONG_BESIDE_MEDIUM: usize = 256;

/// The number of workgroups below which a product in tiles is cut into slices of k. These are a few for each processor of a large
/// GPU; WebGPU does not tell how many processors there are.
const ENOUGH_TILES: u64 = 512;
/// The number of workgroups that such a product should have if slices stay longer than `LONG_SLICE`, so that adding them up costs
/// almost nothing. Workgroups of few threads are faster the more of them there are.
const PLENTY_OF_TILES: u64 = 2048;
const LONG_SLICE: u64 = 4096;
/// The shortest slice of k that is worth a workgroup, for tiles and on a software driver.
const MIN_SLICE: [u64; 2] = [128, 256];

/// The limits of a device that the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    /// Words of a binding.
    words: u64,
    /// Bytes of workgroup memory.
    memory: u32,
    /// Whether threads have registers for twice as many sums as the smallest GPUs have.
    registers: bool,
    /// The largest tile for matrix units, where these are in use.
    units: Option<UnitTile>,
}

impl ChosenKernel {
    /// The kernel for windows of `m x n` over k on this device: as its options say, else as tuning found, else by shape.
    pub fn of(gpu: &Context, dims: [usize; 3]) -> Self {
        let wanted = gpu.options().debug.matmul_kernel.or_else(|| gpu.tuned().kernel(dims));
        let room = Room {
            words: gpu.binding_words(),
            memory: gpu.limits.max_compute_workgroup_storage_size,
            registers: gpu.traits.registers,
            units: gpu.traits.units.map(|units| UnitTile::most(units, &gpu.limits)),
        };
        ChosenKernel::choose(wanted, gpu.driver_kind(), room, dims)
    }

    /// The kernel for windows of `m x n` over k: the wanted one where the device can run it, else by shape.
    fn choose(wanted: Option<MatmulKernel>, driver: DriverKind, room: Room, [m, n, k]: [usize; 3]) -> Self {
        let words = room.words;
        if let Some(tile) = Self::by_units(wanted, driver, room, [m, n, k]) {
            return ChosenKernel::Units(tile);
        }
        let multiply_adds = (m as u64).saturating_mul(n as u64).saturating_mul(k as u64);
        let by_shape = match driver {
            DriverKind::Gpu => tile_by_shape([m, n, k], room),
            _ if multiply_adds <= FEW_MULTIPLY_ADDS => MatmulKernel::Plain,
            DriverKind::SoftwareSubgroups => MatmulKernel::Panel,
            DriverKind::Software => MatmulKernel::Direct,
        };
        let tile = |kernel| ChosenKernel::Tiled(Tile::of(kernel));
        match wanted.unwrap_or(by_shape) {
            // The plain kernel counts in u32 along all of its operands.
            MatmulKernel::Plain if multiply_adds <= u32::MAX.into() => ChosenKernel::Plain,
            MatmulKernel::Panel if driver == DriverKind::SoftwareSubgroups && packs(words, m, k) => {
                ChosenKernel::Panel(Panel::suiting(m, n))
            }
            MatmulKernel::Direct | MatmulKernel::Panel if packs(words, k, m) && packs(words, k, n) => {
                ChosenKernel::Direct(Direct::suiting(m, n))
            }
            MatmulKernel::Plain | MatmulKernel::Direct | MatmulKernel::Panel => tile(tile_by_shape([m, n, k], room)),
            MatmulKernel::Large if !Tile::can_be_large(n, room.memory) => tile(MatmulKernel::Medium),
            // Matrix units cannot be used here, so the choice is made without them.
            MatmulKernel::LargeUnits | MatmulKernel::MediumUnits => {
                Self::choose(None, driver, Room { units: None, ..room }, [m, n, k])
            }
            kernel => tile(kernel),
        }
    }

    /// The tile for matrix units. They must be in use and keep the bound, and be wanted, or be faster with no kernel wanted.
    fn by_units(
        wanted: Option<MatmulKernel>,
        driver: DriverKind,
        room: Room,
        dims @ [m, n, k]: [usize; 3],
    ) -> Option<UnitTile> {
        let large = room.units?;
        let medium = large.medium();
        let suits = || {
            let groups = large.sides.count(m, n).saturating_mul((k / LONG_BESIDE_LARGE).max(1) as u64);
            groups >= MANY_TILES && !large.sides.waste(medium.sides, m, n)
        };
        let tile = match wanted {
            _ if !Units::are_exact(dims) => None,
            None if Units::pay(dims, driver != DriverKind::Gpu) => Some(if suits() { large } else { medium }),
            Some(MatmulKernel::LargeUnits) => Some(large),
            Some(MatmulKernel::MediumUnits) => Some(medium),
            _ => None,
        }?;
        // A binding must hold the factors' halves, which are padded. One slice and the smaller tile need the least padding.
        [tile, tile.medium()].into_iter().find(|tile| Halves::fit(*tile, dims, k, room.words))
    }

    /// Workgroups down and across the product.
    fn grid(&self, m: usize, n: usize) -> (u64, u64) {
        match self {
            ChosenKernel::Plain => (1, 1),
            ChosenKernel::Units(tile) => tile.sides.grid(m, n),
            ChosenKernel::Tiled(tile) => tile.sides.grid(m, n),
            ChosenKernel::Direct(direct) => direct.grid(m, n),
            ChosenKernel::Panel(panel) => panel.sides().grid(m, n),
        }
    }

    /// The length of the slices of k, a multiple of a step. k is cut if the product has too few workgroups. A binding has `words`,
    /// and holds the products of all slices.
    pub fn slice(&self, [m, n, k]: [usize; 3], words: u64) -> usize {
        if let ChosenKernel::Plain = self {
            return k;
        }
        let (down, across) = self.grid(m, n);
        let groups = down * across;
        let (wanted, least) = match self {
            ChosenKernel::Tiled(_) | ChosenKernel::Units(_) => {
                ((ENOUGH_TILES / groups).max((PLENTY_OF_TILES / groups).min(k as u64 / LONG_SLICE)), MIN_SLICE[0])
            }
            _ => (DriverKind::ENOUGH_GROUPS / groups, MIN_SLICE[1]),
        };
        let wanted = wanted.min(words / (m as u64 * n as u64)).max(1);
        let slice = (k as u64).div_ceil(wanted).max(least);
        let step = match self {
            ChosenKernel::Tiled(tile) => tile.step(),
            ChosenKernel::Units(tile) => tile.units.step(),
            ChosenKernel::Panel(_) => Panel::STEPS,
            ChosenKernel::Direct(_) | ChosenKernel::Plain => 1,
        };
        let slice = slice.next_multiple_of(step.into()) as usize;
        match self {
            // All slices together may be longer than k, and a window with few tiles has more slices than other windows.
            ChosenKernel::Units(tile) if !Halves::fit(*tile, [m, n, k], slice, words) => {
                k.next_multiple_of(step as usize)
            }
            _ => slice,
        }
    }

    /// Whether the kernel computes the column sums of b along the way.
    pub fn sums_columns(&self) -> bool {
        !matches!(self, ChosenKernel::Direct(_) | ChosenKernel::Units(_))
    }
}

/// The tile for an `m x n` product over k.
fn tile_by_shape([m, n, k]: [usize; 3], room: Room) -> MatmulKernel {
    let (large, medium) = (Tile::LARGE.sides, Tile::MEDIUM.sides);
    // The product is cut into slices of k, so slices that are long compared with a tile's sides count as further workgroups.
    let many = |groups: u64, slice: usize| groups.saturating_mul((k / slice).max(1) as u64) >= MANY_TILES;
    match (m, n) {
        (_, ..=16) => MatmulKernel::Narrow,
        (..=16, _) => MatmulKernel::Flat,
        _ if Tile::can_be_large(n, room.memory)
            && room.registers
            && many(large.count(m, n), LONG_BESIDE_LARGE)
            && !large.waste(medium, m, n) =>
        {
            MatmulKernel::Large
        }
        _ if many(medium.count(m, n), LONG_BESIDE_MEDIUM) => MatmulKernel::Medium,
        _ => MatmulKernel::Small,
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::ProductSplit;
    use super::*;

    #[test]
    fn slices_cover_k_and_leave_enough_groups() {
        for (m, n, k) in [(64, 128, 1_000_000), (784, 512, 4096), (1, 1, 1), (10_000, 10_000, 10_000)] {
            for driver in [DriverKind::Gpu, DriverKind::Software, DriverKind::SoftwareSubgroups] {
                let room = Room { words: u64::MAX, memory: 32 << 10, registers: true, units: None };
                let kernel = ChosenKernel::choose(None, driver, room, [m, n, k]);
                let slice = kernel.slice([m, n, k], u64::MAX);
                assert!(slice.is_multiple_of(16) || driver != DriverKind::Gpu);
                assert!(slice >= 128.min(k) && k.div_ceil(slice) <= 512);
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
                let kernel = ChosenKernel::choose(wanted, DriverKind::Gpu, room, [split.m, split.n, split.k]);
                let ChosenKernel::Units(tile) = kernel else { continue };
                looked_at += 1;
                for ranges in split.windows(dims) {
                    let [m, n, k] = [0, 1, 2].map(|side: usize| ranges[side].len());
                    let slice = kernel.slice([m, n, k], words);
                    assert!(Halves::fit(tile, [m, n, k], slice, words), "{dims:?}: {m} x {k} x {n}");
                }
            }
        }
        assert!(looked_at >= 6, "{looked_at} choices of matrix units");
    }

    #[test]
    fn the_larger_tile_is_for_many_tiles_without_much_behind_their_edges() {
        let large = UnitTile::large_of(Units::KNOWN[0]);
        let room = Room { words: 1 << 30, memory: 48 << 10, registers: true, units: Some(large) };
        for (dims, chosen) in [
            ([2048, 2048, 512], large),
            ([1920, 2048, 512], large.medium()),
            // Slices of k make four workgroups of each tile.
            ([1024, 1024, 4096], large),
            ([1024, 1024, 4095], large.medium()),
            // A ninth row and column of large tiles, of which next to nothing is used.
            ([1025, 1025, 4096], large.medium()),
            ([1088, 1024, 4096], large),
        ] {
            assert_eq!(
                ChosenKernel::choose(None, DriverKind::Software, room, dims),
                ChosenKernel::Units(chosen),
                "{dims:?}"
            );
        }
    }

    #[test]
    fn units_are_for_products_in_which_they_are_exact_and_pay() {
        let large = UnitTile::large_of(Units::KNOWN[0]);
        let room = Room { words: 1 << 30, memory: 48 << 10, registers: true, units: Some(large) };
        let on_units =
            |wanted, driver, dims| matches!(ChosenKernel::choose(wanted, driver, room, dims), ChosenKernel::Units(_));
        for (dims, hardware, software) in [
            ([1024, 1024, 2048], true, true),
            ([1024, 1024, 2047], false, true),
            ([32, 32, 1 << 21], true, true),
            ([31, 8192, 1 << 14], false, false),
            ([8192, 31, 1 << 14], false, false),
            ([1 << 14, 1 << 14, 127], false, false),
        ] {
            assert_eq!(on_units(None, DriverKind::Gpu, dims), hardware, "{dims:?}");
            assert_eq!(on_units(None, DriverKind::Software, dims), software, "{dims:?}");
        }
        for wanted in [MatmulKernel::LargeUnits, MatmulKernel::MediumUnits] {
            assert!(on_units(Some(wanted), DriverKind::Gpu, [1, 1, 128]));
            assert!(!on_units(Some(wanted), DriverKind::Gpu, [99, 99, 127]));
        }
    }

    #[test]
    fn a_tile_whose_halves_fit_no_binding_gives_way() {
        let large = UnitTile::large_of(Units::KNOWN[0]);
        let room = |words| Room { words, memory: 48 << 10, registers: true, units: Some(large) };
        // 128 lines of 1,024 steps, or 64.
        let wanted = Some(MatmulKernel::LargeUnits);
        let chosen = |words| ChosenKernel::choose(wanted, DriverKind::Gpu, room(words), [32, 32, 1024]);
        assert_eq!(chosen(128 << 10), ChosenKernel::Units(large));
        assert_eq!(chosen((128 << 10) - 1), ChosenKernel::Units(large.medium()));
        assert!(!matches!(chosen((64 << 10) - 1), ChosenKernel::Units(_)));
    }
}
