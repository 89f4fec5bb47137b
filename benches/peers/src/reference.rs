//! The right answers, computed in f64 in the simplest way, and how far off an answer may be.

use anyhow::{Result, ensure};
use ndarray::{Array1, Array2, ArrayView1, Axis, Zip};

use crate::job::{CHECKED_STEPS, Inputs, LEARNING_RATE, checked_rows};

/// Relative, for the losses of training steps: the second and third depend on all gradients before them.
const STEP: f64 = 1e-4;
/// Relative to the sum of |a b|, for a product's elements.
const PRODUCT: f64 = 2e-6;
/// Relative, for probabilities and for the loss, and for a gradient (p - y) / rows relative to (p + y) / rows.
const ROW: f64 = 1e-5;
/// An additional share of a gradient's 1 / rows, only at the row's maximum: autodiff may also send a gradient through the
/// maximum, which should cancel out, and then the rounding errors of the row's terms remain there.
const ROUNDING: f64 = 1e-6;

/// An answer's numbers, and how far each may be off.
pub struct Reference {
    wanted: Vec<f64>,
    bounds: Vec<f64>,
}

impl Reference {
    pub fn of(inputs: &Inputs) -> Self {
        let (wanted, bounds) = match inputs {
            Inputs::Train { x, labels, weights } => {
                let losses = train(wide(x), labels, weights.iter().map(wide).collect());
                let bounds = losses.iter().map(|loss| STEP * loss).collect();
                (losses, bounds)
            }
            Inputs::Matmul { a, b } => {
                let (a, b) = (wide(a), wide(b));
                let sizes = a.mapv(f64::abs).dot(&b.mapv(f64::abs));
                (a.dot(&b).into_iter().collect(), sizes.into_iter().map(|size| PRODUCT * size).collect())
            }
            Inputs::Softmax { logits } => {
                checked_rows(logits.nrows()).flat_map(|row| softmax(logits.row(row)).0).map(|p| (p, ROW * p)).unzip()
            }
            Inputs::CrossEntropy { logits, labels } => {
                let rows = logits.nrows() as f64;
                let loss = mean_loss(logits, labels);
                let gradients = checked_rows(logits.nrows()).flat_map(|row| {
                    let label = labels[row] as usize;
                    let probs = softmax(logits.row(row)).0;
                    let top = probs.fold(0.0, |a: f64, b| a.max(*b));
                    probs.into_iter().enumerate().map(move |(class, p)| {
                        let y = f64::from(u8::from(class == label));
                        let rounding = if p == top { ROUNDING } else { 0.0 };
                        ((p - y) / rows, (ROW * (p + y) + rounding) / rows)
                    })
                });
                std::iter::once((loss, ROW * loss)).chain(gradients).unzip()
            }
        };
        Reference { wanted, bounds }
    }

    /// The largest error as a share of its bound, or where an answer is wrong.
    pub fn check(&self, answer: &[f32]) -> Result<f64> {
        let (got, wanted) = (answer.len(), self.wanted.len());
        ensure!(got == wanted, "wrong: {got} numbers instead of {wanted}");
        let mut worst = 0.0f64;
        for (index, (got, (wanted, bound))) in answer.iter().zip(self.wanted.iter().zip(&self.bounds)).enumerate() {
            let share = (f64::from(*got) - wanted).abs() / bound;
            // Written so that NaN is wrong.
            ensure!(share <= 1.0, "wrong: number {index} is {got:e}, should be {wanted:e} within {bound:e}");
            worst = worst.max(share);
        }
        Ok(worst)
    }
}

fn wide(values: &Array2<f32>) -> Array2<f64> {
    values.mapv(f64::from)
}

/// Probabilities, and the logarithm of the sum of exp(x).
fn softmax(logits: ArrayView1<'_, f32>) -> (Array1<f64>, f64) {
    let logits = logits.mapv(f64::from);
    let top = logits.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    let exp = logits.mapv(|x| (x - top).exp());
    let sum = exp.sum();
    (exp / sum, top + sum.ln())
}

fn mean_loss(logits: &Array2<f32>, labels: &[u32]) -> f64 {
    let losses =
        logits.rows().into_iter().zip(labels).map(|(row, label)| softmax(row).1 - f64::from(row[*label as usize]));
    losses.sum::<f64>() / labels.len() as f64
}

/// The losses of the first steps.
fn train(x: Array2<f64>, labels: &[u32], mut weights: Vec<Array2<f64>>) -> Vec<f64> {
    let rate = f64::from(LEARNING_RATE);
    let rows = labels.len() as f64;
    let mut biases: Vec<_> = weights.iter().map(|weights| Array1::<f64>::zeros(weights.ncols())).collect();
    // One entry for each layer.
    let mut inputs = vec![x];
    let step = |_| {
        inputs.truncate(1);
        for (layer, (weights, bias)) in weights.iter().zip(&biases).enumerate() {
            let outputs = inputs[layer].dot(weights) + bias;
            let is_last = layer + 1 == biases.len();
            inputs.push(if is_last { outputs } else { outputs.mapv_into(|x| x.max(0.0)) });
        }
        let mut loss = 0.0;
        let mut dy = inputs.pop().unwrap_or_default();
        for (mut row, label) in dy.rows_mut().into_iter().zip(labels) {
            let own = row[*label as usize];
            let top = row.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let sum: f64 = row.iter().map(|x| (x - top).exp()).sum();
            loss += top + sum.ln() - own;
            row.mapv_inplace(|x| (x - top).exp() / sum / rows);
            row[*label as usize] -= 1.0 / rows;
        }
        for (layer, x) in inputs.iter().enumerate().rev() {
            let dweights = x.t().dot(&dy);
            let dbias = dy.sum_axis(Axis(0));
            if layer > 0 {
                dy = dy.dot(&weights[layer].t());
                Zip::from(&mut dy).and(x).for_each(|dx, x| *dx *= f64::from(u8::from(*x > 0.0)));
            }
            weights[layer].scaled_add(-rate, &dweights);
            biases[layer].scaled_add(-rate, &dbias);
        }
        loss / rows
    };
    (0..CHECKED_STEPS).map(step).collect()
}
