//! Budgets: the most work of a dispatch and of a submit. With more, a driver might decide that the GPU hangs, and end the work.
//!
//! Windows ends work that keeps a GPU busy for 2 s, amdgpu work of 10 s, and macOS a command buffer that takes long. The budgets
//! are at most a quarter of a second on a slow GPU, which does 0.3 TFLOP/s and moves 20 GB/s. All GPUs that are not discrete may be
//! slower: for them the budgets assume an eighth of these speeds. On a GPU that is a hundred times as fast, a budget is some
//! milliseconds of work, so the cost of more launches and submits does not matter.

use std::ops::Range;

/// Multiply-adds of a dispatch.
pub(in crate::gpu) const MULTIPLY_ADDS: u64 = 1 << 35;
/// The words of each operand in a dispatch of a kernel that goes through its operands once.
pub(in crate::gpu) const WORDS: u64 = 1 << 27;
/// The factor by which the slowest GPUs may be slower than the slow GPU.
pub(in crate::gpu) const SLOWER: u64 = 8;
/// Multiply-adds and bytes that the slow GPU does in a nanosecond.
const PER_NANOSECOND: (u64, u64) = (150, 20);
/// Nanoseconds of a submit on that GPU.
const SUBMIT: u64 = 250_000_000;

/// The nanoseconds that the slow GPU needs for this work.
pub(in crate::gpu) fn nanoseconds(multiply_adds: u64, bytes: u64) -> u64 {
    (multiply_adds / PER_NANOSECOND.0).saturating_add(bytes / PER_NANOSECOND.1)
}

/// Whether a recording of so much work must be submitted before so much more is added.
pub(in crate::gpu) fn is_full(submit: u64, more: u64) -> bool {
    submit > 0 && submit.saturating_add(more) > SUBMIT
}

/// The workgroups of a kernel in runs, one for each dispatch, each within this budget of multiply-adds. If there are several runs,
/// none is folded, so that no dispatch has spare workgroups.
pub(in crate::gpu) fn group_runs(
    groups: u64,
    multiply_adds: u64,
    budget: u64,
    groups_a_line: u32,
) -> impl Iterator<Item = Range<u64>> {
    let most = (budget / multiply_adds.max(1)).max(1);
    let step = if groups <= most { groups } else { most.min(groups_a_line.into()) };
    (0..groups.div_ceil(step.max(1))).map(move |run| run * step..groups.min((run + 1) * step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Tile;

    /// No driver ends work of half a second, and no budget comes near to that.
    #[test]
    fn budgets_are_well_under_half_a_second() {
        const HALF: u64 = 500_000_000;
        assert!(nanoseconds(MULTIPLY_ADDS, 0) < HALF / 2);
        // Adam has the most operands: it goes through seven.
        assert!(nanoseconds(0, 7 * 4 * WORDS) < HALF / 2);
        const { assert!(SUBMIT <= HALF / 2) };
    }

    #[test]
    fn groups_come_in_runs_that_a_dispatch_may_do() {
        let ends = |groups, each| {
            group_runs(groups, each, MULTIPLY_ADDS, 65_535).map(|run| (run.start, run.end)).collect::<Vec<_>>()
        };
        assert_eq!(ends(1_000_000, 1), [(0, 1_000_000)]);
        assert_eq!(ends(100_000, MULTIPLY_ADDS / 65_536), [(0, 65_535), (65_535, 100_000)]);
        assert_eq!(ends(5, MULTIPLY_ADDS / 2), [(0, 2), (2, 4), (4, 5)]);
        assert_eq!(ends(2, u64::MAX), [(0, 1), (1, 2)]);
        assert_eq!(ends(0, 1), []);
    }

    /// The cost of the cut for a GPU that is 150 times as fast as the budgets' (45 TFLOP/s): the dispatches and submits of products
    /// that take it long, against 10 us for each dispatch and 100 us for each submit, which come to less than 2 %.
    #[test]
    fn a_cut_costs_fast_gpus_little() {
        for size in [4096u64, 8192, 16_384] {
            let (groups, each) = ((size / 64).pow(2), Tile::MEDIUM.sides.multiply_adds(size as u32));
            let dispatches = group_runs(groups, each, MULTIPLY_ADDS, u32::MAX).count() as f64;
            let submits = (size.pow(3) as f64 / (150.0 * SUBMIT as f64)).ceil();
            let microseconds = 2.0 * size.pow(3) as f64 / 45e6;
            let cost = 10.0 * (dispatches - 1.0) + 100.0 * (submits - 1.0);
            // The host submits while the GPU works, so a submit costs time only if the GPU has to wait for it.
            assert!(10.0 * (dispatches - 1.0) < 0.02 * microseconds, "{size}: {dispatches} dispatches");
            assert!(cost < 0.1 * microseconds, "{size}: {cost} us beside {microseconds}");
        }
    }
}
