//! Error bounds of f32 results against an f64 reference. They are derived, never fitted. u = 2⁻²³ is twice the relative error of one
//! f32 operation, so the error of a sum of n terms, in any order, is at most n u / 2 times the sum of their magnitudes.
//!
//! WGSL lets devices choose how they round, and lets compilers reorder sums. The bounds assume that +, -, · and fma round to the
//! nearest f32, and that sums are added in the order of the kernels. On another device the cases whose roundings all have one sign
//! may fail. The guide's page `numerics` lists the other assumptions.
//!
//! Each bound comes with a likely error from the same derivation. A bound is a sum of parts e₁ + e₂ + .., as if all errors had one
//! sign. Errors of random signs make a random walk, whose length is √(e₁² + e₂² + ..).

use std::iter::Sum;
use std::ops::{Add, Mul};

use ndarray::{Array2, ArrayView2, Axis};

/// u = 2⁻²³.
pub(super) const U: f64 = f32::EPSILON as f64;
/// The smallest normal f32. WGSL allows smaller results to be flushed to zero.
const FLUSH: f64 = f32::MIN_POSITIVE as f64;
/// WGSL's absolute error of the logarithm near 1.
const LOG: f64 = 1.0 / (1u64 << 21) as f64;

/// The bound of a result's error: its distance from exact arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bound {
    /// The largest possible error: the sum of the bound's parts.
    pub most: f64,
    /// The likely error: the root of the sum of the parts' squares, which is never larger.
    pub likely: f64,
}

impl Bound {
    /// No error at all.
    pub const NONE: Bound = Bound { most: 0.0, likely: 0.0 };
    /// The error of a flush to zero.
    pub const FLUSH: Bound = Bound::one(FLUSH);
    /// The error that WGSL allows for the logarithm near 1.
    pub const LOG: Bound = Bound::one(LOG);

    /// The bound of one error of this size. The error that WGSL allows for a function counts as one too, since a driver's function
    /// may always err in one direction.
    pub const fn one(size: f64) -> Self {
        Bound { most: size, likely: size }
    }

    /// The error of n roundings of numbers of size 1: n u / 2 at most, √n u / 2 likely.
    pub fn roundings(count: f64) -> Self {
        Bound { most: count * U / 2.0, likely: count.sqrt() * U / 2.0 }
    }

    /// The error of so many flushes to zero.
    pub fn flushes(count: usize) -> Self {
        Bound::FLUSH * count as f64
    }

    /// The bound with `change` applied to both numbers. `change` must be increasing and 0 at 0.
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Bound { most: change(self.most), likely: change(self.likely) }
    }

    /// The bound with the error of a flush to zero added. It is [`Bound::NONE`] if it would not be finite, so that only equality
    /// passes.
    pub fn or_none(self) -> Self {
        if self.most.is_finite() { self + Bound::FLUSH } else { Bound::NONE }
    }
}

impl Add for Bound {
    type Output = Bound;

    fn add(self, other: Bound) -> Bound {
        let likely = (self.likely * self.likely + other.likely * other.likely).sqrt();
        Bound { most: self.most + other.most, likely }
    }
}

impl Mul<f64> for Bound {
    type Output = Bound;

    fn mul(self, factor: f64) -> Bound {
        Bound { most: self.most * factor, likely: self.likely * factor }
    }
}

impl Sum for Bound {
    fn sum<I: Iterator<Item = Bound>>(bounds: I) -> Bound {
        bounds.fold(Bound::NONE, Add::add)
    }
}

/// The bound of a product over k, of this magnitude. Each term is rounded when it is multiplied, and by each later addition to its
/// sum: at most k of them if terms are added one by one. Kernels that cut k make shorter chains, with a few additions more to join
/// the parts. The error is at most (k / 2 + 2) u of the magnitude, likely √(k + 4) u / 2, and each term, and the bias, may be
/// flushed to zero.
pub(super) fn product(magnitude: f64, k: usize) -> Bound {
    Bound::roundings(k as f64 + 4.0) * magnitude + Bound::flushes(k + 1)
}

