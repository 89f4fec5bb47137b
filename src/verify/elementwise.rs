//! Cases for single elements and sums of columns: `bias_add`, `column_sum`, `relu` and its kin.

use ndarray::Array2;

use super::bounds::{self, Bound};
use super::case::Expected;
use super::inputs::{normal, special_rows};
use super::oracle;
use super::table::{Table, all_matrices, exactly, matrices, reference, uploaded};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;

/// An op of one matrix, and its reference for an element.
type Op = fn(&Matrix) -> Result<Matrix>;
type Twin = fn(f64) -> f64;

/// What dropout's cases take.
const RATE: f32 = 0.3;
const SEED: u64 = 0x1234_5678_9abc_def0;
/// Neither of its words is 0.
const COUNTER: u64 = (1 << 40) + 3;

impl Table {
    pub(super) fn dropouts(&mut self) {
        self.matrices(
            ("dropout", "rate 0.3"),
            |[rows, cols, _]| (rows * cols, 8 * rows * cols),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
            |device, inputs| {
                let x = &uploaded(device, inputs)?[0];
                Ok(vec![ops::dropout(x, RATE, SEED, COUNTER)?.into()])
            },
            |inputs| {
                let x = &reference(inputs)[0];
                let want = Array2::from_shape_fn(x.dim(), |(r, c)| {
                    let element = (r * x.ncols() + c) as u64;
                    let kept = oracle::keeps(RATE, SEED, COUNTER, element);
                    if kept { x[[r, c]] / (1.0 - f64::from(RATE)) } else { 0.0 }
                });
                // What is left out is exactly 0.
                let bound = want.mapv(|y| match y == 0.0 {
                    true => Bound::NONE,
                    false => Bound::roundings(2.0) * y.abs() + Bound::FLUSH,
                });
                vec![Expected::within(&bound, want)]
            },
        );
    }

    pub(super) fn elementwise(&mut self) {
        self.matrices(
            ("bias_add", ""),
            |[rows, cols, _]| (rows * cols, 4 * (2 * rows * cols + cols)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols), normal(rng, 1, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::bias_add(&m[0], &m[1])?.into()])
            },
            |inputs| {
                let m = reference(inputs);
                let want = &m[0] + &m[1];
                vec![Expected::within(&want.mapv(|sum| Bound::roundings(1.0) * sum.abs() + Bound::FLUSH), want)]
            },
        );
        self.matrices(
            ("column_sum", ""),
            |[rows, cols, _]| (rows * cols, 4 * (rows * cols + cols)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
            |device, inputs| Ok(vec![ops::column_sum(&uploaded(device, inputs)?[0])?.into()]),
            |inputs| {
                let x = &reference(inputs)[0];
                let magnitude = oracle::column_sum(&x.mapv(f64::abs));
                let bound = magnitude.mapv(|sum| bounds::column_sum(x.nrows()) * sum + Bound::FLUSH);
                vec![Expected::within(&bound, oracle::column_sum(x))]
            },
        );
        let exact: [(&'static str, Op, Twin); 2] =
            [("relu", ops::relu, oracle::relu), ("relu_mask", ops::relu_mask, oracle::relu_mask)];
        for (op, run, twin) in exact {
            for dims in all_matrices() {
                self.add(
                    (op, "all kinds of row"),
                    *dims,
                    |[rows, cols, _]| (rows * cols, 8 * rows * cols),
                    |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
                    move |device, inputs| Ok(vec![run(&uploaded(device, inputs)?[0])?.into()]),
                    move |inputs| vec![exactly(reference(inputs)[0].mapv(twin))],
                );
            }
        }
        self.matrices(
            ("relu_backward", "all kinds of row"),
            |[rows, cols, _]| (rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::relu_backward(&m[0], &m[1])?.into()])
            },
            |inputs| {
                let m = reference(inputs);
                // What is masked is 0, whatever comes back.
                let want = Array2::from_shape_fn(m[0].dim(), |at| if m[0][at] > 0.0 { m[1][at] } else { 0.0 });
                vec![exactly(want)]
            },
        );
    }
}
