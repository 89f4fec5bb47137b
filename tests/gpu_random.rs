//! Random ops on random shapes, numbers and labels, good and bad: the device and the CPU path give the same error, or
//! results that agree, and an everyday call behind every draw is right.
//!
//! Both paths are within an op's bound of exact arithmetic, so they are within twice that of each other. The bounds are
//! those that the ops document, u = 2^-23, with three additions for numbers that no table of cases has:
//! - Where the magnitudes that enter a sum come near the largest f32, the order of the terms decides whether it
//!   overflows: nothing is claimed there. How often that was so is printed.
//! - WGSL may flush denormals, so each product that enters a sum may lose the smallest normal number.
//! - Flushed operands matter where they meet infinities (0 * inf): the CPU path runs on the numbers as they are and on
//!   flushed ones, and either will do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::cell::Cell;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use libtest_mimic::Failed;
use ndarray::{Array2, ArrayView2, Axis, array};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rand::rngs::ChaCha12Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy, Reduction};
use wgpu_mlp::{Device, GpuOptions, Matrix, Result, Targets};

const U: f64 = f32::EPSILON as f64;
const FLUSH: f64 = f32::MIN_POSITIVE as f64;
const LOG: f64 = 1.0 / (1u64 << 21) as f64;
/// Magnitudes above this may overflow in one order and not in another.
const NEAR_OVERFLOW: f64 = f32::MAX as f64 / 4.0;

fn main() -> ExitCode {
    common::run(vec![
        common::trial("the comparison refuses what is wrong", GpuOptions::default(), |_| comparison()),
        common::trial("random draws agree with the CPU path", GpuOptions::default(), draws),
    ])
}

/// What is drawn; the numbers follow from it.
#[derive(Clone, Debug)]
struct Draw {
    op: usize,
    dims: [usize; 3],
    /// Which dimension of the other operands is one too large; from 4 on none.
    off: usize,
    fills: [usize; 2],
    /// Which label or share is bad; from 2 on none.
    bad: usize,
    seed: u64,
}

/// What an op is given.
#[derive(Clone)]
struct Given {
    a: Array2<f32>,
    b: Array2<f32>,
    c: Array2<f32>,
    labels: Vec<i64>,
    shares: Array2<f32>,
    weights: Array2<f32>,
    classes: usize,
    /// The head's options, digit by digit.
    choice: usize,
}

type Outputs = Vec<Array2<f32>>;

struct Op {
    name: &'static str,
    /// Shapes of b and c for dims m, k, n; a is m x k.
    shapes: fn([usize; 3]) -> [[usize; 2]; 2],
    run: fn(&Device, &Given) -> Result<Outputs>,
    /// What the device may differ by from these results of the CPU path; infinite where nothing is claimed.
    bounds: fn(&Given, &[Array2<f32>]) -> Vec<Array2<f64>>,
}

const ALIKE: fn([usize; 3]) -> [[usize; 2]; 2] = |[m, k, _]| [[m, k], [m, k]];

fn on(device: &Device, x: &Array2<f32>) -> Result<Matrix> {
    Matrix::from_array(device, x.view())
}

fn one(matrix: Result<Matrix>) -> Result<Outputs> {
    Ok(vec![matrix?.to_array()?])
}

fn targets(device: &Device, g: &Given) -> Result<Targets> {
    match g.choice % 2 {
        0 => Targets::classes(device, &g.labels, g.classes),
        _ => Targets::distributions(device, g.shares.view()),
    }
}

fn options(device: &Device, g: &Given) -> Result<CrossEntropy> {
    let digit = |place: usize, base: usize| g.choice / place % base;
    Ok(CrossEntropy {
        class_weights: if digit(2, 2) == 0 { None } else { Some(on(device, &g.weights)?) },
        ignore_class: [None, None, Some(0), Some(g.classes as u32 - 1), Some(g.classes as u32)][digit(4, 5)],
        label_smoothing: [0.0, 0.1, 1.0, -0.5][digit(20, 4)],
        reduction: [Reduction::None, Reduction::Mean, Reduction::Sum][digit(80, 3)],
    })
}

/// Nothing is claimed near overflow.
fn unless_huge(magnitude: f64, bound: f64) -> f64 {
    if magnitude > NEAR_OVERFLOW { f64::INFINITY } else { bound }
}

fn magnitude(x: f32) -> f64 {
    if x.is_finite() { f64::from(x.abs()) } else { 0.0 }
}

/// (k + 2) u (|A||B|), and k flushed products.
fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f64> {
    let terms = a.ncols() as f64 + 2.0;
    a.mapv(magnitude).dot(&b.mapv(magnitude)).mapv(|m| unless_huge(m, 2.0 * terms * (U * m + FLUSH)))
}

fn exactly(_: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    want.iter().map(|want| Array2::zeros(want.dim())).collect()
}
