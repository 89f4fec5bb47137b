//! Matmul: which workgroup owns which part of the product. Chosen by shape, kind of device and limits alone, so results
//! repeat bit by bit.

use super::encode::form::Constant;
use super::rows::PackGrid;
use super::units::{UnitTile, Units};
use crate::options::MatmulKernel;

/// How a product is computed: in tiles through workgroup memory, by threads or by matrix units; or without it, as software drivers
/// like it: each lane by itself, or in panels; or there even a few outputs a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Tiled(Tile),
    Units(UnitTile),
    Direct(Direct),
    Panel(Panel),
    Plain,
}

/// Multiply-adds up to which a software driver computes a few outputs a thread: laying factors out would cost it more.
const FEW_MULTIPLY_ADDS: u64 = 1 << 18;

/// A workgroup's share of the product (`bm x bn`, in steps of `bk` along k) and a thread's share (`tm x tn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    bm: u32,
    bn: u32,
    bk: u32,
    tm: u32,
    tn: u32,
}

/// Plenty of both rows and columns, on devices with that much workgroup memory.
const LARGE: Tile = Tile { bm: 256, bn: 128, bk: 16, tm: 16, tn: 8 };
/// Enough of both.
const MEDIUM: Tile = Tile { bm: 64, bn: 64, bk: 16, tm: 8, tn: 8 };
/// Small products, where medium tiles would leave most of the device idle.
const SMALL: Tile = Tile { bm: 32, bn: 64, bk: 16, tm: 4, tn: 8 };
/// Few columns: a classifier's logits.
const NARROW: Tile = Tile { bm: 64, bn: 16, bk: 16, tm: 4, tn: 4 };
/// Few rows.
const FLAT: Tile = Tile { bm: 16, bn: 128, bk: 16, tm: 4, tn: 4 };

/// How workgroups without workgroup memory share a product: one factor's groups of four rows or columns are the same for
/// all lanes (`lefts` of them), of the other's each lane has its own (`rights`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Direct {
    /// Whether b is the factor that all lanes share: where the product has few columns.
    pub swapped: bool,
    lefts: u32,
    rights: u32,
}

/// How workgroups go through a product in panels of b: each owns so many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panel {
    rows: u32,
}

/// Lanes of a workgroup without workgroup memory: what a software driver runs side by side.
const LANES: u32 = 8;
/// Groups of four that all its lanes share, at most.
const MOST_LEFTS: u32 = 4;
/// Groups of four that each lane has for itself, at most.
const MOST_RIGHTS: u32 = 4;

/// How a device's lanes come by what all of them use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lanes {
    /// A GPU's: products go through workgroup memory.
    Hardware,
    /// A software driver's, each by itself.
    Alone,
    /// A software driver's, which take it from each other and know 64-bit words.
    Shuffled,
}

/// The most of one times the other: with more, Mesa no longer keeps the sums in registers and takes ten times as long.
const MOST_GROUPS: u32 = 16;

/// Workgroups that a product should have before k stays whole: in tiles, a few for each processor of a large GPU, whose number
/// WebGPU does not tell.
const ENOUGH_TILES: u64 = 512;
/// The same where slices stay so long that adding them up costs next to nothing: workgroups of few threads go faster the more of them
/// there are.
const PLENTY_OF_TILES: u64 = 2048;
const LONG_SLICE: u64 = 4096;
/// The same on a software driver: some for each core.
const ENOUGH_GROUPS: u64 = 64;
/// The shortest slice of k worth a workgroup of its own, for tiles and on a software driver.
const MIN_SLICE: [u64; 2] = [128, 256];
/// Workgroups with which a tile larger or smaller than a medium one is worth it.
const MANY_TILES: u64 = 256;

/// What a device has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Words of a binding.
    pub words: u64,
    /// Bytes of workgroup memory.
    pub memory: u32,
    /// Whether threads have registers for twice as many sums as the smallest GPUs have.
    pub registers: bool,
    /// The largest tile for matrix units, where these are in use.
    pub units: Option<UnitTile>,
}

