//! Cases for single elements and sums of columns: `bias_add`, `column_sum`, `relu` and its kin.

use ndarray::Array2;

use super::bounds::{self, Bound};
use super::case::{Expected, Inputs};
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

/// Elements of the case in which dropout draws its threshold: one of 256 draws is a rate that f32 has.
const DRAWN: [usize; 3] = [100, 101, 1];

/// The first element's draw that is a rate: with this threshold the element stays.
fn drawn_rate() -> f32 {
    let draws = (0..(DRAWN[0] * DRAWN[1]) as u64).map(|element| oracle::draw(SEED, COUNTER, element));
    let rates = draws.map(|draw| draw as f32 / 2f32.powi(32));
    rates.zip(0..).find(|(rate, element)| is_threshold(*rate, *element)).map_or(RATE, |(rate, _)| rate)
}

/// Whether dropout of so much draws its threshold for this element.
fn is_threshold(rate: f32, element: u64) -> bool {
    f64::from(rate) * 2f64.powi(32) == f64::from(oracle::draw(SEED, COUNTER, element))
}

fn dropped(rate: f32, inputs: &Inputs) -> Vec<Expected> {
    let x = &reference(inputs)[0];
    let want = Array2::from_shape_fn(x.dim(), |(r, c)| {
        let element = (r * x.ncols() + c) as u64;
        let kept = oracle::keeps(rate, SEED, COUNTER, element);
        if kept { x[[r, c]] / (1.0 - f64::from(rate)) } else { 0.0 }
    });
    // What is left out is exactly 0.
    let bound = want.mapv(|y| match y == 0.0 {
        true => Bound::NONE,
        false => Bound::roundings(2.0) * y.abs() + Bound::FLUSH,
    });
    vec![Expected::within(&bound, want)]
}

impl Table {
    pub(super) fn dropouts(&mut self) {
        let drawn = drawn_rate();
        let kinds = all_matrices().map(|dims| ("rate 0.3", *dims, RATE));
        for (variant, dims, rate) in kinds.chain([("an element draws the threshold", DRAWN, drawn)]) {
            self.add(
                ("dropout", variant),
                dims,
                |[rows, cols, _]| (rows * cols, 8 * rows * cols),
                |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
                move |device, inputs| {
                    let x = &uploaded(device, inputs)?[0];
                    Ok(vec![ops::dropout(x, rate, SEED, COUNTER)?.into()])
                },
                move |inputs| dropped(rate, inputs),
            );
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_draws_the_threshold() {
        let rate = drawn_rate();
        let drawn = (0..(DRAWN[0] * DRAWN[1]) as u64).filter(|element| is_threshold(rate, *element)).count();
        assert!(rate > 0.0 && rate < RATE && drawn > 0, "{drawn} draws of {rate}");
    }
}