/// The bound of the sum of a row, and of up to seven roundings of each term before: runs of at most 32, lanes of at most
/// cols / 128, and trees above them. The error is at most (20 + C / 64) u, likely √(40 + C / 32) u / 2. In any order a term goes
/// through C - 1 additions at most, which is less in short rows.
pub(super) fn row_sum(terms: usize) -> Bound {
    let terms = terms as f64;
    Bound::roundings((40.0 + terms / 32.0).min(terms + 6.0))
}

/// The bound of a sum over the rows of a matrix: runs of 16 or 32, and the trees above them, level by level. The error is at most
/// (16 + log₂ rows) u, likely √(32 + 2 log₂ rows) u / 2. In any order a term goes through rows - 1 additions at most, which is less
/// for few rows. Callers add the error of rows that are flushed to zero.
pub(super) fn column_sum(rows: usize) -> Bound {
    let rows = rows as f64;
    Bound::roundings((32.0 + 2.0 * rows.log2()).min(rows - 1.0))
}

/// The relative bound of a sum of exponentials of x - m. Each is within (3 + 2.5 |x - m|) u: WGSL's exp is within 3 + 2|x|
/// ulp, and its argument is rounded. The mean of |x - m|, each weighted by its exponential, is at most ln C. The rest is
/// that of the sum.
fn exponentials(cols: usize) -> Bound {
    Bound::one((3.0 + 2.0 * (cols as f64).log2()) * U) + row_sum(cols)
}

/// The bound of softmax: the errors of the exponential, of the sum, and of a quotient, 2.5 ulp, or of an inverse and a product.
pub(super) fn softmax(probs: &Array2<f64>, logits: ArrayView2<'_, f64>) -> Array2<Bound> {
    let (sum, quotient) = (exponentials(logits.ncols()), Bound::one(2.5 * U) + Bound::roundings(3.0));
    let mut bound = probs.mapv(Bound::one);
    for (mut row, x) in bound.axis_iter_mut(Axis(0)).zip(logits.rows()) {
        let maximum = x.fold(f64::NEG_INFINITY, |maximum, x| maximum.max(*x));
        row.zip_mut_with(&x, |bound, x| {
            let p = bound.most;
            // p is 0 wherever x - m is infinite.
            let distance = if p == 0.0 { 0.0 } else { (x - maximum).abs() };
            *bound = (Bound::one((3.0 + 3.0 * distance) * U) + quotient + sum) * p + Bound::FLUSH;
        });
    }
    bound
}

