//! Bounds of the update rules: how far a parameter and the rule's slots may be off after one step.

use crate::ops::{AdaGradOptions, AdamOptions, MomentumOptions, RmsPropOptions};
use crate::verify::bounds::{Bound, U};

/// One element of a step.
pub(super) struct Element {
    /// The parameter before the step.
    pub w: f64,
    /// Its gradient, with clipping and penalties.
    pub gradient: f64,
    /// The error of that gradient.
    pub error: Bound,
    /// The rule's slots before the step.
    pub before: [f64; 2],
    /// The rule's slots after the step.
    pub after: [f64; 2],
}

/// sgd: w - η g.
pub(super) fn sgd_bound(e: &Element, learning_rate: f64) -> [Bound; 3] {
    let step = e.error + Bound::roundings(4.0) * e.gradient.abs();
    [Bound::roundings(2.0) * e.w.abs() + step * learning_rate, Bound::NONE, Bound::NONE]
}

/// momentum: the rounding of μ, and at most two products and two sums. The error of each line is carried through the next.
pub(super) fn momentum_bound(e: &Element, options: &MomentumOptions) -> [Bound; 3] {
    let MomentumOptions { learning_rate, momentum, nesterov } = *options;
    let (gradient, look_ahead) = (e.gradient.abs(), momentum * e.after[0].abs());
    let few = Bound::roundings(4.0);
    let velocity = e.error + few * (momentum * e.before[0].abs() + gradient);
    let (direction, error) = match nesterov {
        true => (e.gradient + momentum * e.after[0], e.error + velocity * momentum + few * (gradient + look_ahead)),
        false => (e.after[0], velocity),
    };
    [Bound::roundings(2.0) * e.w.abs() + (error + few * direction.abs()) * learning_rate, velocity, Bound::NONE]
}

/// adagrad: the quotient, and the sum of squares.
pub(super) fn adagrad_bound(e: &Element, options: &AdaGradOptions) -> [Bound; 3] {
    let squares = Bound::roundings(4.0) * e.after[0] + carried_by_square(e);
    [quotient_bound(e, options.learning_rate, options.epsilon), squares, Bound::NONE]
}

/// rmsprop: the quotient, and the mean of squares.
pub(super) fn rmsprop_bound(e: &Element, options: &RmsPropOptions) -> [Bound; 3] {
    let squares = Bound::roundings(6.0) * e.after[0] + carried_by_square(e) * (1.0 - options.decay);
    [quotient_bound(e, options.learning_rate, options.epsilon), squares, Bound::NONE]
}

/// adam, step t: the decayed parameter, both means, and their quotient.
pub(super) fn adam_bound(e: &Element, options: &AdamOptions, t: u64) -> [Bound; 3] {
    let AdamOptions { learning_rate, beta1, beta2, epsilon, weight_decay } = *options;
    let unbias = |beta: f64| 1.0 / (1.0 - beta.powf(t as f64));
    let (rest1, rest2) = (1.0 - beta1, 1.0 - beta2);
    let [mean, square] = e.after;
    let roundings = Bound::roundings(if weight_decay == 0.0 { 2.0 } else { 4.0 });
    let decayed = roundings * ((1.0 - learning_rate * weight_decay) * e.w.abs());
    let factor = learning_rate * unbias(beta1) / ((square * unbias(beta2)).sqrt() + epsilon);
    let m = Bound::roundings(8.0) * ((beta1 * e.before[0]).abs() + (rest1 * e.gradient).abs()) + e.error * rest1;
    let v = Bound::roundings(12.0) * square + carried_by_square(e) * rest2;
    // The relative error of the root of v is half of v's; root, quotient and all roundings are off by 16u.
    let through_v = if square > 0.0 { carried_by_square(e) * (rest2 / square) } else { Bound::NONE };
    let quotient = Bound::one(5.0 * U) + Bound::one(2.5 * U) + Bound::roundings(17.0);
    [decayed + (m + (quotient + through_v) * mean.abs()) * factor, m, v]
}

/// The error of the gradient's square that comes from the gradient's error.
fn carried_by_square(e: &Element) -> Bound {
    e.error.map(|error| 3.0 * e.gradient.abs() * error + error * error)
}

/// The quotient η g / (√s + ε): the root is off by 5u, the quotient by 2.5u, sums, products and constants by u / 2 each. The
/// gradient's error counts once by itself and at most once through s, which is no less than what g² adds to it.
fn quotient_bound(e: &Element, learning_rate: f64, epsilon: f64) -> Bound {
    let factor = learning_rate / (e.after[0].sqrt() + epsilon);
    let quotient = Bound::one(5.0 * U) + Bound::one(2.5 * U) + Bound::roundings(9.0);
    Bound::roundings(2.0) * e.w.abs() + (quotient * e.gradient.abs() + e.error * 3.0) * factor
}