impl Method {
    /// How to compute windows of `m x n` over k: chosen by shape and kind of device alone, or as wanted where that can be.
    pub fn choose(wanted: Option<MatmulKernel>, lanes: Lanes, room: Room, [m, n, k]: [usize; 3]) -> Self {
        let words = room.words;
        if let Some(tile) = Self::by_units(wanted, lanes, room, [m, n, k]) {
            return Method::Units(tile);
        }
        let multiply_adds = (m as u64).saturating_mul(n as u64).saturating_mul(k as u64);
        let by_shape = match lanes {
            Lanes::Hardware => Tile::choose([m, n, k], room),
            _ if multiply_adds <= FEW_MULTIPLY_ADDS => MatmulKernel::Plain,
            Lanes::Shuffled => MatmulKernel::Panel,
            Lanes::Alone => MatmulKernel::Direct,
        };
        let tile = |kernel| Method::Tiled(Tile::of(kernel));
        match wanted.unwrap_or(by_shape) {
            // What fits a binding counts in u32.
            MatmulKernel::Plain if multiply_adds <= u32::MAX.into() => Method::Plain,
            MatmulKernel::Panel if lanes == Lanes::Shuffled && packs(words, m, k) => Method::Panel(Panel::choose(m, n)),
            MatmulKernel::Direct | MatmulKernel::Panel if packs(words, k, m) && packs(words, k, n) => {
                Method::Direct(Direct::choose(m, n))
            }
            MatmulKernel::Plain | MatmulKernel::Direct | MatmulKernel::Panel => tile(Tile::choose([m, n, k], room)),
            MatmulKernel::Large if !Tile::can_be_large(n, room) => tile(MatmulKernel::Medium),
            // In the place of matrix units, what there would be without them.
            MatmulKernel::LargeUnits | MatmulKernel::MediumUnits => {
                Self::choose(None, lanes, Room { units: None, ..room }, [m, n, k])
            }
            kernel => tile(kernel),
        }
    }

    /// The tile for matrix units, where these are in use and keep the bound: as wanted, or where nothing else is and they pay.
    fn by_units(wanted: Option<MatmulKernel>, lanes: Lanes, room: Room, dims: [usize; 3]) -> Option<UnitTile> {
        let tile = match wanted {
            _ if !Units::are_exact(dims) => None,
            None if Units::pay(dims, lanes != Lanes::Hardware) => Some(room.units?.suiting(dims, MANY_TILES)),
            Some(MatmulKernel::LargeUnits) => room.units,
            Some(MatmulKernel::MediumUnits) => Some(room.units?.medium()),
            _ => None,
        }?;
        // A binding must have room for the factors' halves, which are padded: least in one slice, and for the smaller tile.
        [tile, tile.medium()].into_iter().find(|tile| tile.fits_bindings(dims, dims[2], room.words))
    }

    /// Workgroups down and across the product.
    pub fn grid(&self, m: usize, n: usize) -> (u64, u64) {
        let (m, n, down, across) = match self {
            Method::Plain => return (1, 1),
            Method::Units(tile) => return tile.grid(m, n),
            Method::Tiled(tile) => (m, n, tile.bm, tile.bn),
            Method::Direct(direct) => {
                let (left, right) = direct.ordered(m, n);
                (left, right, 4 * direct.lefts, 4 * direct.rights * LANES)
            }
            Method::Panel(panel) => (m, n, panel.rows, Panel::COLUMNS),
        };
        ((m as u64).div_ceil(down.into()), (n as u64).div_ceil(across.into()))
    }

    /// Length of the slices that k is cut into when the product alone has too few tiles; a multiple of a step along k. A
    /// binding has room for `words`, which all slices' products share.
    pub fn slice(&self, [m, n, k]: [usize; 3], words: u64) -> usize {
        if let Method::Plain = self {
            return k;
        }
        let (down, across) = self.grid(m, n);
        let tiles = down * across;
        let (wanted, least) = match self {
            Method::Tiled(_) | Method::Units(_) => {
                ((ENOUGH_TILES / tiles).max((PLENTY_OF_TILES / tiles).min(k as u64 / LONG_SLICE)), MIN_SLICE[0])
            }
            _ => (ENOUGH_GROUPS / tiles, MIN_SLICE[1]),
        };
        let wanted = wanted.min(words / (m as u64 * n as u64)).max(1);
        let slice = (k as u64).div_ceil(wanted).max(least);
        let step = match self {
            Method::Tiled(tile) => tile.bk,
            Method::Units(tile) => tile.step(),
            Method::Panel(_) => Panel::STEPS,
            Method::Direct(_) | Method::Plain => 1,
        };
        let slice = slice.next_multiple_of(step.into()) as usize;
        match self {
            // All slices together may be longer than k, and a window with few tiles has more slices than its neighbours.
            Method::Units(tile) if !tile.fits_bindings([m, n, k], slice, words) => k.next_multiple_of(step as usize),
            _ => slice,
        }
    }
}

