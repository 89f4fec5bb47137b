//! Cases that train a network for some steps and compare all of its parameters: what every op of a step hands on to the next,
//! the joined update and the clip included.
//!
//! The reference carries, beside each value, how far the device's may be from it (Wilkinson's running error analysis): every
//! operation adds its own bound to what its operands' errors become. The likely error goes along, with parts that are not added
//! but whose squares are.

use std::ops::Range;

use ndarray::{Array2, Axis, Zip};

use super::bounds::{self, Bound, U};
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
use crate::optim::{Optimizer, OptimizerState, Penalty};

const STEPS: u32 = 3;
const RATE: f64 = 0.5;
const MAX_NORM: f64 = 0.1;
/// Its epsilon keeps the sign of gradients that are next to nothing from deciding where a parameter goes.
const ADAM: AdamOptions =
    AdamOptions { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3, weight_decay: 0.0 };

const DROPOUT: f32 = 0.3;
/// Neither of its words is 0.
const SEED: u64 = 0x1234_5678_9abc_def0;

/// How the parameters follow their gradients.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// By Adam, else by plain descent.
    adam: bool,
    /// With all gradients together clipped to a norm.
    clipped: bool,
    dropout: bool,
    penalties: bool,
}

const WAYS: [Way; 6] = {
    let plain = Way { name: "sgd", adam: false, clipped: false, dropout: false, penalties: false };
    [
        plain,
        Way { name: "sgd, clipped", clipped: true, ..plain },
        Way { name: "adam", adam: true, ..plain },
        Way { name: "sgd, dropout", dropout: true, ..plain },
        Way { name: "sgd, penalties", penalties: true, ..plain },
        Way { name: "adam, clipped, dropout, penalties", adam: true, clipped: true, dropout: true, penalties: true },
    ]
};

/// One for each layer, no two numbers alike, so that none can stand in for another.
fn penalties(layers: usize) -> Vec<Penalty> {
    let of_layer = |layer: usize| {
        let size = 1.0 + layer as f64;
        Penalty { l1_weights: 0.003 * size, l2_weights: 0.011 * size, l1_biases: 0.005 * size, l2_biases: 0.017 * size }
    };
    (0..layers).map(of_layer).collect()
}

/// Rows, and the widths of a network.
const NETWORKS: [(usize, &[usize]); 5] =
    [(33, &[5, 3]), (128, &[20, 16, 10]), (70, &[33, 17, 21]), (40, &[12, 8, 8, 4]), (300, &[64, 132, 20])];

