//! Inputs for the cases: random numbers of everyday size, small integers, and rows of every awkward kind.

use ndarray::{Array2, Axis};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::case::CaseRng;

/// One way to fill a matrix.
pub(super) type Fill = fn(&mut CaseRng, usize, usize) -> Array2<f32>;

/// Standard normal numbers.
pub(super) fn normal(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(rng))
}

/// Rows whose sums lose nearly half a unit with each term: 1, then ever the same number that is a little more than half of what
/// 1 can tell from itself.
pub(super) fn losing(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(_, c)| if c == 0 { 1.0 } else { 0.55 * f32::EPSILON })
}

/// Logits whose exponentials are such rows.
pub(super) fn logits_of_losing(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    losing(rng, rows, cols).mapv(f32::ln)
}

/// Logits whose exponentials are such rows, for lanes that take runs of 32: what is lost by a run, and by adding the runs.
pub(super) fn losing_logits(_: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let (within, between) = ((0.55 * f32::EPSILON).ln(), (0.55 * f32::EPSILON / 32.0).ln());
    Array2::from_shape_fn((rows, cols), |(_, c)| match c {
        0 => 0.0,
        1..32 => within,
        _ => between,
    })
}

/// Integers from -8 to 8: their products and sums are exact in f32.
pub(super) fn integers(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, cols), || rng.random_range(-8i8..=8).into())
}

/// Standard normal numbers, but NaN where the middle row begins.
pub(super) fn with_nan(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut x = normal(rng, rows, cols);
    x[[rows / 2, 0]] = f32::NAN;
    x
}

/// Probabilities of which some rows begin with NaN, and others are above 1, which only clipping makes losses of.
pub(super) fn improbable(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut probs = probabilities(rng, rows, cols);
    probs.column_mut(0).iter_mut().step_by(3).for_each(|p| *p = f32::NAN);
    probs.axis_iter_mut(Axis(0)).skip(1).step_by(3).for_each(|mut row| row.fill(1.5));
    probs
}

/// Probabilities: positive, each row with sum 1, some of them exactly 0 or 1.
pub(super) fn probabilities(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut probs = normal(rng, rows, cols).mapv(|x| (2.0 * x).exp());
    for (r, mut row) in probs.axis_iter_mut(Axis(0)).enumerate() {
        let sum = row.sum();
        row.mapv_inplace(|p| p / sum);
        if r % 5 == 4 {
            // One class is certain, the others are impossible.
            row.fill(0.0);
            row[r % cols] = 1.0;
        }
    }
    probs
}

/// Distributions over the classes, some one-hot, some that do not sum to one.
pub(super) fn distributions(rng: &mut CaseRng, rows: usize, cols: usize) -> Array2<f32> {
    let mut shares = probabilities(rng, rows, cols);
    for (r, mut row) in shares.axis_iter_mut(Axis(0)).enumerate() {
        if r % 7 == 3 {
            row.mapv_inplace(|share| share * 1.5);
        }
    }
    shares
}

/// A class id a row; the first and the last class among them.
pub(super) fn classes(rng: &mut CaseRng, rows: usize, classes: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..rows).map(|_| rng.random_range(0..classes as u32)).collect();
    if let [first, .., last] = ids.as_mut_slice() {
        (*first, *last) = (0, classes as u32 - 1);
    }
    ids
}

/// Eleven kinds of row in turn: equal, large, larger, -inf in front, all -inf, +inf, NaN first, NaN with its sign set last, 1e38,
/// denormal, zeros of both signs; and an everyday row between them.
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
