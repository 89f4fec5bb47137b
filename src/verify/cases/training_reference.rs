//! The reference of the training cases: training steps in f64, with a bound of the error that the device's values may have.

use std::ops::Range;

use ndarray::{Array2, Zip};

use super::clip_scale;
use super::near::{Near, moved_softmax, rounded};
use super::training_setup::{ADAM, DROPOUT, MAX_NORM, RATE, SEED, STEPS, Setup, penalties};
use crate::cpu::reference;
use crate::optim::Penalty;
use crate::verify::bounds::{self, Bound, U};
use crate::verify::expected::Expected;
use crate::verify::inputs::Inputs;

/// The parameters after the steps.
pub(super) fn expected(inputs: &Inputs, setup: Setup) -> Vec<Expected> {
    let mut matrices = inputs.matrices.iter().map(|matrix| Near::exact(matrix.mapv(f64::from)));
    let Some(x) = matrices.next() else { return Vec::new() };
    let mut parameters: Vec<_> = matrices.collect();
    let empty = |of: &Near| Near::zeros(of.value.dim());
    let mut moments: Vec<_> = parameters.iter().map(|of| Moments { mean: empty(of), square: empty(of) }).collect();
    let rates: Vec<_> = penalties(parameters.len() / 2).iter().flat_map(penalty_rates).collect();
    for step in 0..STEPS {
        let mut gradients = gradients(&x, &parameters, &inputs.classes, setup.dropout.then_some(step));
        if setup.clipped {
            clip(&mut gradients);
        }
        for (index, (parameter, mut gradient)) in parameters.iter_mut().zip(gradients).enumerate() {
            if setup.penalties {
                gradient = gradient.penalized(parameter, rates[index]);
            }
            let change = match setup.adam {
                true => {
                    moments[index].update(&gradient);
                    moments[index].step(step as i32 + 1)
                }
                false => rounded(&gradient.value * RATE, gradient.error.mapv(|error| error * RATE), 4.0),
            };
            *parameter = rounded(&parameter.value - &change.value, &parameter.error + &change.error, 2.0);
        }
    }
    parameters.into_iter().map(|Near { value, error }| Expected::within(&error, value)).collect()
}

/// The rates l1 and l2 of a layer's weights and of its biases.
fn penalty_rates(penalty: &Penalty) -> [[f64; 2]; 2] {
    [[penalty.l1_weights, penalty.l2_weights], [penalty.l1_biases, penalty.l2_biases]]
}

/// The gradients of the mean cross-entropy with respect to weights and biases, layer by layer. The step's number decides what
/// dropout leaves out.
fn gradients(x: &Near, parameters: &[Near], classes: &[u32], dropout: Option<u32>) -> Vec<Near> {
    let depth: Range<usize> = 0..parameters.len() / 2;
    // The counter goes through the layers of all steps.
    let counter = |step: u32, layer: usize| u64::from(step) * depth.len() as u64 + layer as u64;
    let drop_out = |values: Near, layer: usize| match dropout {
        Some(step) => values.dropout(DROPOUT, SEED, counter(step, layer)),
        None => values,
    };
    let mut outputs = vec![x.clone()];
    let mut sums = Vec::new();
    for layer in depth.clone() {
        let sum = outputs[layer].dot(&parameters[2 * layer]).plus_row(&parameters[2 * layer + 1]);
        outputs.push(drop_out(sum.relu(), layer));
        sums.push(sum);
    }
    let Some(logits) = sums.last() else { return Vec::new() };
    let mut dy = loss_gradient(logits, classes);
    let mut gradients = Vec::new();
    for layer in depth.clone().rev() {
        gradients.push(dy.sum_of_rows());
        gradients.push(outputs[layer].t().dot(&dy));
        if layer > 0 {
            dy = drop_out(dy.dot(&parameters[2 * layer].t()).relu_backward(&sums[layer - 1]), layer - 1);
        }
    }
    gradients.reverse();
    gradients
}

