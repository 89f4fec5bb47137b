//! How far the results of the device and of the CPU path may be apart.
//!
//! Both are within an op's documented bound of exact arithmetic, u = 2^-23, so they are within twice that of each other. Random
//! numbers, which the table of cases does not have, add two things. Where the magnitudes that enter a sum come near the largest
//! f32, the order of the terms decides whether it overflows, so nothing is checked there. And WGSL may flush denormals, so each
//! product that enters a sum may lose up to the smallest normal number.

use ndarray::{Array2, ArrayView2, Axis, array};
use wgpu_mlp::ops::{self, AdaGradOptions, AdamOptions, MomentumOptions, RmsPropOptions};
use wgpu_mlp::{Device, Matrix};

use super::Given;

pub const U: f64 = f32::EPSILON as f64;
pub const FLUSH: f64 = f32::MIN_POSITIVE as f64;
/// WGSL's absolute error of the logarithm near 1.
pub const LOG: f64 = 1.0 / (1u64 << 21) as f64;
/// Magnitudes above this may overflow in one order and not in another.
const NEAR_OVERFLOW: f64 = f32::MAX as f64 / 4.0;

/// No bound is set near overflow.
pub fn unless_huge(magnitude: f64, bound: f64) -> f64 {
    if magnitude > NEAR_OVERFLOW { f64::INFINITY } else { bound }
}

/// |x|, and 0 for NaN and infinities: results that depend on these must be equal to those of the CPU path.
pub fn magnitude(x: f32) -> f64 {
    if x.is_finite() { f64::from(x.abs()) } else { 0.0 }
}

/// Relative error of a sum along a row.
pub fn row_sum(cols: usize) -> f64 {
    (20.0 + cols as f64 / 64.0) * U
}

/// Relative error of a sum over the rows.
pub fn sum_of_rows(rows: usize) -> f64 {
    (20.0 + (rows as f64).log2()) * U
}

/// Error of the logarithm of a row's sum of exponentials.
pub fn log_sum(cols: usize) -> f64 {
    LOG + U * (3.0 + 2.0 * (cols as f64).log2()) + row_sum(cols)
}

/// Twice (k / 2 + 2) u (|A||B|), and k + 1 terms that may be flushed.
pub fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f64> {
    let k = a.ncols() as f64;
    let bound = |m: f64| (k / 2.0 + 2.0) * U * m + (k + 1.0) * FLUSH;
    a.mapv(magnitude).dot(&b.mapv(magnitude)).mapv(|m| unless_huge(m, 2.0 * bound(m)))
}

/// The row's largest finite logit.
pub fn top(x: &Array2<f32>, r: usize) -> f64 {
    x.row(r).iter().filter(|x| x.is_finite()).fold(f64::from(f32::MIN), |top, x| top.max((*x).into()))
}

/// u p (30 + 3 |x - m| + 2 log C + C / 64) for probabilities p of logits x.
pub fn softmax(x: &Array2<f32>, probs: &Array2<f32>) -> Array2<f64> {
    let sum = U * (3.0 + 2.0 * (x.ncols() as f64).log2()) + row_sum(x.ncols());
    Array2::from_shape_fn(x.dim(), |(r, c)| {
        let (p, distance) = (magnitude(probs[[r, c]]), (f64::from(x[[r, c]]) - top(x, r)).abs());
        if p == 0.0 { 0.0 } else { p * (U * (7.0 + 3.0 * distance) + sum) }
    })
}

/// The documented bounds of losses and gradients; those of the sums follow from them.
pub fn head_bounds(g: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    let (x, cols, smoothing) = (&g.a, g.a.ncols(), f64::from(g.smoothing()));
    let q = Array2::from_shape_fn(x.dim(), |(r, c)| {
        let share = if g.distributed() { g.shares[[r, c]].into() } else { f64::from(g.labels[r] == c as i64) };
        let weight = if g.weighted() { g.weights[[0, c]].into() } else { 1.0 };
        weight * ((1.0 - smoothing) * share + smoothing / cols as f64)
    });
    let (mass, runs, level) = (q.sum_axis(Axis(1)), row_sum(cols), sum_of_rows(x.nrows()));
    let losses = Array2::from_shape_fn(want[0].dim(), |(r, _)| {
        let top = top(x, r).abs();
        let size: f64 = (0..cols).map(|c| q[[r, c]] * (magnitude(x[[r, c]]) + top)).sum();
        let loss = magnitude(want[0][[r, 0]]);
        let bound = mass[r] * log_sum(cols) + 4.0 * U * size + (4.0 * U + runs) * loss;
        unless_huge(size + 2.0 * top, 2.0 * bound + FLUSH)
    });
    let probs = Matrix::from_array(&Device::cpu(), x.view()).and_then(|x| ops::softmax(&x)?.to_array()).unwrap();
    let softmax = softmax(x, &probs);
    let weight_sum = f64::from(want[3][[0, 1]]);
    let divisor = if g.reduction() == 1 && weight_sum > 0.0 { weight_sum } else { 1.0 };
    let slopes = Array2::from_shape_fn(x.dim(), |(r, c)| {
        let (p, q) = (magnitude(probs[[r, c]]), q[[r, c]]);
        let terms = softmax[[r, c]] * mass[r] + 4.0 * U * (p * mass[r] + q) + runs * p * mass[r] + FLUSH;
        2.0 * (terms / divisor + level * magnitude(want[1][[r, c]])) + FLUSH
    });
    // The test compares which losses are finite only if none of them comes near overflow.
    let finite = if losses.iter().all(|bound| bound.is_finite()) { 0.0 } else { f64::INFINITY };
    let size = want[0].mapv(magnitude).sum();
    let sums = array![[unless_huge(size, losses.sum() + 2.0 * level * size), 2.0 * level * weight_sum]];
    vec![losses, slopes, array![[0.0, 0.0, finite, finite]], sums]
}