/// Whether a factor of `steps` steps and this length can be packed in groups of four: a binding has room for `words`, and
/// what packs it counts in u32.
fn packs(words: u64, steps: usize, length: usize) -> bool {
    let groups = length.div_ceil(4);
    4 * steps as u64 * groups as u64 <= words && PackGrid::count(steps, groups) <= u32::MAX.into()
}

impl Panel {
    /// Lanes of a workgroup, and the fewest that a subgroup must have.
    pub const LANES: u32 = 8;
    /// Steps of k in a panel. More would mean fewer additions to c, but code that no longer fits a CPU's caches.
    pub const STEPS: u32 = 64;
    /// Columns of a workgroup.
    const COLUMNS: u32 = 4 * Self::LANES;
    /// Rows of a workgroup, at least and at most: each panel is read once for all of them.
    const ROWS: [u64; 2] = [64, 512];

    fn choose(m: usize, n: usize) -> Self {
        let [least, most] = Self::ROWS;
        let (m, across) = (m as u64, (n as u64).div_ceil(Self::COLUMNS.into()));
        let down = ENOUGH_GROUPS.div_ceil(across).min(m.div_ceil(least)).max(m.div_ceil(most));
        Panel { rows: m.div_ceil(down) as u32 }
    }

    /// Rows of a workgroup.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The numbers as the shader wants them.
    pub fn constants() -> [Constant; 2] {
        [("LANES", f64::from(Self::LANES)), ("STEPS", f64::from(Self::STEPS))]
    }
}

impl Direct {
    fn choose(m: usize, n: usize) -> Self {
        let swapped = n <= 16 && m > n;
        let (left, right) = if swapped { (n, m) } else { (m, n) };
        let groups = |length: usize| u32::try_from(length.div_ceil(4)).unwrap_or(u32::MAX);
        let (left, right) = (groups(left), groups(right));
        let lefts = left.min(MOST_LEFTS);
        let rights = (MOST_GROUPS / lefts).min(MOST_RIGHTS).min(right.div_ceil(LANES).next_power_of_two());
        Direct { swapped, lefts, rights }
    }

    /// What belongs to the factor that all lanes share, and what to the other, of a pair for a and b.
    pub fn ordered<T>(&self, a: T, b: T) -> (T, T) {
        if self.swapped { (b, a) } else { (a, b) }
    }

    /// Groups of four of a workgroup's share that all its lanes use.
    pub fn left_groups(&self) -> u32 {
        self.lefts
    }

    /// The numbers as the shader wants them.
    pub fn constants(&self) -> [Constant; 5] {
        [
            ("LANES", f64::from(LANES)),
            ("SWAPPED", f64::from(u8::from(self.swapped))),
            ("LEFTS", f64::from(self.lefts)),
            ("LEFT_ROWS", f64::from(4 * self.lefts)),
            ("RIGHTS", f64::from(self.rights)),
        ]
    }
}

impl Tile {
    /// The tile for an `m x n` product over k.
    fn choose([m, n, k]: [usize; 3], room: Room) -> MatmulKernel {
        let tiles = |tile: Tile| (m as u64).div_ceil(tile.bm.into()) * (n as u64).div_ceil(tile.bn.into());
        let computed = |tile: Tile| tiles(tile).saturating_mul(u64::from(tile.bm * tile.bn));
        // So many workgroups come of slices of k that are long beside a tile's sides.
        let groups = |tile: Tile, slice: usize| tiles(tile).saturating_mul((k / slice).max(1) as u64);
        // What lies behind the edges is computed for nothing.
        let wasteful = computed(LARGE) > computed(MEDIUM) / 16 * 17;
        match (m, n) {
            (_, ..=16) => MatmulKernel::Narrow,
            (..=16, _) => MatmulKernel::Flat,
            _ if Tile::can_be_large(n, room) && room.registers && groups(LARGE, 1024) >= MANY_TILES && !wasteful => {
                MatmulKernel::Large
            }
            _ if groups(MEDIUM, 256) >= MANY_TILES => MatmulKernel::Medium,
            _ => MatmulKernel::Small,
        }
    }

