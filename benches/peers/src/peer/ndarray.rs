//! ndarray, with careful code by hand: products with `dot`, the rest in few passes over the rows, on all threads if the
//! matrix is large.

use anyhow::{Context, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::parallel::prelude::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, Axis, Zip};

use super::{Answer, Peer, Work, work};
use crate::job::LEARNING_RATE;

struct ByHand;

pub fn open() -> Result<Box<dyn Peer>> {
    Ok(Box::new(ByHand))
}

/// Writes exp(x - m) and gives m and the sum.
fn exponentials(logits: ArrayView1<'_, f32>, mut out: ArrayViewMut1<'_, f32>) -> (f32, f32) {
    let top = logits.fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    Zip::from(&mut out).and(&logits).for_each(|out, x| *out = (x - top).exp());
    (top, out.sum())
}

/// A row's loss; its gradient, over `rows`, goes to `out`.
fn head(logits: ArrayView1<'_, f32>, label: usize, rows: f32, mut out: ArrayViewMut1<'_, f32>) -> f32 {
    let (top, sum) = exponentials(logits, out.view_mut());
    out *= 1.0 / (sum * rows);
    out[label] -= 1.0 / rows;
    top + sum.ln() - logits[label]
}

struct Layer {
    weights: Array2<f32>,
    bias: Array1<f32>,
}

impl Layer {
    fn new(weights: Array2<f32>) -> Self {
        let bias = Array1::zeros(weights.ncols());
        Layer { weights, bias }
    }

    fn forward(&self, x: &Array2<f32>, relu: bool) -> Array2<f32> {
        let mut out = x.dot(&self.weights);
        for mut row in out.rows_mut() {
            Zip::from(&mut row).and(&self.bias).for_each(|out, bias| {
                let sum = *out + *bias;
                *out = if relu { sum.max(0.0) } else { sum };
            });
        }
        out
    }

    /// W -= η Xᵀ dY, in one call of the product.
    fn descend(&mut self, x: &Array2<f32>, dy: &Array2<f32>) {
        general_mat_mul(-LEARNING_RATE, &x.t(), dy, 1.0, &mut self.weights);
        self.bias.scaled_add(-LEARNING_RATE, &dy.sum_axis(Axis(0)));
    }
}

impl Peer for ByHand {
    fn about(&self) -> String {
        format!("{} threads, matrixmultiply-threading", crate::machine::threads())
    }

    fn train(&self, x: Array2<f32>, labels: Vec<u32>, weights: Vec<Array2<f32>>) -> Result<Box<dyn Work>> {
        let mut layers: Vec<_> = weights.into_iter().map(Layer::new).collect();
        let rows = labels.len() as f32;
        // One entry for each layer.
        let mut inputs = vec![x];
        let step = move || {
            inputs.truncate(1);
            for (index, layer) in layers.iter().enumerate() {
                inputs.push(layer.forward(&inputs[index], index + 1 < layers.len()));
            }
            let logits = inputs.pop().context("no layers")?;
            let mut dy = Array2::zeros(logits.dim());
            let mut loss = 0.0;
            for ((logits, out), label) in logits.rows().into_iter().zip(dy.rows_mut()).zip(&labels) {
                loss += head(logits, *label as usize, rows, out);
            }
            for (index, (layer, x)) in layers.iter_mut().zip(&inputs).enumerate().rev() {
                let dx = (index > 0).then(|| {
                    let mut dx = dy.dot(&layer.weights.t());
                    Zip::from(&mut dx).and(x).for_each(|dx, x| *dx = if *x > 0.0 { *dx } else { 0.0 });
                    dx
                });
                layer.descend(x, &dy);
                dy = dx.unwrap_or(dy);
            }
            Ok(loss / rows)
        };
        work(step, |loss| Ok(Answer::loss(*loss)))
    }

    fn matmul(&self, a: Array2<f32>, b: Array2<f32>) -> Result<Box<dyn Work>> {
        work(move || Ok(a.dot(&b)), |product| Ok(Answer::matrix(product.iter().copied().collect())))
    }

    fn softmax(&self, logits: Array2<f32>) -> Result<Box<dyn Work>> {
        let run = move || {
            let mut probs = Array2::zeros(logits.dim());
            Zip::from(probs.rows_mut()).and(logits.rows()).par_for_each(|mut probs, logits| {
                let (_, sum) = exponentials(logits, probs.view_mut());
                probs *= 1.0 / sum;
            });
            Ok(probs)
        };
        work(run, |probs: &Array2<f32>| Ok(Answer::matrix(probs.iter().copied().collect())))
    }

    fn cross_entropy(&self, logits: Array2<f32>, labels: Vec<u32>) -> Result<Box<dyn Work>> {
        let rows = labels.len() as f32;
        let run = move || {
            let mut gradient = Array2::zeros(logits.dim());
            let each = gradient.axis_iter_mut(Axis(0)).into_par_iter().zip(logits.axis_iter(Axis(0))).zip(&labels);
            // The sum is in f64, because it is over many rows.
            let sum: f64 = each.map(|((out, logits), label)| f64::from(head(logits, *label as usize, rows, out))).sum();
            Ok(((sum / f64::from(rows)) as f32, gradient))
        };
        work(run, |(loss, gradient): &(f32, Array2<f32>)| {
            Ok(Answer { loss: Some(*loss), matrix: gradient.iter().copied().collect() })
        })
    }
}
