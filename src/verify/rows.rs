//! Cases that take a row at a time: `softmax` and its kin, `argmax`, `accuracy`.

use ndarray::Array2;

use super::bounds::{self, Bound};
use super::case::Expected;
use super::inputs::{logits_of_losing, losing_logits, normal, probabilities, special_rows};
use super::oracle;
use super::output::Output;
use super::table::{Draw, Table, all_matrices, exactly, matrices, reference, supervised, targets, uploaded};
use crate::ops;
use crate::targets::Targets;

impl Table {
    pub(super) fn by_row(&mut self) {
        let fills: [(&str, Draw); 4] = [
            ("sums that lose in one run", |rng, [rows, cols, _]| matrices([logits_of_losing(rng, rows, cols)])),
            ("sums that lose", |rng, [rows, cols, _]| matrices([losing_logits(rng, rows, cols)])),
            ("", |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)])),
            ("all kinds of row", |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)])),
        ];
        for (variant, make) in fills {
            self.matrices(
                ("softmax", variant),
                |[rows, cols, _]| (5 * rows * cols, 8 * rows * cols),
                make,
                |device, inputs| Ok(vec![ops::softmax(&uploaded(device, inputs)?[0])?.into()]),
                |inputs| {
                    let x = &reference(inputs)[0];
                    let want = oracle::softmax(x);
                    vec![Expected::within(&bounds::softmax(&want, x.view()), want)]
                },
            );
            self.matrices(
                ("log_softmax", variant),
                |[rows, cols, _]| (5 * rows * cols, 8 * rows * cols),
                make,
                |device, inputs| Ok(vec![ops::log_softmax(&uploaded(device, inputs)?[0])?.into()]),
                |inputs| {
                    let x = &reference(inputs)[0];
                    vec![log_softmax_of(x)]
                },
            );
        }
        self.matrices(
            ("softmax_backward", ""),
            |[rows, cols, _]| (4 * rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([probabilities(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::softmax_backward(&m[0], &m[1])?.into()])
            },
            |inputs| {
                let m = reference(inputs);
                let (p, dp) = (&m[0], &m[1]);
                let dots = (p * dp).mapv(f64::abs).sum_axis(ndarray::Axis(1));
                let bound = Array2::from_shape_fn(p.dim(), |(r, c)| {
                    let sum = bounds::row_sum(p.ncols()) * dots[r];
                    (Bound::roundings(6.0) * dp[[r, c]].abs() + sum) * p[[r, c]].abs() + Bound::FLUSH
                });
                vec![Expected::within(&bound, oracle::softmax_backward(p, dp))]
            },
        );
    }

    pub(super) fn counts(&mut self) {
        self.matrices(
            ("argmax", "all kinds of row"),
            |[rows, cols, _]| (rows * cols, 4 * (rows * cols + rows)),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
            |device, inputs| Ok(vec![Output::Classes(ops::argmax(&uploaded(device, inputs)?[0])?)]),
            |inputs| {
                let x = &reference(inputs)[0];
                let class = |r: usize| oracle::argmax(&x.row(r).to_vec()) as f64;
                vec![exactly(Array2::from_shape_fn((x.nrows(), 1), |(r, _)| class(r)))]
            },
        );
        for (variant, distributed, marked) in
            [("class ids", false, false), ("distributions", true, false), ("class ids, marked", false, true)]
        {
            for dims in all_matrices() {
                self.add(
                    ("accuracy", variant),
                    *dims,
                    |[rows, cols, _]| (rows * cols, 4 * (rows * cols + rows)),
                    move |rng, dims| {
                        let mut inputs = supervised(special_rows, distributed, rng, dims);
                        let marks = inputs.classes.iter_mut().skip(1).step_by(3).filter(|_| marked);
                        marks.for_each(|class| *class = Targets::MARK);
                        inputs
                    },
                    move |device, inputs| {
                        let y = targets(device, inputs, distributed)?;
                        let x = uploaded(device, inputs)?.swap_remove(0);
                        Ok(vec![Output::Accuracy(x, y)])
                    },
                    move |inputs| {
                        let m = reference(inputs);
                        let class = |r: usize| match distributed {
                            true => oracle::argmax(&m[1].row(r).to_vec()),
                            false => inputs.classes[r] as usize,
                        };
                        let hit = |r: &usize| {
                            let row = m[0].row(*r).to_vec();
                            oracle::argmax(&row) == class(*r) && !row.iter().any(|x| x.is_nan())
                        };
                        let hits = (0..m[0].nrows()).filter(hit).count();
                        let ignored = inputs.classes.iter().filter(|class| **class == Targets::MARK).count();
                        // Rounded to f32 as the device's is: the count must be exact.
                        let share = (hits as f64 / (m[0].nrows() - ignored) as f64) as f32;
                        vec![exactly(Array2::from_elem((1, 1), share.into()))]
                    },
                );
            }
        }
    }
}

fn log_softmax_of(x: &Array2<f64>) -> Expected {
    let want = oracle::log_softmax(x);
    let tops: Vec<_> = x.rows().into_iter().map(|row| row.fold(f64::NEG_INFINITY, |top, x| top.max(*x))).collect();
    let bound = Array2::from_shape_fn(x.dim(), |(r, c)| {
        let size = tops[r].abs() + x[[r, c]].abs() + want[[r, c]].abs();
        // A masked class is -inf on both sides; no bound is needed there, and none may be infinite.
        if size.is_finite() { bounds::log_sum(x.ncols()) + Bound::roundings(8.0) * size } else { Bound::NONE }
    });
    Expected::within(&bound, want)
}
