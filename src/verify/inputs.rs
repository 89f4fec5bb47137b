//! Inputs of the cases: random numbers of everyday size, small integers, and rows with special values.

use ndarray::{Array2, Axis};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

use super::bounds::U;
use crate::targets::Targets;

/// The generator that inputs are drawn from.
pub(crate) type CaseRng = ChaCha12Rng;

/// The inputs of one case: matrices in the order of the op's arguments, and class ids where it takes some.
///
/// ```
/// let inputs = wgpu_mlp::verify::Inputs::default();
/// assert!(inputs.matrices.is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The matrices.
    pub matrices: Vec<Array2<f32>>,
    /// The class ids.
    pub classes: Vec<u32>,
}

/// Inputs that are only matrices.
pub(super) fn matrices<const N: usize>(matrices: [Array2<f32>; N]) -> Inputs {
    Inputs { matrices: matrices.into(), ..Default::default() }
}

/// A matrix with class ids, or with distributions behind it.
pub(super) fn supervised(fill: Fill, distributions: bool, rng: &mut CaseRng, [rows, cols, _]: [usize; 3]) -> Inputs {
    let x = fill(rng, rows, cols);
    match distributions {
        true => matrices([x, target_distributions(rng, rows, cols)]),
        false => Inputs { matrices: vec![x], classes: classes(rng, rows, cols) },
    }
}

/// Marks every third row as ignored, from the second on.
pub(super) fn mark_rows(classes: &mut [u32]) {
    classes.iter_mut().skip(1).step_by(3).for_each(|class| *class = Targets::MARK);
}

/// A function that fills a matrix.
pub(super) type Fill = fn(&mut CaseRng, usize, usize) -> Array2<f32>;

/// Standard normal numbers.
pub(super) fn normal(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(rng))
}

/// Rows in whose sums every term is rounded up by nearly half a unit: 1, then numbers that are a little more than half a unit in
/// the last place of 1.
pub(super) fn rounding_terms(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(_, c)| if c == 0 { 1.0 } else { 0.55 * f32::EPSILON })
}

/// Columns like the rows of [`rounding_terms`], for sums over the rows of a matrix.
pub(super) fn rounding_terms_down(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(r, _)| if r == 0 { 1.0 } else { 0.55 * f32::EPSILON })
}

/// Ones.
pub(super) fn ones(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::ones((rows, cols))
}

/// Zeros.
pub(super) fn zeros(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::zeros((rows, cols))
}

/// Logits whose exponentials are [`rounding_terms`], for sums that add one term after another.
pub(super) fn rounding_logits(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    rounding_terms(rng, rows, cols).mapv(f32::ln)
}

/// Terms like [`rounding_terms`], for sums that first add runs of 32. The sum of the first run and the sum of all runs are both
/// rounded up.
pub(super) fn rounding_terms_in_runs(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(_, c)| match c {
        0 => 1.0,
        1..32 => 0.55 * f32::EPSILON,
        _ => 0.55 * f32::EPSILON / 32.0,
    })
}

/// Logits whose exponentials are [`rounding_terms_in_runs`].
pub(super) fn rounding_logits_in_runs(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    rounding_terms_in_runs(rng, rows, cols).mapv(f32::ln)
}

/// Rows whose sum is rounded up by nearly half a unit with each of 32 rows that are added one by one, with each of 32 such
/// sums, and so on.
pub(super) fn rounding_rows(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(r, _)| match r.checked_ilog(32) {
        None => 1.0,
        Some(level) => 0.51 * f32::EPSILON / 32f32.powi(level as i32),
    })
}

/// Rows whose sum is rounded up by nearly half a unit with each addition to the first lane's sum, where `LANES` lanes share a block
/// of rows as on a GPU: runs of 16 rows, of which a single lane has four, then a tree of the lanes, then the blocks in the same way.
pub(super) fn rounding_rows_of<const LANES: usize>(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(r, _)| row_of_lanes(r, LANES) as f32)
}

/// A row's value in [`rounding_rows_of`].
pub(super) fn row_of_lanes(row: usize, lanes: usize) -> f64 {
    const RUN: usize = 16;
    let depth = if lanes == 1 { 4 * RUN } else { RUN };
    let block = lanes * depth;
    if row >= block {
        return row_of_lanes(row / block, lanes) / block as f64;
    }
    match (row / lanes, row % lanes) {
        (0, 0) => 1.0,
        (1..RUN, 0) => ROUNDED_UP,
        (_, 0) => ROUNDED_UP / RUN as f64,
        // The rows of all lanes that join the first one in the same step of the tree.
        (_, lane) => ROUNDED_UP / (depth * (lanes >> (lane.trailing_zeros() + 1))) as f64,
    }
}

/// A number whose sum with 1 is rounded up by nearly half a unit.
const ROUNDED_UP: f64 = 0.51 * U;

