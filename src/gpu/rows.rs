//! The mapping of rows to workgroups: how many threads share a row, and how many rows share a workgroup. Shaders get the numbers as
//! constants.

use super::encode::form::{Constant, Form};

/// Threads of a workgroup in the row kernels.
const ROW_THREADS: u32 = 128;
/// Threads of a workgroup for longer rows, with the most columns for each number. A lane keeps 32 values. With fewer lanes a GPU
/// would have too little to do while it waits for memory. A device uses only the numbers that its workgroups can have.
const LONG_ROWS: [(u32, usize); 3] = [(256, 8192), (512, 16_384), (1024, usize::MAX)];
/// The most values that the lanes of a row keep: half of a GPU's 64 Ki registers, since the kernel needs others.
const ROW_VALUES: u32 = 32 << 10;
/// The bytes of workgroup memory that all reductions together use for a lane.
const REDUCTION_BYTES: u32 = 24;
/// The number of values that one thread joins in a step of a reduction.
pub(super) const FAN: u32 = 16;
/// The number of values that one thread joins if, with [`FAN`], more threads than this number would have to join values.
const WIDE_FAN: u32 = 32;
/// The most columns of a row that one lane has to itself.
const ONE_LANE_COLS: usize = 16;
/// The most columns of a row that [`FAN`] lanes share; a longer row has the whole workgroup.
const FEW_LANES_COLS: usize = 128;
/// Rows of more columns than this have more threads on hardware: [`LONG_ROWS`].
const LONG_ROW_COLS: usize = 4096;

/// Rows of up to this many columns belong to one lane each on software drivers.
const SOFTWARE_LANE_COLS: usize = 4096;

/// The numbers of values that a lane can keep in registers. The smallest that is enough for a row is used; longer rows come in
/// pieces.
const HELD: [u32; 4] = [4, 8, 16, 32];
/// Values of a piece.
const PIECE: u32 = 16;
/// Values of a piece if one lane adds a whole row. It then adds the sums of more pieces than lanes that share a row do.
const LONE_PIECE: u32 = 32;
/// [`HELD`] and [`PIECE`] for `vec4`s, counted in these: a piece has 32 values.
const HELD_FOURS: [u32; 5] = [1, 2, 4, 8, 16];
const PIECE_FOURS: u32 = 8;

/// The grid of a row kernel: `lanes` threads share a row, and `rows` rows share a workgroup.
///
/// There are only six mappings, and not one for each power of two, since each is a variant that the driver must compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowGrid {
    lanes: u32,
    rows: u32,
    /// Whether kernels are written for hardware: short rows by way of workgroup memory, longer ones through registers.
    hardware: bool,
}

/// The way in which a row kernel reads all values of its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Along {
    pub form: Form,
    /// `HELD` as the shader wants it.
    pub held: Constant,
}

impl RowGrid {
    /// Rows of a workgroup on software drivers, where they belong to one lane each.
    pub const SOFTWARE_ROWS: u32 = 32;
    /// Rows of a workgroup that is one subgroup on software drivers.
    pub const SUBGROUP_ROWS: u32 = 8;
    /// The numbers of lanes that can share a row.
    pub const LANES: [u32; 6] = [1, FAN, ROW_THREADS, LONG_ROWS[0].0, LONG_ROWS[1].0, LONG_ROWS[2].0];
    /// Rows of a workgroup whose rows belong to one lane each: no mapping has more.
    pub const MOST_ROWS: u32 = ROW_THREADS;
    /// Rows of a workgroup that stages them in workgroup memory, of which WebGPU promises only 16 KiB.
    const STAGED_ROWS: u32 = 64;

    /// The numbers of lanes that can share a row on a device of these limits.
    pub fn lanes_within(limits: &wgpu::Limits) -> impl Iterator<Item = u32> {
        let most = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        let memory = limits.max_compute_workgroup_storage_size;
        Self::LANES.into_iter().filter(move |lanes| *lanes <= most && Self::memory(*lanes) <= memory)
    }