/// The gradient of the mean cross-entropy with respect to the logits: (softmax(z) - onehot) / rows.
fn loss_gradient(z: &Near, classes: &[u32]) -> Near {
    let rows = z.value.nrows();
    let mut p = z.value.clone();
    for mut row in p.rows_mut() {
        let maximum = row.fold(f64::NEG_INFINITY, |maximum, x| maximum.max(*x));
        row.mapv_inplace(|x| (x - maximum).exp());
        let sum = row.sum();
        row.mapv_inplace(|x| x / sum);
    }
    let own = bounds::softmax(&p, z.value.view());
    let (most, likely) = (z.error.mapv(|error| error.most), z.error.mapv(|error| error.likely));
    let mut errors = Array2::default(p.dim());
    for (r, mut row) in errors.rows_mut().into_iter().enumerate() {
        let moved = |of: &Array2<f64>| moved_softmax(p.row(r), of.row(r));
        let (most, likely) = (moved(&most), moved(&likely));
        for (c, error) in row.iter_mut().enumerate() {
            let target = if classes[r] as usize == c { 1.0 } else { 0.0 };
            let carried = Bound { most: most[c], likely: likely[c] } + own[[r, c]] * 1.1;
            let terms = Bound::roundings(6.0) * (target + (p[[r, c]] - target).abs());
            *error = (carried + terms) * (rows as f64).recip() + Bound::FLUSH;
        }
    }
    for (mut row, class) in p.rows_mut().into_iter().zip(classes) {
        row[*class as usize] -= 1.0;
    }
    rounded(p / rows as f64, errors, 4.0)
}

/// Clips the norm of all gradients together.
fn clip(gradients: &mut [Near]) {
    let norm_of = |term: &dyn Fn(f64, Bound) -> f64| {
        let squares =
            |g: &Near| g.value.iter().zip(&g.error).map(|(value, error)| term(*value, *error).powi(2)).sum::<f64>();
        gradients.iter().map(squares).sum::<f64>().sqrt()
    };
    let norm = norm_of(&|value, _| value);
    // The error of the norm is at most the norm of the errors. Its likely size is the part of the errors along the gradients.
    let off = Bound { most: norm_of(&|_, error| error.most), likely: norm_of(&|g, error| g / norm * error.likely) };
    let values: Vec<_> = gradients.iter().map(|gradient| gradient.value.clone()).collect();
    let scale = reference::clip_scale(&values, MAX_NORM);
    // The scale has this error, and the error of its own sums and its square root.
    let error = off * (scale * 1.1 / norm) + clip_scale::bound(&values) * scale;
    for gradient in gradients {
        let most = gradient.most();
        let carried = gradient.error.mapv(|own| own * (scale + error.most)) + most.mapv(|most| error * most);
        *gradient = rounded(&gradient.value * scale, carried, 4.0);
    }
}

/// Adam's means of a parameter's gradients and of their squares.
struct Moments {
    mean: Near,
    square: Near,
}

impl Moments {
    /// Updates both means with the gradient of a step.
    fn update(&mut self, gradient: &Near) {
        let mix = |mean: &Near, beta: f64, new: &Near| {
            let rest = 1.0 - beta;
            let size = mean.value.mapv(f64::abs) * beta + new.value.mapv(f64::abs) * rest;
            let carried = mean.error.mapv(|error| error * beta) + new.error.mapv(|error| error * rest);
            let error = carried + size.mapv(|size| Bound::roundings(12.0) * size);
            rounded(&mean.value * beta + &new.value * rest, error, 2.0)
        };
        let mut squared = gradient.clone();
        Zip::from(&mut squared.value).and(&mut squared.error).for_each(|g, error| {
            *error = error.map(|error| (2.0 * g.abs() + error) * error);
            *g *= *g;
        });
        self.mean = mix(&self.mean, ADAM.beta1, gradient);
        self.square = mix(&self.square, ADAM.beta2, &squared);
    }

    /// The step of the parameter, the `step`-th. Its error is computed at the corners of the range of mean and square, since
    /// the quotient rises with the one and its magnitude falls with the other.
    fn step(&self, step: i32) -> Near {
        let unbias = |beta: f64| 1.0 / (1.0 - beta.powi(step));
        let (of_mean, of_square) = (ADAM.learning_rate * unbias(ADAM.beta1), unbias(ADAM.beta2));
        let quotient = |mean: f64, square: f64| of_mean * mean / ((square.max(0.0) * of_square).sqrt() + ADAM.epsilon);
        // A root, a quotient, and roundings.
        let own = Bound::one(5.0 * U) + Bound::one(2.5 * U) + Bound::roundings(17.0);
        let mut result = Near::zeros(self.mean.value.dim());
        for (at, value) in result.value.indexed_iter_mut() {
            *value = quotient(self.mean.value[at], self.square.value[at]);
            let around = |near: &Near, error: f64| [near.value[at] - error, near.value[at] + error];
            let farthest = |mean: f64, square: f64| {
                let (means, squares) = (around(&self.mean, mean), around(&self.square, square));
                let corners = means.map(|mean| squares.map(|square| quotient(mean, square)));
                corners.as_flattened().iter().map(|corner| (corner - *value).abs()).fold(0.0, f64::max)
            };
            let (mean, square) = (self.mean.error[at], self.square.error[at]);
            let off = Bound { most: farthest(mean.most, square.most), likely: farthest(mean.likely, square.likely) };
            result.error[at] = off + own * (value.abs() + off.most);
        }
        result
    }
}