    /// Whether the large tile computes products of `n` columns. Code that stores its many sums one by one would be long.
    fn can_be_large(n: usize, room: Room) -> bool {
        LARGE.memory() <= room.memory && n.is_multiple_of(4)
    }

    pub fn of(kernel: MatmulKernel) -> Self {
        match kernel {
            MatmulKernel::Large => LARGE,
            MatmulKernel::Small => SMALL,
            MatmulKernel::Narrow => NARROW,
            MatmulKernel::Flat => FLAT,
            _ => MEDIUM,
        }
    }

    /// Every tile, the large one first.
    pub(super) const ALL: [Tile; 5] = [LARGE, MEDIUM, SMALL, NARROW, FLAT];

    /// Threads of the largest workgroup, and bytes of the workgroup memory that the most demanding one takes, of the tiles that
    /// every device must run: all but the large one.
    pub fn most() -> (u32, u32) {
        let most = |of: fn(&Tile) -> u32| Self::ALL[1..].iter().map(of).max().unwrap_or_default();
        (most(Self::threads), most(Self::memory))
    }

    fn threads(&self) -> u32 {
        (self.bm / self.tm) * (self.bn / self.tn)
    }

    /// Bytes that both factors take in workgroup memory at most: when both are turned, with two groups of four more every four steps.
    fn memory(&self) -> u32 {
        (self.bm + 2 + self.bn + 2) * self.bk * size_of::<f32>() as u32
    }

    /// Rows of a tile.
    pub fn rows(&self) -> u32 {
        self.bm
    }

    /// Whether a tile holds all of `n` columns, and as many rows as it has threads: then each can go on with a row. The large one
    /// leaves no workgroup memory for that.
    pub fn row_a_thread(&self, n: usize) -> bool {
        n <= self.bn as usize && self.bm == self.threads() && *self != LARGE
    }

    /// What a workgroup does over so many steps of k.
    pub fn multiply_adds(&self, steps: u32) -> u64 {
        u64::from(self.bm) * u64::from(self.bn) * u64::from(steps)
    }

    /// Whether the tiles cover the product exactly, and slices of k are all alike.
    pub fn covers(&self, m: usize, n: usize, k: usize, slice: usize) -> bool {
        let whole = |length: usize, step: u32| length.is_multiple_of(step as usize);
        whole(m, self.bm) && whole(n, self.bn) && whole(k, self.bk) && (slice >= k || whole(k, slice as u32))
    }

    /// The tile's numbers as the shader wants them. The loop over a step of k is written out for hardware; a software driver
    /// would take long to compile that, and gain nothing.
    pub fn constants(&self, software: bool) -> [Constant; 6] {
        let unroll = if software { 1 } else { self.bk };
        [("BM", self.bm), ("BN", self.bn), ("BK", self.bk), ("TM", self.tm), ("TN", self.tn), ("UNROLL", unroll)]
            .map(|(name, value)| (name, f64::from(value)))
    }
}

/// The windows that a product is cut into so that a binding holds each operand's block: rows and columns of the result,
/// and steps of k. Blocks are whole rows of what is stored, which need no copy, wherever a binding holds some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProductSplit {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl ProductSplit {
    /// For bindings of this many words and an `m x n` product over k.
    pub fn new(words: u64, [m, n, k]: [usize; 3], transpose_a: bool, transpose_b: bool) -> Self {
        let words = usize::try_from(words).unwrap_or(usize::MAX);
        let split = if transpose_a {
            let (m, n) = block(m, n, words);
            ProductSplit { m, n, k: k.min(words / m).min(words / n) }
        } else {
            let (n, k) = match transpose_b {
                true => block(n, k, words),
                false => {
                    let (k, n) = block(k, n, words);
                    (n, k)
                }
            };
            ProductSplit { m: m.min(words / k).min(words / n), n, k }
        };
        ProductSplit { m: even(split.m, m), n: even(split.n, n), k: even(split.k, k) }
    }
}

