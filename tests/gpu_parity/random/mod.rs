//! Random ops, shapes, numbers and labels, good and bad.

#![allow(clippy::unwrap_used, reason = "tests")]

pub mod bounds;
pub mod table;

use ndarray::Array2;
use proptest::prelude::*;
use rand::rngs::ChaCha12Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use table::{OPS, Op};

/// A draw. The numbers of the operands follow from it.
#[derive(Clone, Debug)]
pub struct Draw {
    op: usize,
    dims: [usize; 3],
    /// The dimension of the other operands that is one too large; from 4 on none is.
    off: usize,
    fills: [usize; 3],
    /// The kind of label or share that is bad; from 2 on none is.
    bad: usize,
    seed: u64,
}

/// The operands of an op.
#[derive(Clone)]
pub struct Given {
    pub a: Array2<f32>,
    pub b: Array2<f32>,
    pub c: Array2<f32>,
    pub labels: Vec<i64>,
    pub shares: Array2<f32>,
    pub weights: Array2<f32>,
    pub classes: usize,
    /// The options, digit by digit.
    choice: usize,
}

/// All draws. When a failure is reduced, smaller draws are tried first.
pub fn draws() -> impl Strategy<Value = Draw> {
    // Some rows are long enough for every mapping of rows to threads.
    let dim = || prop_oneof![3 => 1..=6usize, 6 => 1..=40usize, 1 => 100..=140usize];
    let head = OPS.iter().position(|op| op.name == "softmax_cross_entropy").unwrap_or(0);
    (
        prop_oneof![3 => 0..OPS.len(), 1 => Just(head)],
        [dim(), dim(), dim()],
        0..16usize,
        [0..6usize, 0..6, 0..6],
        0..12usize,
        any::<u64>(),
    )
        .prop_map(|(op, dims, off, fills, bad, seed)| Draw { op, dims, off: 15 - off, fills, bad: 11 - bad, seed })
}

impl Draw {
    pub fn op(&self) -> &'static Op {
        &OPS[self.op]
    }

    pub fn given(&self) -> Given {
        let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
        let ([m, k, _], rng) = (self.dims, &mut rng);
        let extra = |index| usize::from(self.off == index);
        let [[b_rows, b_cols], [c_rows, c_cols]] = (self.op().shapes)(self.dims);
        let (rows, classes) = (m + extra(0), k + extra(1));
        let a = fill(rng, self.fills[0], m, k);
        // Half of the labels are where the row has its maximum, or NaN.
        let peak = |r: usize| (0..k).rev().max_by(|i, j| a[[r, *i]].total_cmp(&a[[r, *j]])).unwrap_or(0);
        let label = |r: usize| if r < m && rng.random() { peak(r) } else { rng.random_range(0..classes) };
        let mut labels: Vec<i64> = (0..rows).map(label).map(|class| class as i64).collect();
        let mut shares = fill(rng, 1, rows, classes);
        let at = rng.random_range(0..rows);
        match self.bad {
            0 => (labels[at], shares[[at, classes - 1]]) = (classes as i64, -0.25),
            1 => (labels[at], shares[[at, 0]]) = (-1, f32::NAN),
            _ => {}
        }
        Given {
            a,
            b: fill(rng, self.fills[1], b_rows + extra(0), b_cols + extra(1)),
            c: fill(rng, self.fills[2], c_rows + extra(2), c_cols + extra(3)),
            labels,
            shares,
            weights: fill(rng, 0, 1, k + extra(2)).mapv(|x| x.tanh().exp2()),
            classes,
            choice: rng.random_range(0..1 << 30),
        }
    }
}

impl Given {
    /// The operands with denormals flushed to zero, which WGSL allows.
    pub fn flushed(&self) -> Given {
        let flush = |x: &Array2<f32>| x.mapv(|x| if x.is_subnormal() { 0.0 } else { x });
        Given { a: flush(&self.a), b: flush(&self.b), c: flush(&self.c), ..self.clone() }
    }

    pub fn distributed(&self) -> bool {
        self.choice % 2 == 1
    }

    pub fn relu(&self) -> bool {
        self.choice % 2 == 1
    }

    pub fn step(&self) -> u64 {
        1 + self.choice as u64 % 5
    }

    pub fn weighted(&self) -> bool {
        self.choice / 2 % 2 == 1
    }

    pub fn ignored(&self) -> Option<u32> {
        let last = self.classes as u32 - 1;
        [None, None, None, Some(0), Some(last), Some(self.labels[0].unsigned_abs() as u32), Some(last + 1)]
            [self.choice / 4 % 7]
    }

    pub fn smoothing(&self) -> f32 {
        [0.0, 0.0, 0.1, 0.1, 1.0, -0.5][self.choice / 28 % 6]
    }

    /// None, mean, sum.
    pub fn reduction(&self) -> usize {
        self.choice / 168 % 3
    }
}

const SPECIALS: [f32; 13] = [
    f32::NAN,
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NEG_INFINITY,
    0.0,
    -0.0,
    f32::MAX,
    -3e38,
    1e38,
    1e-40,
    -1e-45,
    f32::MIN_POSITIVE,
];

/// Everyday numbers, shares, few values and many ties, huge ones, denormals, and special ones among everyday ones.
fn fill(rng: &mut ChaCha12Rng, kind: usize, rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, cols), || {
        let x: f32 = StandardNormal.sample(rng);
        match kind {
            5.. if rng.random_bool((1.5 / cols as f64).min(0.5)) => SPECIALS.choose(rng).copied().unwrap_or(x),
            1 => (x.abs() - 0.4).clamp(0.0, 1.0),
            2 => x.round(),
            3 => x * 1e37,
            4 => x * 1e-39,
            _ => x,
        }
    })
}