/// The error of each line is carried to the next: m, v, then w, whose update has an error of 16 u of itself besides that of m.
pub fn adam_bounds(g: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    let options = AdamOptions::default();
    let unbias = |beta: f64| 1.0 / (1.0 - beta.powf(g.step() as f64));
    let (unbias1, unbias2) = (unbias(options.beta1), unbias(options.beta2));
    let mut bounds = vec![Array2::zeros(g.a.dim()); 3];
    for ((at, w), (dw, c)) in g.a.indexed_iter().zip(g.b.iter().zip(&g.c)) {
        let (w, dw, c) = (magnitude(*w), magnitude(*dw), magnitude(*c));
        let (terms, squares) = (options.beta1 * c + (1.0 - options.beta1) * dw, c + dw * dw);
        let slope = options.learning_rate / ((magnitude(want[2][at]) * unbias2).sqrt() + options.epsilon) * unbias1;
        let (update, carried) = (slope * magnitude(want[1][at]), slope * 4.0 * (U * terms + FLUSH));
        let huge = w + update + terms * unbias1 + squares * unbias2;
        bounds[0][at] = unless_huge(huge, 2.0 * (U * w + 16.0 * U * update + carried) + FLUSH);
        bounds[1][at] = unless_huge(terms, 8.0 * (U * terms + FLUSH));
        bounds[2][at] = unless_huge(squares, 12.0 * (U * magnitude(want[2][at]) + FLUSH));
    }
    bounds
}

/// The velocity's error 2 u (μ |velocity| + |dw|), carried through a step that adds 2 u of its own size.
pub fn momentum_bounds(g: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    let MomentumOptions { learning_rate, momentum, .. } = MomentumOptions::default();
    let mut bounds = vec![Array2::zeros(g.a.dim()); 2];
    for ((at, w), (dw, c)) in g.a.indexed_iter().zip(g.b.iter().zip(&g.c)) {
        let (w, terms) = (magnitude(*w), momentum * magnitude(*c) + magnitude(*dw));
        let (kept, step) = (2.0 * (U * terms + FLUSH), learning_rate * magnitude(want[1][at]));
        bounds[0][at] = unless_huge(w + terms, 2.0 * (U * w + 2.0 * U * step + learning_rate * kept) + 2.0 * FLUSH);
        bounds[1][at] = unless_huge(terms, 2.0 * kept);
    }
    bounds
}

/// squares = decay · c + rest · dw², off by 3 u of themselves, and a step η dw / (√squares + ε) by 12 u.
fn quotient_bounds(g: &Given, want: &[Array2<f32>], rate: f64, epsilon: f64, rest: f64) -> Vec<Array2<f64>> {
    let mut bounds = vec![Array2::zeros(g.a.dim()); 2];
    for ((at, w), (dw, c)) in g.a.indexed_iter().zip(g.b.iter().zip(&g.c)) {
        let (w, dw, size) = (magnitude(*w), magnitude(*dw), magnitude(*c) + magnitude(*dw).powi(2));
        let factor = rate / (magnitude(want[1][at]).sqrt() + epsilon);
        let carried = factor * (12.0 * U * dw + FLUSH);
        bounds[0][at] = unless_huge(w + factor * dw + size, 2.0 * (U * w + carried + FLUSH));
        bounds[1][at] = unless_huge(size, 2.0 * (3.0 * U * magnitude(want[1][at]) + (2.0 + rest) * FLUSH));
    }
    bounds
}

pub fn adagrad_bounds(g: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    let AdaGradOptions { learning_rate, epsilon } = AdaGradOptions::default();
    quotient_bounds(g, want, learning_rate, epsilon, 1.0)
}

pub fn rmsprop_bounds(g: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    let RmsPropOptions { learning_rate, decay, epsilon } = RmsPropOptions::default();
    quotient_bounds(g, want, learning_rate, epsilon, 1.0 - decay)
}
