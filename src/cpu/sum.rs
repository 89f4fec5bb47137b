//! Sums along trees that depend only on the length. Their rounding error grows with the logarithm of the length.

use ndarray::{Array1, ArrayView2};

use super::{Real, threads};

/// The number of sums that are computed side by side (lanes), enough to fill a processor's vectors.
pub(super) const LANES: usize = 16;
/// The most terms that each lane adds one by one.
const RUN: usize = 8 * LANES;
/// The most rows that a column's sum adds one by one.
const ROW_RUN: usize = 32;
/// The longest run of block sums that a column's sum adds one by one. Together with the 31 additions of a run of rows these are 46
/// additions for the first 512 rows. Each doubling of the rows adds one more. That is never more than the 32 + 2 log₂ rows of the
/// bound.
const BLOCK_RUN: usize = 16;

/// The sum of `term` over slices of one length, element by element.
#[inline(always)]
pub(super) fn pairwise<T: Real, const N: usize>(x: [&[T]; N], term: impl Fn([T; N]) -> T + Copy) -> T {
    if x[0].len() <= RUN {
        return run(x, term);
    }
    // Sums of 1, 2, 4, .. runs, each of which waits for a second one of its length. Recursive calls would not be vectorised.
    let mut waiting = [T::zero(); usize::BITS as usize];
    let runs = x[0].len().div_ceil(RUN);
    for number in 0..runs {
        let begin = number * RUN;
        let end = x[0].len().min(begin + RUN);
        let mut sum = run(x.map(|x| &x[begin..end]), term);
        let pairs = number.trailing_ones() as usize;
        for left in &waiting[..pairs] {
            sum = *left + sum;
        }
        waiting[pairs] = sum;
    }
    let is_waiting = |level: &usize| runs >> level & 1 == 1;
    (0..usize::BITS as usize)
        .filter(is_waiting)
        .map(|level| waiting[level])
        .reduce(|right, left| left + right)
        .unwrap_or(T::zero())
}

/// The sum of a run: each lane adds one by one, then the lanes are joined.
#[inline(always)]
fn run<T: Real, const N: usize>(x: [&[T]; N], term: impl Fn([T; N]) -> T) -> T {
    let mut lanes = [T::zero(); LANES];
    let parts = x.map(|x| x.as_chunks::<LANES>());
    for i in 0..parts[0].0.len() {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum = *sum + term(parts.map(|(chunks, _)| chunks[i][lane]));
        }
    }
    for i in 0..parts[0].1.len() {
        lanes[i] = lanes[i] + term(parts.map(|(_, rest)| rest[i]));
    }
    across(lanes, |a, b| a + b)
}

/// Joins the lanes along a tree.
#[inline(always)]
pub(super) fn across<T: Copy>(mut lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = join(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The sum of the rows.
pub(super) fn pairwise_rows<T: Real>(x: ArrayView2<'_, T>) -> Array1<T> {
    by_blocks(x, threads::block_rows(x.ncols()).next_multiple_of(ROW_RUN))
}

/// The sum of the rows. First threads add up blocks of so many rows each; then the sums of the blocks are added.
fn by_blocks<T: Real>(x: ArrayView2<'_, T>, block: usize) -> Array1<T> {
    let (rows, cols) = x.dim();
    let x = x.as_standard_layout();
    let x = x.as_slice().unwrap_or_default();
    let mut sums = vec![T::zero(); rows.div_ceil(block) * cols];
    let blocks = sums.chunks_mut(cols.max(1)).zip(x.chunks((block * cols).max(1)));
    threads::each(blocks, rows * cols, |(sum, rows)| add_rows(rows, cols, ROW_RUN, sum));
    let mut sum = Array1::zeros(cols);
    add_rows(&sums, cols, BLOCK_RUN, sum.as_slice_mut().unwrap_or_default());
    sum
}

/// Adds rows to `sum`, which is 0. The rows are halved until at most `run` are left, which are added one by one.
fn add_rows<T: Real>(x: &[T], cols: usize, run: usize, sum: &mut [T]) {
    let rows = x.len() / cols.max(1);
    if rows <= run {
        for row in x.chunks_exact(cols.max(1)) {
            add(sum, row);
        }
        return;
    }
    let (top, bottom) = x.split_at(rows / 2 * cols);
    let mut lower = vec![T::zero(); cols];
    add_rows(top, cols, run, sum);
    add_rows(bottom, cols, run, &mut lower);
    add(sum, &lower);
}

/// Adds a row to `sum`.
fn add<T: Real>(sum: &mut [T], row: &[T]) {
    for (sum, x) in sum.iter_mut().zip(row) {
        *sum = *sum + *x;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis};

    use super::*;

    #[test]
    fn sums_every_row_once() {
        for (rows, cols) in [(1, 3), (2, 1), (31, 3), (33, 5), (1000, 3), (70_001, 2), (40, 20_000), (1100, 600)] {
            let x = Array2::from_shape_fn((rows, cols), |(r, c)| (r * cols + c) as f64);
            assert_eq!(pairwise_rows(x.view()), x.sum_axis(Axis(0)));
        }
    }

    /// Rows each of which rounds the sum up by nearly half a unit, if runs of so many sums are added one by one on every level.
    #[test]
    fn many_blocks_of_rows_keep_the_bound() {
        let runs = [8, 16, 32, 1 << 20];
        for (run, rows) in runs.into_iter().flat_map(|run| [10, 12, 15, 18].map(|bits| (run, 1usize << bits))) {
            let size = |r: usize| match r.checked_ilog(run) {
                None => 1.0,
                Some(level) => 0.51 * f32::EPSILON / (run as f32).powi(level as i32),
            };
            let x = Array2::from_shape_fn((rows, 1), |(r, _)| size(r));
            let want: f64 = x.iter().map(|x| f64::from(*x)).sum();
            for block in [ROW_RUN, 2 * ROW_RUN, 16 * ROW_RUN] {
                let error = (f64::from(by_blocks(x.view(), block)[0]) - want).abs();
                let bound = (16.0 + (rows as f64).log2()) * f64::from(f32::EPSILON) * want;
                assert!(error <= bound, "{rows} rows in blocks of {block}: {error:e}, over {bound:e}");
            }
        }
    }

    #[test]
    fn sums_every_element_once() {
        for count in [0, 1, 15, 16, 17, 127, 128, 129, 255, 256, 257, 1000, 70_001] {
            let x: Vec<f64> = (0..count).map(f64::from).collect();
            assert_eq!(pairwise([&x], |[x]| x), x.iter().sum::<f64>());
            assert_eq!(pairwise([&x, &x], |[x, y]| x * y), x.iter().map(|x| x * x).sum::<f64>());
        }
    }
}
