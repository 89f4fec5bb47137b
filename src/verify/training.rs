//! Cases that train a network for some steps and compare all of its parameters: what every op of a step hands on to the next,
//! the joined update and the clip included.
//!
//! The reference carries, beside each value, how far the device's may be from it (Wilkinson's running error analysis): every
//! operation adds its own bound to what its operands' errors become.

use std::ops::Range;

use ndarray::{Array2, Axis, Zip};

use super::bounds::{self, FLUSH, U};
use super::case::{CaseRng, Expected, Inputs};
use super::inputs::{classes, normal};
use super::oracle;
use super::output::Output;
use super::table::{Table, targets};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::mlp::{Mlp, Parameters, StepOptions};
use crate::ops::AdamOptions;
use crate::optim::{Optimizer, OptimizerState};

const STEPS: u32 = 3;
const RATE: f64 = 0.5;
const MAX_NORM: f64 = 0.1;
/// Its epsilon keeps the sign of gradients that are next to nothing from deciding where a parameter goes.
const ADAM: AdamOptions =
    AdamOptions { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weight_decay: 0.0 };

/// How the parameters follow their gradients.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Descent,
    /// With all gradients together clipped to a norm.
    Clipped,
    Adam,
}

/// Rows, and the widths of a network.
const NETWORKS: [(usize, &[usize]); 5] =
    [(33, &[5, 3]), (128, &[20, 16, 10]), (70, &[33, 17, 21]), (40, &[12, 8, 8, 4]), (300, &[64, 132, 20])];

pub(super) fn cases(table: &mut Table) {
    for (rows, widths) in NETWORKS {
        for (way, name) in [(Way::Descent, "sgd"), (Way::Clipped, "sgd, clipped"), (Way::Adam, "adam")] {
            let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
            table.add(
                ("training", &format!("{STEPS} steps of {name}, {} layers", widths.len() - 1)),
                [rows, inputs, outputs],
                |[m, k, n]| (6 * m * k * n, 4 * (m * k + k * n)),
                move |rng, _| drawn(rng, rows, widths),
                move |device, inputs| trained(device, inputs, way),
                move |inputs| expected(inputs, way),
            );
        }
    }
}

/// Features, then weights and biases layer by layer; and class ids.
fn drawn(rng: &mut CaseRng, rows: usize, widths: &[usize]) -> Inputs {
    let mut matrices = vec![normal(rng, rows, widths[0])];
    for pair in widths.windows(2) {
        let size = (pair[0] as f32).sqrt().recip();
        matrices.push(normal(rng, pair[0], pair[1]) * size);
        matrices.push(normal(rng, 1, pair[1]) * 0.1);
    }
    Inputs { classes: classes(rng, rows, widths[widths.len() - 1]), matrices }
}

fn trained(device: &Device, inputs: &Inputs, way: Way) -> Result<Vec<Output>> {
    let [x, parameters @ ..] = inputs.matrices.as_slice() else { return Ok(Vec::new()) };
    let layer = |pair: &[Array2<f32>]| Parameters { weights: pair[0].clone(), biases: pair[1].clone() };
    let mut model = Mlp::from_parameters(device, parameters.chunks_exact(2).map(layer).collect())?;
    let optimizer = match way {
        Way::Adam => Optimizer::Adam(ADAM),
        _ => Optimizer::Sgd { learning_rate: RATE },
    };
    let mut state = OptimizerState::new(optimizer).clipped((way == Way::Clipped).then_some(MAX_NORM));
    let x = Matrix::from_array(device, x.view())?;
    let labels = Inputs { matrices: vec![Array2::zeros((1, model.classes()))], classes: inputs.classes.clone() };
    let y = targets(device, &labels, false)?;
    for _ in 0..STEPS {
        model.train_step_with(&x, &y, &StepOptions::default(), &mut state)?;
    }
    let of_layer = |layer: &crate::layers::Dense| [layer.weights().clone(), layer.biases().clone()];
    Ok(model.layers().iter().flat_map(of_layer).map(Output::from).collect())
}

/// Values, and how far the device's may be from them.
#[derive(Clone)]
struct Near {
    value: Array2<f64>,
    error: Array2<f64>,
}

impl Near {
    fn exact(value: Array2<f64>) -> Self {
        Near { error: Array2::zeros(value.dim()), value }
    }

    fn zeros(dim: (usize, usize)) -> Self {
        Near::exact(Array2::zeros(dim))
    }

    fn t(&self) -> Self {
        Near { value: self.value.t().to_owned(), error: self.error.t().to_owned() }
    }