    /// The most bytes of workgroup memory for the lanes of a row that has a workgroup to itself. Each lane has a place in every
    /// reduction (`shaders/rows/reductions.wgsl`), and the row has a record of as many bytes.
    pub fn memory(lanes: u32) -> u32 {
        REDUCTION_BYTES * (lanes + 1)
    }

    /// The mapping for rows of this length. A software driver runs several lanes in one vector, and a barrier is slow on it. So on
    /// software drivers lanes share only long rows.
    pub fn new(cols: usize, software: bool, wanted: Option<u32>, limits: &wgpu::Limits) -> Self {
        if let Some(lanes) = wanted {
            return Self::on_hardware(lanes);
        }
        if software && cols <= SOFTWARE_LANE_COLS {
            return Self::by_thread(Self::SOFTWARE_ROWS);
        }
        let lanes = if cols <= ONE_LANE_COLS {
            1
        } else if cols <= FEW_LANES_COLS {
            FAN
        } else if software || cols <= LONG_ROW_COLS {
            ROW_THREADS
        } else {
            let enough = LONG_ROWS.into_iter().find(|(_, most)| cols <= *most).map_or(ROW_THREADS, |(lanes, _)| lanes);
            Self::lanes_within(limits).filter(|lanes| *lanes <= enough).last().unwrap_or(ROW_THREADS)
        };
        match software {
            true => RowGrid { lanes, rows: ROW_THREADS / lanes, hardware: false },
            false => Self::on_hardware(lanes),
        }
    }

    fn on_hardware(lanes: u32) -> Self {
        let rows = if lanes == 1 { Self::STAGED_ROWS } else { (ROW_THREADS / lanes).max(1) };
        RowGrid { lanes, rows, hardware: true }
    }

    /// The mapping of so many rows to a workgroup, a thread each.
    pub fn by_thread(rows: u32) -> Self {
        RowGrid { lanes: 1, rows, hardware: false }
    }

    /// The way to read rows of so many columns. `fours`: the length of a row is a multiple of four. `all_fours`: the length of all
    /// rows of each block together is one. `inputs`: the number of matrices of which a lane keeps values.
    pub fn along(&self, cols: usize, fours: bool, all_fours: bool, inputs: u32) -> Option<Along> {
        if !self.hardware {
            return None;
        }
        if self.lanes == 1 && cols <= ONE_LANE_COLS {
            let form = Form { staged: true, fours: all_fours, ..Form::PLAIN };
            return Some(Along { form, held: ("HELD", ONE_LANE_COLS as f64) });
        }
        let (each, sizes, piece): (_, &[u32], _) = match fours {
            true => (cols.div_ceil(4 * self.lanes as usize), &HELD_FOURS, PIECE_FOURS),
            false => (cols.div_ceil(self.lanes as usize), &HELD, if self.lanes == 1 { LONE_PIECE } else { PIECE }),
        };
        let room = ROW_VALUES / (self.lanes * inputs * if fours { 4 } else { 1 });
        let held = sizes.iter().find(|held| each <= **held as usize && **held <= room);
        let form = Form { fours, held: held.is_some(), pieces: held.is_none(), ..Form::PLAIN };
        Some(Along { form, held: ("HELD", held.copied().unwrap_or(piece.min(room)).into()) })
    }

    /// Whether a row has all threads of a workgroup to itself.
    pub fn is_a_row_a_group(&self) -> bool {
        self.rows == 1
    }

    /// Workgroups for this many rows.
    pub fn groups(&self, rows: usize) -> u64 {
        (rows as u64).div_ceil(u64::from(self.rows))
    }

    /// `LANES`, `ROWS` and `FAN` as the shader wants them.
    pub fn constants(&self) -> [Constant; 3] {
        let fan = if self.lanes > FAN * WIDE_FAN { WIDE_FAN } else { FAN };
        [("LANES", f64::from(self.lanes)), ("ROWS", f64::from(self.rows)), ("FAN", f64::from(fan))]
    }
}