/// The largest block of a row-major matrix in so many words: of whole rows, or nearly square where few rows would fit.
fn block(rows: usize, cols: usize, words: usize) -> (usize, usize) {
    const FEW: usize = 16;
    if words / cols >= rows.min(FEW) {
        return (rows.min(words / cols), cols);
    }
    let cols = cols.min(words.isqrt().max(words / rows));
    (rows.min(words / cols), cols)
}

/// A cut length as a multiple of the largest tile, or of what keeps rows aligned; a length that is not cut stays.
fn even(length: usize, whole: usize) -> usize {
    [128, 64].into_iter().find(|step| length < whole && length > *step).map_or(length, |step| length / step * step)
}

#[cfg(test)]
mod tests {
    use super::{FLAT, LARGE, Lanes, MEDIUM, Method, NARROW, ProductSplit, Room, SMALL, Tile, packs};

    #[test]
    fn threads_stage_whole_rows_of_a_tile() {
        // tile.wgsl counts on it: what a thread stages next lies so many rows of memory further on.
        for tile in [LARGE, MEDIUM, SMALL, NARROW, FLAT] {
            let threads = tile.bm / tile.tm * (tile.bn / tile.tn);
            for rows_of_groups in [tile.bm / 4, tile.bn / 4, tile.bk / 4] {
                assert_eq!(threads % rows_of_groups, 0, "{tile:?}");
            }
        }
    }

    #[test]
    fn blocks_fit_a_binding_and_are_whole_rows_where_they_can_be() {
        for words in [64, 128, 1 << 10, 1 << 25, u64::MAX / 4] {
            for dims in [[1, 1, 1], [129, 3, 7], [257, 259, 47], [10, 12, 1031], [7, 129, 64], [20_000, 9, 5]] {
                for (a, b) in [(false, false), (true, false), (false, true)] {
                    let ProductSplit { m, n, k } = ProductSplit::new(words, dims, a, b);
                    assert!(m >= 1 && n >= 1 && k >= 1 && m <= dims[0] && n <= dims[1] && k <= dims[2]);
                    assert!(
                        m as u64 * k as u64 <= words && k as u64 * n as u64 <= words && m as u64 * n as u64 <= words
                    );
                }
            }
        }
        // 128 MiB: a batch is cut into rows, a long k into steps; the other sides stay whole.
        let words = 1 << 25;
        let split = |dims, a, b| ProductSplit::new(words, dims, a, b);
        assert_eq!(split([65_536, 1_000, 768], false, false), ProductSplit { m: 33_536, n: 1_000, k: 768 });
        assert_eq!(split([768, 1_000, 65_536], true, false), ProductSplit { m: 768, n: 1_000, k: 33_536 });
        assert_eq!(split([65_536, 768, 1_000], false, true), ProductSplit { m: 33_536, n: 768, k: 1_000 });
    }

    #[test]
    fn packing_stays_within_bindings_and_u32() {
        assert!(packs(1 << 25, 1, 1 << 25) && !packs(1 << 25, 1, (1 << 25) + 1));
        // A single step is packed as a tile of 32: 2^28 groups would make 2^33.
        assert!(!packs(u64::MAX, 1, 1 << 30) && packs(u64::MAX, 1, 1 << 28));
    }

    #[test]
    fn threads_and_memory_stay_within_what_every_adapter_has() {
        for tile in Tile::ALL {
            assert!(tile.threads() <= 256 && (tile.memory() <= 16 << 10 || tile == LARGE), "{tile:?}");
            assert!(tile.bm % tile.tm == 0 && tile.bn % tile.tn == 0);
        }
    }

    #[test]
    fn slices_cover_k_and_leave_enough_groups() {
        for (m, n, k) in [(64, 128, 1_000_000), (784, 512, 4096), (1, 1, 1), (10_000, 10_000, 10_000)] {
            for lanes in [Lanes::Hardware, Lanes::Alone, Lanes::Shuffled] {
                let room = Room { words: u64::MAX, memory: 32 << 10, registers: true, units: None };
                let method = Method::choose(None, lanes, room, [m, n, k]);
                let slice = method.slice([m, n, k], u64::MAX);
                assert!(slice.is_multiple_of(16) || lanes != Lanes::Hardware);
                assert!(slice >= 128.min(k) && k.div_ceil(slice) <= 512);
            }
        }
    }
}