    /// self · b: what the errors of both factors become, and the bound of a product of what the device may have.
    fn dot(&self, b: &Near) -> Self {
        let (k, size) = (self.value.ncols(), self.value.mapv(f64::abs));
        let (most, most_b) = (&size + &self.error, b.value.mapv(f64::abs) + &b.error);
        let magnitude = most.dot(&most_b);
        let carried = &magnitude - &size.dot(&b.value.mapv(f64::abs));
        let error = carried + magnitude.mapv(|magnitude| bounds::product(magnitude, k));
        Near { value: self.value.dot(&b.value), error }
    }

    /// With a row added to each.
    fn plus_row(&self, row: &Near) -> Self {
        let value = &self.value + &row.value;
        let error = &self.error + &row.error;
        Near { error: rounded(&value, error, 1.0), value }
    }

    fn sum_of_rows(&self) -> Self {
        let terms = self.value.nrows();
        let sum = |of: Array2<f64>| of.sum_axis(Axis(0)).insert_axis(Axis(0));
        let magnitude = sum(self.value.mapv(f64::abs) + &self.error);
        let error = sum(self.error.clone()) + magnitude * bounds::column_sum(terms).max(terms as f64 * U);
        Near { value: sum(self.value.clone()), error }
    }

    fn relu(&self) -> Self {
        Near { value: self.value.mapv(|x| x.max(0.0)), error: self.error.clone() }
    }

    /// What goes back through the ReLU of x. Where the sign of x is not certain, nothing at all may go, or everything.
    fn behind(mut self, x: &Near) -> Self {
        Zip::from(&mut self.value).and(&mut self.error).and(&x.value).and(&x.error).for_each(|dy, error, x, near| {
            let kept = if *x > 0.0 { *dy } else { 0.0 };
            let certain = x.abs() > *near;
            *error = match (certain, *x > 0.0) {
                (true, true) => *error,
                (true, false) => 0.0,
                (false, _) => dy.abs() + *error,
            };
            *dy = kept;
        });
        self
    }
}

/// The error with that of some roundings of the result.
fn rounded(value: &Array2<f64>, error: Array2<f64>, roundings: f64) -> Array2<f64> {
    let most = value.mapv(f64::abs) + &error;
    error + most * (roundings * U) + FLUSH
}

/// (softmax(z) - onehot) / rows.
fn loss_gradient(z: &Near, classes: &[u32]) -> Near {
    let rows = z.value.nrows();
    let mut p = z.value.clone();
    for mut row in p.rows_mut() {
        let top = row.fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        row.mapv_inplace(|x| (x - top).exp());
        let sum = row.sum();
        row.mapv_inplace(|x| x / sum);
    }
    let own = bounds::softmax(&p, z.value.view());
    let mut error = Array2::zeros(p.dim());
    for ((r, c), error) in error.indexed_iter_mut() {
        // Logits that are off by d at most change each exponential by a factor of e^d, and their sum, too.
        let off = z.error.row(r).fold(0.0f64, |most, x| most.max(*x));
        let target = if classes[r] as usize == c { 1.0 } else { 0.0 };
        let carried = p[[r, c]] * (2.0 * off).exp_m1() + 1.1 * own[[r, c]];
        p[[r, c]] -= target;
        *error = (carried + 3.0 * U * (target + p[[r, c]].abs())) / rows as f64 + FLUSH;
    }
    let value = p / rows as f64;
    Near { error: rounded(&value, error, 2.0), value }
}

/// Clips all gradients together.
fn clip(gradients: &mut [Near]) {
    let norm = gradients.iter().map(|g| g.value.mapv(|x| x * x).sum()).sum::<f64>().sqrt();
    let off = gradients.iter().map(|g| g.error.mapv(|x| x * x).sum()).sum::<f64>().sqrt();
    let scale = oracle::clip_scale(&gradients.iter().map(|g| g.value.clone()).collect::<Vec<_>>(), MAX_NORM);
    // Of the norm what the gradients' errors make of it, at most their own norm, and its own sums and root.
    let error = scale * (off / norm * 1.1 + 30.0 * U);
    for gradient in gradients {
        let most = gradient.value.mapv(f64::abs) + &gradient.error;
        gradient.value *= scale;
        let carried = &gradient.error * (scale + error) + &most * error;
        gradient.error = rounded(&gradient.value, carried, 2.0);
    }
}

/// The means that Adam keeps of a parameter's gradients and of their squares.
struct Kept {
    mean: Near,
    square: Near,
}

