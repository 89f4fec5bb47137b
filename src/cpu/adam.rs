//! adam: gradient descent with moments (Kingma and Ba, 2015, algorithm 1).

use ndarray::{ArrayView2, ArrayViewMut2, Zip};

use super::Real;
use crate::ops::AdamOptions;

/// What a step changes: the parameters, and the running means of the gradients and of their squares.
#[derive(Debug)]
pub struct Moments<'a, T> {
    /// The parameters.
    pub w: ArrayViewMut2<'a, T>,
    /// The mean of the gradients.
    pub m: ArrayViewMut2<'a, T>,
    /// The mean of their squares.
    pub v: ArrayViewMut2<'a, T>,
}

/// One step, the `step`-th counted from 1.
pub fn adam<T: Real>(moments: Moments<'_, T>, dw: ArrayView2<'_, T>, options: &AdamOptions, step: u64) {
    let bias = |beta: f64| T::of(1.0 - beta.powf(step as f64));
    let (bias1, bias2) = (bias(options.beta1), bias(options.beta2));
    let (beta1, beta2) = (T::of(options.beta1), T::of(options.beta2));
    let (rest1, rest2) = (T::of(1.0 - options.beta1), T::of(1.0 - options.beta2));
    let (learning_rate, epsilon) = (T::of(options.learning_rate), T::of(options.epsilon));
    Zip::from(moments.w).and(dw).and(moments.m).and(moments.v).for_each(|w, dw, m, v| {
        *m = beta1 * *m + rest1 * *dw;
        *v = beta2 * *v + rest2 * *dw * *dw;
        *w = *w - learning_rate * (*m / bias1) / ((*v / bias2).sqrt() + epsilon);
    });
}
