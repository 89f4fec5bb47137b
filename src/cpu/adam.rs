//! adam: gradient descent with moments (Kingma and Ba, 2015, algorithm 1), and AdamW (Loshchilov and Hutter, 2019).

use ndarray::{ArrayViewMut2, Axis, Zip};

use super::{Gradient, Real, threads};
use crate::options::AdamOptions;

/// The parameters, and the running moments of their gradients: the means of the gradients and of their squares.
#[derive(Debug)]
pub struct Moments<'a, T> {
    /// The parameters.
    pub w: ArrayViewMut2<'a, T>,
    /// The first moment: the mean of the gradients.
    pub m: ArrayViewMut2<'a, T>,
    /// The second moment: the mean of their squares.
    pub v: ArrayViewMut2<'a, T>,
}

/// The cost of an element in simple operations: a division and a root.
const COST: usize = 4;

/// One step of adam, the `step`-th, counted from 1: m = β₁ m + (1 - β₁) dw, v = β₂ v + (1 - β₂) dw²,
/// w = (1 - η λ) w - η m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε).
pub fn adam<T: Real>(mut moments: Moments<'_, T>, gradient: Gradient<'_, T>, options: &AdamOptions, step: u64) {
    let bias = |beta: f64| T::of(1.0 - beta.powf(step as f64));
    let (bias1, bias2) = (bias(options.beta1), bias(options.beta2));
    let (beta1, beta2) = (T::of(options.beta1), T::of(options.beta2));
    let (rest1, rest2) = (T::of(1.0 - options.beta1), T::of(1.0 - options.beta2));
    let (learning_rate, epsilon) = (T::of(options.learning_rate), T::of(options.epsilon));
    let keep = T::of(1.0 - options.learning_rate * options.weight_decay);
    let (work, block) = (gradient.dw.len().saturating_mul(COST), threads::block_rows(gradient.dw.ncols()));
    let (w, dw) = (moments.w.axis_chunks_iter_mut(Axis(0), block), gradient.dw.axis_chunks_iter(Axis(0), block));
    let (m, v) = (moments.m.axis_chunks_iter_mut(Axis(0), block), moments.v.axis_chunks_iter_mut(Axis(0), block));
    threads::each(w.zip(dw).zip(m.zip(v)), work, |((w, dw), (m, v))| {
        Zip::from(w).and(dw).and(m).and(v).for_each(|w, dw, m, v| {
            let gradient = gradient.at(*w, *dw);
            *m = beta1 * *m + rest1 * gradient;
            *v = beta2 * *v + rest2 * gradient * gradient;
            *w = keep * *w - learning_rate * (*m / bias1) / ((*v / bias2).sqrt() + epsilon);
        });
    });
}