impl Kept {
    fn follow(&mut self, gradient: &Near) {
        let (rest1, rest2) = (1.0 - ADAM.beta1, 1.0 - ADAM.beta2);
        let mix = |kept: &Near, beta: f64, new: &Near, rest: f64| {
            let value = &kept.value * beta + &new.value * rest;
            let size = kept.value.mapv(f64::abs) * beta + new.value.mapv(f64::abs) * rest;
            let error = &kept.error * beta + &new.error * rest + size * (6.0 * U);
            Near { error: rounded(&value, error, 1.0), value }
        };
        let size = gradient.value.mapv(f64::abs);
        let squared =
            Near { value: &gradient.value * &gradient.value, error: (size * 2.0 + &gradient.error) * &gradient.error };
        self.mean = mix(&self.mean, ADAM.beta1, gradient, rest1);
        self.square = mix(&self.square, ADAM.beta2, &squared, rest2);
    }

    /// What is taken off the parameter: at the corners of what mean and square may be, since the quotient rises with the one and
    /// its magnitude falls with the other.
    fn taken(&self, step: i32) -> Near {
        let unbias = |beta: f64| 1.0 / (1.0 - beta.powi(step));
        let (of_mean, of_square) = (ADAM.learning_rate * unbias(ADAM.beta1), unbias(ADAM.beta2));
        let quotient = |mean: f64, square: f64| of_mean * mean / ((square.max(0.0) * of_square).sqrt() + ADAM.epsilon);
        let mut taken = Near::zeros(self.mean.value.dim());
        for (at, value) in taken.value.indexed_iter_mut() {
            let around = |near: &Near| [near.value[at] - near.error[at], near.value[at] + near.error[at]];
            *value = quotient(self.mean.value[at], self.square.value[at]);
            let corners = around(&self.mean).map(|mean| around(&self.square).map(|square| quotient(mean, square)));
            let off = corners.as_flattened().iter().map(|corner| (corner - *value).abs()).fold(0.0, f64::max);
            taken.error[at] = off + 16.0 * U * (value.abs() + off);
        }
        taken
    }
}

fn expected(inputs: &Inputs, way: Way) -> Vec<Expected> {
    let mut matrices = inputs.matrices.iter().map(|matrix| Near::exact(matrix.mapv(f64::from)));
    let Some(x) = matrices.next() else { return Vec::new() };
    let mut parameters: Vec<_> = matrices.collect();
    let empty = |of: &Near| Near::zeros(of.value.dim());
    let mut kept: Vec<_> = parameters.iter().map(|of| Kept { mean: empty(of), square: empty(of) }).collect();
    for step in 1..=STEPS {
        let mut gradients = gradients(&x, &parameters, &inputs.classes);
        if way == Way::Clipped {
            clip(&mut gradients);
        }
        for ((parameter, gradient), kept) in parameters.iter_mut().zip(gradients).zip(&mut kept) {
            let taken = match way {
                Way::Adam => {
                    kept.follow(&gradient);
                    kept.taken(step as i32)
                }
                _ => {
                    let value = &gradient.value * RATE;
                    Near { error: rounded(&value, gradient.error * RATE, 2.0), value }
                }
            };
            parameter.value -= &taken.value;
            let carried = &parameter.error + &taken.error;
            parameter.error = rounded(&parameter.value, carried, 1.0);
        }
    }
    parameters.into_iter().map(|Near { value, error }| Expected { want: value, bound: error }).collect()
}

/// Of the mean cross-entropy, for weights and biases layer by layer.
fn gradients(x: &Near, parameters: &[Near], classes: &[u32]) -> Vec<Near> {
    let depth: Range<usize> = 0..parameters.len() / 2;
    let mut outputs = vec![x.clone()];
    let mut sums = Vec::new();
    for layer in depth.clone() {
        let sum = outputs[layer].dot(&parameters[2 * layer]).plus_row(&parameters[2 * layer + 1]);
        outputs.push(sum.relu());
        sums.push(sum);
    }
    let Some(logits) = sums.last() else { return Vec::new() };
    let mut dy = loss_gradient(logits, classes);
    let mut gradients = Vec::new();
    for layer in depth.rev() {
        gradients.push(dy.sum_of_rows());
        gradients.push(outputs[layer].t().dot(&dy));
        if layer > 0 {
            dy = dy.dot(&parameters[2 * layer].t()).behind(&sums[layer - 1]);
        }
    }
    gradients.reverse();
    gradients
}