/// The bound of the logarithm of a row's sum of exponentials: WGSL's logarithm is within 2⁻²¹ near 1. Elsewhere it is within
/// 3 ulp of itself, which callers add.
pub(super) fn log_sum(cols: usize) -> Bound {
    Bound::LOG + exponentials(cols)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Bound, U, column_sum, log_sum, product};
    use crate::Device;
    use crate::verify;
    use crate::verify::inputs::row_of_lanes;

    #[test]
    fn parts_add_up_at_most_and_by_their_squares_likely() {
        let both = Bound::one(3.0) + Bound::one(4.0);
        assert_eq!((both.most, both.likely), (7.0, 5.0));
        let near = |bound: Bound, most: f64, likely: f64| {
            (bound.most / most - 1.0).abs() < 1e-9 && (bound.likely / likely - 1.0).abs() < 1e-9
        };
        let one_by_one: Bound = (0..16).map(|_| Bound::roundings(1.0)).sum();
        assert!(near(one_by_one, 8.0 * U, 2.0 * U), "{one_by_one:?}");
        assert!(near(Bound::roundings(16.0) * 3.0, 24.0 * U, 6.0 * U));
        assert!(near(product(2.0, 96), 100.0 * U, 10.0 * U));
        // The logarithm itself, the exponentials of 64 columns, and their sum. The cases of log_softmax cannot test this: the
        // errors that come nearest to their bound belong to large results, whose own rounding makes up most of the bound.
        assert!(near(log_sum(64), (4.0 + 15.0 + 21.0) * U, (16.0 + 225.0 + 10.5_f64).sqrt() * U));
    }

    /// The tree of a GPU's column sum, level by level: a lane of a block adds runs of 16 rows, and the lanes are halved.
    fn column_tree<T: Copy>(mut x: Vec<T>, lanes: usize, zero: T, join: impl Fn(T, T) -> T) -> T {
        let depth = if lanes == 1 { 64 } else { 16 };
        let of_block = |block: &[T]| {
            let of_lane = |lane: usize| {
                let own: Vec<T> = block.iter().copied().skip(lane).step_by(lanes).collect();
                own.chunks(16).map(|run| run.iter().copied().fold(zero, &join)).fold(zero, &join)
            };
            let mut sums: Vec<T> = (0..lanes).map(of_lane).collect();
            while sums.len() > 1 {
                let half = sums.len() / 2;
                sums = (0..half).map(|lane| join(sums[lane], sums[lane + half])).collect();
            }
            sums[0]
        };
        while x.len() > 1 {
            x = x.chunks(lanes * depth).map(of_block).collect();
        }
        x[0]
    }

    #[test]
    fn no_row_goes_through_more_additions_than_the_bound_of_column_sum_has() {
        let join = |a: Option<u32>, b: Option<u32>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b) + 1),
            (a, b) => a.or(b),
        };
        let many = [1024, 2049, 4096, 4097, 65_537, 1 << 18];
        for rows in (2..600).chain(many) {
            for lanes in [1, 4, 32, 128] {
                let additions = column_tree(vec![Some(0); rows], lanes, None, join).unwrap();
                let bound = column_sum(rows).most / (U / 2.0);
                assert!(f64::from(additions) <= bound + 1e-9, "{rows} rows, {lanes} lanes: {additions}, over {bound}");
            }
        }
    }

    #[test]
    fn rows_made_for_the_lanes_lose_with_nearly_each_addition() {
        for (lanes, rows, least) in
            [(1, 12, 0.97), (1, 1031, 0.6), (4, 4096, 0.58), (32, 1031, 0.36), (128, 2049, 0.38)]
        {
            let x: Vec<f32> = (0..rows).map(|row| row_of_lanes(row, lanes) as f32).collect();
            let want: f64 = x.iter().map(|x| f64::from(*x)).sum();
            let error = (f64::from(column_tree(x, lanes, 0.0, |a, b| a + b)) - want).abs();
            let share = error / (column_sum(rows).most * want);
            assert!((least..=1.0).contains(&share), "{rows} rows, {lanes} lanes: {share}");
        }
    }

    /// For each op, about half of the largest share that an error of the CPU path has of its bound. If a bound became several times
    /// as loose, it would accept wrong results, and only this test would fail.
    const WITHIN_REACH: [(&str, f64); 24] = [
        ("bias_add", 0.5),
        ("column_sum", 0.49),
        ("momentum", 0.29),
        ("adam", 0.27),
        ("sgd", 0.26),
        ("dropout", 0.26),
        ("rmsprop", 0.25),
        ("adagrad", 0.25),
        ("clip_scale", 0.16),
        ("linear", 0.15),
        ("dense_backward", 0.14),
        ("matmul", 0.13),
        ("matmul_tn", 0.12),
        ("linear_gradients", 0.12),
        ("matmul_nt", 0.12),
        ("linear_backward", 0.12),
        ("softmax_backward", 0.1),
        ("linear_cross_entropy", 0.1),
        ("softmax_cross_entropy", 0.07),
        ("nll_backward", 0.05),
        ("training", 0.045),
        ("log_softmax", 0.035),
        ("nll", 0.035),
        ("softmax", 0.033),
    ];

    #[test]
    fn errors_come_near_enough_to_their_bounds() {
        let report = verify::run(&Device::cpu()).unwrap();
        for (op, least) in WITHIN_REACH {
            let share = report.rows().iter().find(|row| row.op == op).unwrap().worst.share;
            assert!(share >= least, "{op}: no error is over {share:.3} of its bound");
        }
    }
}