/// Gradients in whose norm the sum of squares is rounded up by nearly half a unit with each addition to the first thread's sum. As
/// on a GPU, each of 128 threads of a workgroup adds up to eight values, by fours if the count allows it. Eight threads join the sums
/// of sixteen each, the first one joins these, and the workgroups' sums are joined in the same way.
pub(super) fn rounding_squares(count: usize) -> Array2<f32> {
    const THREADS: usize = 128;
    const PER_THREAD: usize = 8;
    let width = if count.is_multiple_of(4) { 4 } else { 1 };
    let groups = (count / width).div_ceil(THREADS * PER_THREAD);
    // The number of threads that are joined with this one before the first thread adds their sum.
    let joined = |thread: usize, of: usize| if thread.is_multiple_of(8) { 1 } else { of.div_ceil(8) };
    Array2::from_shape_fn((1, count), |(_, i)| {
        let (value, word) = (i / width, i % width);
        let (thread, group, round) = (value % THREADS, value / THREADS % groups, value / THREADS / groups);
        let shared = match (group, thread, word, round) {
            (0, 0, 0, 0) => return 1.0,
            (0, 0, 0, _) => 1,
            (0, 0, 1, _) => PER_THREAD,
            // The last two words are added to each other first.
            (0, 0, _, _) => 2 * PER_THREAD,
            (0, _, _, _) => joined(thread, THREADS) * PER_THREAD * width,
            _ => joined(group, groups) * THREADS * PER_THREAD * width,
        };
        (ROUNDED_UP / shared as f64).sqrt() as f32
    })
}

/// Probabilities, and distributions with which the losses' terms y · -ln p are these numbers.
pub(super) fn with_terms(terms: &Array2<f32>) -> Inputs {
    let (first, others) = ((-1f32).exp(), terms.ncols() as f32 - 1.0);
    let probs = Array2::from_shape_fn(terms.dim(), |(_, c)| if c == 0 { first } else { (1.0 - first) / others });
    let shares = terms / &probs.mapv(|p| -p.ln());
    matrices([probs, shares])
}

/// Numbers whose products with each other are a little below 2⁻¹²⁶: each product may be flushed to zero.
pub(super) fn with_flushed_products(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_elem((rows, cols), 0.99 * f32::MIN_POSITIVE.sqrt())
}

/// Numbers a little below 2⁻¹²⁶: each may be flushed to zero.
pub(super) fn flushed(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_elem((rows, cols), 0.9 * f32::MIN_POSITIVE)
}

/// Integers from -8 to 8: their products and sums are exact in f32.
pub(super) fn integers(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, cols), || rng.random_range(-8i8..=8).into())
}

/// Standard normal numbers, with a NaN as the first of the middle row.
pub(super) fn with_nan(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut x = normal(rng, rows, cols);
    x[[rows / 2, 0]] = f32::NAN;
    x
}

/// Standard normal numbers; of five rows the second begins with NaN and the fourth with infinity.
pub(super) fn with_bad_rows(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut x = normal(rng, rows, cols);
    x.column_mut(0).iter_mut().skip(1).step_by(5).for_each(|x| *x = f32::NAN);
    x.column_mut(0).iter_mut().skip(3).step_by(5).for_each(|x| *x = f32::INFINITY);
    x
}

/// Wrong probabilities: some rows begin with NaN. Others are 1.5 in every column, which the clip must bring back into its range.
pub(super) fn faulty_probabilities(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut probs = probabilities(rng, rows, cols);
    probs.column_mut(0).iter_mut().step_by(3).for_each(|p| *p = f32::NAN);
    probs.axis_iter_mut(Axis(0)).skip(1).step_by(3).for_each(|mut row| row.fill(1.5));
    probs
}

/// Probabilities: each row is positive and has the sum 1; every fifth is exactly 1 in one class and 0 in the others.
pub(super) fn probabilities(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut probs = normal(rng, rows, cols).mapv(|x| (2.0 * x).exp());
    for (r, mut row) in probs.axis_iter_mut(Axis(0)).enumerate() {
        let sum = row.sum();
        row.mapv_inplace(|p| p / sum);
        if r % 5 == 4 {
            row.fill(0.0);
            row[r % cols] = 1.0;
        }
    }
    probs
}

/// Distributions over the classes as targets; some are one-hot, some have the sum 1.5.
fn target_distributions(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut shares = probabilities(rng, rows, cols);
    for (r, mut row) in shares.axis_iter_mut(Axis(0)).enumerate() {
        if r % 7 == 3 {
            row.mapv_inplace(|share| share * 1.5);
        }
    }
    shares
}

/// One class id a row, the first and the last class among them.
pub(super) fn classes(rng: &mut CaseRng, rows: usize, classes: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..rows).map(|_| rng.random_range(0..classes as u32)).collect();
    if let [first, .., last] = ids.as_mut_slice() {
        (*first, *last) = (0, classes as u32 - 1);
    }
    ids
}

/// Eleven kinds of special row in turn, then an everyday one: equal, large, larger, -inf in front, all -inf, +inf, NaN
/// first, NaN with its sign set last, 1e38, denormal, zeros of both signs.
pub(super) fn special_rows(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut x = normal(rng, rows, cols);
    for (r, mut row) in x.axis_iter_mut(Axis(0)).enumerate() {
        match r % 12 {
            0 => row.fill(3.25),
            1 => row.mapv_inplace(|x| x * 1e4),
            2 => row.mapv_inplace(|x| if x > 0.0 { 1e4 } else { -1e4 }),
            3 => row.iter_mut().take(cols / 2).for_each(|x| *x = f32::NEG_INFINITY),
            4 => row.fill(f32::NEG_INFINITY),
            5 => row[cols / 2] = f32::INFINITY,
            6 => row[0] = f32::NAN,
            7 => row[cols - 1] = f32::NAN.copysign(-1.0),
            // Far apart, yet near enough that a weighted loss stays below f32's largest number.
            8 => row.mapv_inplace(|x| if x > 0.5 { 1e38 } else { -1e37 }),
            9 => row.mapv_inplace(|x| x * 1e-39),
            10 => row.iter_mut().enumerate().for_each(|(c, x)| *x = if c % 2 == 0 { -0.0 } else { 0.0 }),
            _ => {}
        }
    }
    x
}