pub(super) fn cases(table: &mut Table) {
    for (rows, widths) in NETWORKS {
        // Without a hidden layer nothing is dropped.
        for way in WAYS.into_iter().filter(|way| widths.len() > 2 || !way.dropout) {
            let name = way.name;
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
    let optimizer = if way.adam { Optimizer::Adam(ADAM) } else { Optimizer::Sgd { learning_rate: RATE } };
    let mut state = OptimizerState::new(optimizer).clipped(way.clipped.then_some(MAX_NORM));
    if way.penalties {
        state = state.with_penalties(penalties(model.layers().len()));
    }
    let options = StepOptions { dropout: if way.dropout { DROPOUT } else { 0.0 }, seed: SEED, ..Default::default() };
    let x = Matrix::from_array(device, x.view())?;
    let labels = Inputs { matrices: vec![Array2::zeros((1, model.classes()))], classes: inputs.classes.clone() };
    let y = targets(device, &labels, false)?;
    for _ in 0..STEPS {
        model.train_step_with(&x, &y, &options, &mut state)?;
    }
    let of_layer = |layer: &crate::layers::Dense| [layer.weights().clone(), layer.biases().clone()];
    Ok(model.layers().iter().flat_map(of_layer).map(Output::from).collect())
}

/// Values, and how far the device's may be from them.
#[derive(Clone)]
struct Near {
    value: Array2<f64>,
    error: Array2<Bound>,
}

impl Near {
    fn exact(value: Array2<f64>) -> Self {
        Near { error: Array2::default(value.dim()), value }
    }

    fn zeros(dim: (usize, usize)) -> Self {
        Near::exact(Array2::zeros(dim))
    }

    fn t(&self) -> Self {
        Near { value: self.value.t().to_owned(), error: self.error.t().to_owned() }
    }

    /// The largest magnitudes that the device may have.
    fn most(&self) -> Array2<f64> {
        self.value.mapv(f64::abs) + self.error.mapv(|error| error.most)
    }

    /// self · b: what the errors of both factors become, and the bound of a product of what the device may have.
    fn dot(&self, b: &Near) -> Self {
        let (k, size, size_b) = (self.value.ncols(), self.value.mapv(f64::abs), b.value.mapv(f64::abs));
        let magnitude = self.most().dot(&b.most());
        let carried = &magnitude - &size.dot(&size_b);
        let square = |near: &Near| near.error.mapv(|error| error.likely * error.likely);
        let squares = (&size * &size).dot(&square(b)) + square(self).dot(&(&size_b * &size_b));
        let error = Array2::from_shape_fn(magnitude.dim(), |at| {
            Bound { most: carried[at], likely: squares[at].sqrt() } + bounds::product(magnitude[at], k)
        });
        Near { value: self.value.dot(&b.value), error }
    }

    /// With a row added to each.
    fn plus_row(&self, row: &Near) -> Self {
        let value = &self.value + &row.value;
        let error = &self.error + &row.error;
        rounded(value, error, 2.0)
    }

    fn sum_of_rows(&self) -> Self {
        let terms = self.value.nrows();
        let (most, one_by_one) = (self.most(), Bound::roundings(2.0 * terms as f64));
        let level = bounds::column_sum(terms);
        let level = if level.most < one_by_one.most { one_by_one } else { level };
        let error = Array2::from_shape_fn((1, self.value.ncols()), |(_, c)| {
            self.error.column(c).iter().copied().sum::<Bound>() + level * most.column(c).sum()
        });
        Near { value: self.value.sum_axis(Axis(0)).insert_axis(Axis(0)), error }
    }

    fn relu(&self) -> Self {
        Near { value: self.value.mapv(|x| x.max(0.0)), error: self.error.clone() }
    }

    /// What goes back through the ReLU of x. Where the sign of x is not certain, nothing at all may go, or everything.
    fn behind(mut self, x: &Near) -> Self {
        Zip::from(&mut self.value).and(&mut self.error).and(&x.value).and(&x.error).for_each(|dy, error, x, near| {
            let kept = |own: f64, near: f64| match (x.abs() > near, *x > 0.0) {
                (true, true) => own,
                (true, false) => 0.0,
                (false, _) => dy.abs() + own,
            };
            *error = Bound { most: kept(error.most, near.most), likely: kept(error.likely, near.likely) };
            *dy = if *x > 0.0 { *dy } else { 0.0 };
        });
        self
    }

    /// After dropout: what is left out is exactly 0, forward and backward.
    fn dropped(mut self, counter: u64) -> Self {
        let (cols, scale) = (self.value.ncols(), 1.0 / (1.0 - f64::from(DROPOUT)));
        for ((r, c), value) in self.value.indexed_iter_mut() {
            let (kept, error) = (oracle::keeps(DROPOUT, SEED, counter, (r * cols + c) as u64), self.error[[r, c]]);
            let most = (value.abs() + error.most) * scale;
            *value = if kept { *value * scale } else { 0.0 };
            self.error[[r, c]] =
                if kept { error * scale + Bound::roundings(2.0) * most + Bound::FLUSH } else { Bound::NONE };
        }
        self
    }

    /// These gradients with the penalties' of these parameters. Where the sign of a parameter is not certain, l1 may pull either way.
    fn pulled(mut self, parameters: &Near, [l1, l2]: [f64; 2]) -> Self {
        Zip::from(&mut self.value).and(&mut self.error).and(&parameters.value).and(&parameters.error).for_each(
            |slope, error, w, near| {
                let flipped = |near: f64| if w.abs() <= near && near > 0.0 { 2.0 * l1 } else { 0.0 };
                // Three constants, two products and two sums.
                let size = slope.abs() + error.most + l1 + 2.0 * l2 * (w.abs() + near.most);
                *error = *error + near.map(flipped) + *near * (2.0 * l2) + Bound::roundings(4.0) * size;
                *slope = oracle::slope(*w, *slope, 1.0, [l1, l2]);
            },
        );
        self
    }
}

/// These values, and their error with that of some roundings of the result.
fn rounded(value: Array2<f64>, mut error: Array2<Bound>, roundings: f64) -> Near {
    error.zip_mut_with(&value, |error, value| {
        *error = *error + Bound::roundings(roundings) * (value.abs() + error.most) + Bound::FLUSH;
    });
    Near { value, error }
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
    let mut error = Array2::default(p.dim());
    for ((r, c), error) in error.indexed_iter_mut() {
        // Logits that are off by d at most change each exponential by a factor of e^d, and their sum, too.
        let larger = |a: Bound, b: &Bound| Bound { most: a.most.max(b.most), likely: a.likely.max(b.likely) };
        let off = z.error.row(r).fold(Bound::NONE, larger);
        let target = if classes[r] as usize == c { 1.0 } else { 0.0 };
        let carried = off.map(|off| (2.0 * off).exp_m1()) * p[[r, c]] + own[[r, c]] * 1.1;
        p[[r, c]] -= target;
        *error = (carried + Bound::roundings(6.0) * (target + p[[r, c]].abs())) * (rows as f64).recip() + Bound::FLUSH;
    }
    rounded(p / rows as f64, error, 4.0)
}

/// Clips all gradients together.
fn clip(gradients: &mut [Near]) {
    let norm_of = |term: &dyn Fn(f64, Bound) -> f64| {
        let squares =
            |g: &Near| g.value.iter().zip(&g.error).map(|(value, error)| term(*value, *error).powi(2)).sum::<f64>();
        gradients.iter().map(squares).sum::<f64>().sqrt()
    };
    let norm = norm_of(&|value, _| value);
    // Of the norm what the gradients' errors make of it: at most their own norm, likely as much of it as lies along the gradients.
    let off = Bound { most: norm_of(&|_, error| error.most), likely: norm_of(&|g, error| g / norm * error.likely) };
    let scale = oracle::clip_scale(&gradients.iter().map(|g| g.value.clone()).collect::<Vec<_>>(), MAX_NORM);
    // And its own sums and root.
    let error = off * (scale * 1.1 / norm) + Bound::roundings(60.0) * scale;
    for gradient in gradients {
        let most = gradient.most();
        let carried = gradient.error.mapv(|own| own * (scale + error.most)) + most.mapv(|most| error * most);
        *gradient = rounded(&gradient.value * scale, carried, 4.0);
    }
}

/// The means that Adam keeps of a parameter's gradients and of their squares.
struct Kept {
    mean: Near,
    square: Near,
}

impl Kept {
    fn follow(&mut self, gradient: &Near) {
        let mix = |kept: &Near, beta: f64, new: &Near| {
            let rest = 1.0 - beta;
            let size = kept.value.mapv(f64::abs) * beta + new.value.mapv(f64::abs) * rest;
            let carried = kept.error.mapv(|error| error * beta) + new.error.mapv(|error| error * rest);
            let error = carried + size.mapv(|size| Bound::roundings(12.0) * size);
            rounded(&kept.value * beta + &new.value * rest, error, 2.0)
        };
        let mut squared = gradient.clone();
        Zip::from(&mut squared.value).and(&mut squared.error).for_each(|g, error| {
            *error = error.map(|error| (2.0 * g.abs() + error) * error);
            *g *= *g;
        });
        self.mean = mix(&self.mean, ADAM.beta1, gradient);
        self.square = mix(&self.square, ADAM.beta2, &squared);
    }

    /// What is taken off the parameter: at the corners of what mean and square may be, since the quotient rises with the one and
    /// its magnitude falls with the other.
    fn taken(&self, step: i32) -> Near {
        let unbias = |beta: f64| 1.0 / (1.0 - beta.powi(step));
        let (of_mean, of_square) = (ADAM.learning_rate * unbias(ADAM.beta1), unbias(ADAM.beta2));
        let quotient = |mean: f64, square: f64| of_mean * mean / ((square.max(0.0) * of_square).sqrt() + ADAM.epsilon);
        // A root, a quotient, and what is rounded.
        let own = Bound::one(5.0 * U) + Bound::one(2.5 * U) + Bound::roundings(17.0);
        let mut taken = Near::zeros(self.mean.value.dim());
        for (at, value) in taken.value.indexed_iter_mut() {
            *value = quotient(self.mean.value[at], self.square.value[at]);
            let around = |near: &Near, error: f64| [near.value[at] - error, near.value[at] + error];
            let farthest = |mean: f64, square: f64| {
                let (means, squares) = (around(&self.mean, mean), around(&self.square, square));
                let corners = means.map(|mean| squares.map(|square| quotient(mean, square)));
                corners.as_flattened().iter().map(|corner| (corner - *value).abs()).fold(0.0, f64::max)
            };
            let (mean, square) = (self.mean.error[at], self.square.error[at]);
            let off = Bound { most: farthest(mean.most, square.most), likely: farthest(mean.likely, square.likely) };
            taken.error[at] = off + own * (value.abs() + off.most);
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
    let pulls: Vec<_> = penalties(parameters.len() / 2).iter().flat_map(pulls_of).collect();
    for step in 0..STEPS {
        let mut gradients = gradients(&x, &parameters, &inputs.classes, way.dropout.then_some(step));
        if way.clipped {
            clip(&mut gradients);
        }
        for (index, (parameter, mut gradient)) in parameters.iter_mut().zip(gradients).enumerate() {
            if way.penalties {
                gradient = gradient.pulled(parameter, pulls[index]);
            }
            let taken = match way.adam {
                true => {
                    kept[index].follow(&gradient);
                    kept[index].taken(step as i32 + 1)
                }
                false => rounded(&gradient.value * RATE, gradient.error.mapv(|error| error * RATE), 4.0),
            };
            *parameter = rounded(&parameter.value - &taken.value, &parameter.error + &taken.error, 2.0);
        }
    }
    parameters.into_iter().map(|Near { value, error }| Expected::within(&error, value)).collect()
}

/// l1 and l2 of a layer's weights and of its biases.
fn pulls_of(penalty: &Penalty) -> [[f64; 2]; 2] {
    [[penalty.l1_weights, penalty.l2_weights], [penalty.l1_biases, penalty.l2_biases]]
}

/// Of the mean cross-entropy, for weights and biases layer by layer; with dropout in the step of this number.
fn gradients(x: &Near, parameters: &[Near], classes: &[u32], dropout: Option<u32>) -> Vec<Near> {
    let depth: Range<usize> = 0..parameters.len() / 2;
    // The layers of all steps are counted on and on.
    let counter = |step: u32, layer: usize| u64::from(step) * depth.len() as u64 + layer as u64;
    let drop = |values: Near, layer: usize| match dropout {
        Some(step) => values.dropped(counter(step, layer)),
        None => values,
    };
    let mut outputs = vec![x.clone()];
    let mut sums = Vec::new();
    for layer in depth.clone() {
        let sum = outputs[layer].dot(&parameters[2 * layer]).plus_row(&parameters[2 * layer + 1]);
        outputs.push(drop(sum.relu(), layer));
        sums.push(sum);
    }
    let Some(logits) = sums.last() else { return Vec::new() };
    let mut dy = loss_gradient(logits, classes);
    let mut gradients = Vec::new();
    for layer in depth.clone().rev() {
        gradients.push(dy.sum_of_rows());
        gradients.push(outputs[layer].t().dot(&dy));
        if layer > 0 {
            dy = drop(dy.dot(&parameters[2 * layer].t()).behind(&sums[layer - 1]), layer - 1);
        }
    }
    gradients.reverse();
    gradients
}
