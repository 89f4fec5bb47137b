//! Grids: how elements and columns are divided among workgroups. The numbers are here, and shaders get them as constants.

use super::encode::form::Constant;
use super::rows::FAN;

/// The grid of elementwise kernels: each workgroup owns a run of `THREADS * PER_THREAD` values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearGrid;

impl LinearGrid {
    pub const THREADS: u32 = 256;
    const PER_THREAD: u32 = 4;

    /// Workgroups for this many values.
    pub fn groups(elements: u64) -> u64 {
        elements.div_ceil(u64::from(Self::THREADS * Self::PER_THREAD))
    }

    /// `THREADS` and `PER_THREAD` as the shader wants them.
    pub fn constants() -> [Constant; 2] {
        [("THREADS", f64::from(Self::THREADS)), ("PER_THREAD", f64::from(Self::PER_THREAD))]
    }
}

/// The grid of norms, which are sums over all gradients of a model. It has so few workgroups that one workgroup can add up their
/// sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormGrid;

impl NormGrid {
    const THREADS: u32 = 128;
    /// Values that a thread has before there are more workgroups.
    const PER_THREAD: u32 = 8;
    const MOST_GROUPS: u32 = 1024;

    /// Workgroups for this many values.
    pub fn groups(values: u32) -> u32 {
        values.div_ceil(Self::THREADS * Self::PER_THREAD).min(Self::MOST_GROUPS)
    }

    /// `THREADS` and `FAN` as the shader wants them.
    pub fn constants() -> [Constant; 2] {
        [("THREADS", f64::from(Self::THREADS)), ("FAN", f64::from(FAN))]
    }
}

/// The grid of column sums and other kernels that go down columns. A workgroup owns `width` columns of a block of `lanes * depth`
/// rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnGrid {
    width: u32,
    lanes: u32,
    depth: u32,
}

impl ColumnGrid {
    const THREADS: u32 = 128;
    /// The rows of a run, which a lane adds up before it adds runs.
    const RUN: u32 = 16;
    /// The number of runs of a lane on software drivers, where a barrier is slow and so lanes share no sums.
    const SOFTWARE_RUNS: u32 = 4;
    /// Columns of a workgroup there.
    const SOFTWARE_WIDTH: u32 = 128;

    /// The mapping for rows of so many values.
    pub fn new(cols: usize, software: bool) -> Self {
        let width = match cols {
            1 => 1,
            ..=4 => 4,
            _ => 32,
        };
        match software && cols > 4 {
            true => ColumnGrid { width: Self::SOFTWARE_WIDTH, lanes: 1, depth: Self::RUN * Self::SOFTWARE_RUNS },
            false => ColumnGrid { width, lanes: Self::THREADS / width, depth: Self::RUN },
        }
    }

    /// Blocks that this many rows make.
    pub fn blocks(&self, rows: usize) -> usize {
        rows.div_ceil((self.lanes * self.depth) as usize)
    }

    /// Workgroups across the columns.
    pub fn across(&self, cols: usize) -> usize {
        cols.div_ceil(self.width as usize)
    }

    /// `WIDTH`, `LANES`, `DEPTH` and `RUN` as the shader wants them.
    pub fn constants(&self) -> [Constant; 4] {
        [("WIDTH", self.width), ("LANES", self.lanes), ("DEPTH", self.depth), ("RUN", Self::RUN)]
            .map(|(name, value)| (name, f64::from(value)))
    }
}
