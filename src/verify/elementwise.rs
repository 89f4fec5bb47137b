//! Cases for single elements and sums of columns: `bias_add`, `column_sum`, `relu` and its kin, `sgd`, `adam`.

use ndarray::{Array2, ArrayView2};

use super::bounds::{self, FLUSH, U};
use super::case::{Expected, Inputs};
use super::inputs::{normal, special_rows};
use super::table::{Table, all_matrices, exactly, matrices, reference, uploaded};
use crate::cpu;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, AdamOptions};

/// An op of one matrix, and its reference.
type Op = fn(&Matrix) -> Result<Matrix>;
type Twin = fn(ArrayView2<'_, f64>) -> Array2<f64>;

impl Table {
    pub(super) fn elementwise(&mut self) {
        self.matrices(
            ("bias_add", ""),
            |[rows, cols, _]| (rows * cols, 4 * (2 * rows * cols + cols)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols), normal(rng, 1, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::bias_add(&m[0], &m[1])?.to_array()?])
            },
            |inputs| {
                let m = reference(inputs);
                let want = cpu::bias_add(m[0].view(), m[1].row(0));
                vec![Expected { bound: want.mapv(|sum| U * sum.abs() / 2.0 + FLUSH), want }]
            },
        );
        self.matrices(
            ("column_sum", ""),
            |[rows, cols, _]| (rows * cols, 4 * (rows * cols + cols)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
            |device, inputs| Ok(vec![ops::column_sum(&uploaded(device, inputs)?[0])?.to_array()?]),
            |inputs| {
                let x = &reference(inputs)[0];
                let magnitude = cpu::column_sum(x.mapv(f64::abs).view());
                let bound = magnitude.mapv(|sum| bounds::column_sum(x.nrows()) * sum + FLUSH);
                vec![Expected { want: cpu::column_sum(x.view()), bound }]
            },
        );
        let exact: [(&'static str, Op, Twin); 2] =
            [("relu", ops::relu, cpu::relu), ("relu_mask", ops::relu_mask, cpu::relu_mask)];
        for (op, run, twin) in exact {
            for dims in all_matrices() {
                self.add(
                    (op, "all kinds of row"),
                    *dims,
                    |[rows, cols, _]| (rows * cols, 8 * rows * cols),
                    |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
                    move |device, inputs| Ok(vec![run(&uploaded(device, inputs)?[0])?.to_array()?]),
                    move |inputs| vec![exactly(twin(reference(inputs)[0].view()))],
                );
            }
        }
        self.matrices(
            ("relu_backward", "all kinds of row"),
            |[rows, cols, _]| (rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::relu_backward(&m[0], &m[1])?.to_array()?])
            },
            |inputs| {
                let m = reference(inputs);
                vec![exactly(cpu::relu_backward(m[0].view(), m[1].view()))]
            },
        );
    }

    pub(super) fn updates(&mut self) {
        const RATE: f64 = 0.1;
        self.matrices(
            ("sgd", ""),
            |[rows, cols, _]| (2 * rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let mut m = uploaded(device, inputs)?;
                let dw = m.remove(1);
                ops::sgd(&mut m[0], &dw, RATE)?;
                Ok(vec![m[0].to_array()?])
            },
            |inputs| {
                let mut m = reference(inputs);
                let dw = m.remove(1);
                let bound = (&m[0].mapv(f64::abs) + &dw.mapv(|dw| 2.0 * RATE * dw.abs())) * U + FLUSH;
                cpu::sgd(m[0].view_mut(), dw.view().into(), RATE);
                vec![Expected { want: m.remove(0), bound }]
            },
        );
        self.matrices(
            ("adam", "step 3"),
            |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
            |rng, [rows, cols, _]| {
                let mut draw = || normal(rng, rows, cols);
                let (w, dw, m) = (draw(), draw(), draw());
                matrices([w, dw, m, draw().mapv(|v| v * v)])
            },
            |device, inputs| {
                let mut m = uploaded(device, inputs)?;
                let [w, dw, mean, square] = m.as_mut_slice() else { return Ok(Vec::new()) };
                ops::adam(w, dw, mean, square, &AdamOptions::default(), ADAM_STEP)?;
                Ok(vec![w.to_array()?, mean.to_array()?, square.to_array()?])
            },
            adam_of,
        );
    }
}

/// The step that Adam's cases take.
const ADAM_STEP: u64 = 3;

/// Adam in f64, with the errors of each line carried through the next.
fn adam_of(inputs: &Inputs) -> Vec<Expected> {
    let options = AdamOptions::default();
    let mut m = reference(inputs);
    let [w, dw, mean, square] = m.as_mut_slice() else { return Vec::new() };
    let before = w.clone();
    let rest1 = 1.0 - options.beta1;
    let terms = mean.mapv(|m| (options.beta1 * m).abs()) + dw.mapv(|dw| (rest1 * dw).abs());
    let moments = cpu::Moments { w: w.view_mut(), m: mean.view_mut(), v: square.view_mut() };
    cpu::adam(moments, dw.view().into(), &options, ADAM_STEP);
    let unbias = |beta: f64| 1.0 / (1.0 - beta.powf(ADAM_STEP as f64));
    let slope = square.mapv(|v| options.learning_rate / ((v * unbias(options.beta2)).sqrt() + options.epsilon));
    let update = (&before - &*w).mapv(f64::abs);
    let carried = &terms * &slope * (4.0 * U * unbias(options.beta1));
    let bound = before.mapv(|w| U * w.abs()) + update * (16.0 * U) + carried + FLUSH;
    vec![
        Expected { want: w.clone(), bound },
        Expected { want: mean.clone(), bound: terms * (4.0 * U) + FLUSH },
        Expected { want: square.clone(), bound: square.mapv(|v| 6.0 * U * v + FLUSH) },
    ]
}