#[cfg(test)]
mod tests {
    use super::{HELD, HELD_FOURS, ONE_LANE_COLS, ROW_VALUES, RowGrid};

    #[test]
    fn registers_hold_rows_that_are_no_longer() {
        for (lanes, inputs) in RowGrid::LANES.into_iter().flat_map(|lanes| [(lanes, 1), (lanes, 2)]) {
            let grid = RowGrid::new(1, false, Some(lanes), &wgpu::Limits::default());
            for cols in (1..20_000).chain(32_700..32_800) {
                for fours in [false, true] {
                    let fours = fours && cols % 4 == 0;
                    let along = grid.along(cols, fours, false, inputs);
                    assert!(along.is_some(), "no way along {cols} columns by {lanes} lanes");
                    let Some(along) = along else { continue };
                    let (form, held) = (along.form, along.held.1 as u32);
                    let sizes: &[u32] = if fours { &HELD_FOURS } else { &HELD };
                    let of_all = |held: u32| held * lanes * if fours { 4 } else { 1 };
                    let has_room = |held: u32| of_all(held) as usize >= cols && of_all(held) * inputs <= ROW_VALUES;
                    assert!(form.staged || of_all(held) * inputs <= ROW_VALUES, "{cols} columns by {lanes} lanes");
                    let right = match (form.staged, form.held, form.pieces) {
                        (true, false, false) => lanes == 1 && cols <= ONE_LANE_COLS.min(held as usize),
                        (false, true, false) => {
                            has_room(held) && sizes.iter().all(|size| *size >= held || !has_room(*size))
                        }
                        (false, false, true) => !sizes.iter().any(|size| has_room(*size)),
                        _ => false,
                    };
                    assert!(right, "{cols} columns by {lanes} lanes: {form:?}, {held}");
                }
            }
        }
    }

    /// A row's sum has at most 40 + C / 32 roundings, as its bound says, by any number of lanes: those within a piece, those of
    /// the pieces' sums, and those of the trees.
    #[test]
    fn rows_in_pieces_keep_the_bound_of_a_sum() {
        for lanes in RowGrid::LANES {
            let grid = RowGrid::new(1, false, Some(lanes), &wgpu::Limits::default());
            let [_, _, (_, fan)] = grid.constants();
            let lanes = f64::from(lanes);
            let trees = if lanes == 1.0 { 0.0 } else { fan - 1.0 + (lanes / fan - 1.0) };
            for cols in (1_000..200_000).step_by(499) {
                let fours = cols % 4 == 0;
                let Some(along) = grid.along(cols, fours, false, 1).filter(|along| along.form.pieces) else { continue };
                let piece = along.held.1 * if fours { 4.0 } else { 1.0 };
                let pieces = (cols as f64 / (lanes * piece)).ceil();
                let roundings = (piece - 1.0) + (pieces - 1.0) + trees;
                assert!(roundings <= 40.0 + cols as f64 / 32.0, "{cols} columns by {lanes} lanes: {roundings}");
            }
        }
    }

    #[test]
    fn software_drivers_read_rows_where_they_lie() {
        let limits = wgpu::Limits::default();
        assert!(RowGrid::new(100, true, None, &limits).along(100, true, true, 1).is_none());
        assert!(RowGrid::new(10_000, true, None, &limits).along(10_000, true, true, 1).is_none());
    }

    #[test]
    fn no_row_has_more_lanes_than_the_device_has_threads_and_memory_for() {
        for (most, memory, expected) in
            [(256, 16, 256), (512, 16, 512), (1024, 16, 512), (1024, 32, 1024), (2048, 32, 1024)]
        {
            let limits = wgpu::Limits {
                max_compute_invocations_per_workgroup: most,
                max_compute_workgroup_size_x: most,
                max_compute_workgroup_storage_size: memory << 10,
                ..Default::default()
            };
            assert_eq!(RowGrid::new(50_000, false, None, &limits).lanes, expected, "{most}");
            assert_eq!(RowGrid::lanes_within(&limits).last(), Some(expected), "{most}");
        }
    }
}
