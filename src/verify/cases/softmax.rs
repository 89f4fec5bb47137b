//! Cases of `softmax`, `log_softmax` and `softmax_backward`.

use ndarray::{Array2, Axis};

use crate::cpu::reference;
use crate::ops;
use crate::verify::bounds::{self, Bound};
use crate::verify::expected::Expected;
use crate::verify::inputs::{
    CaseRng, Inputs, matrices, normal, probabilities, rounding_logits, rounding_logits_in_runs, rounding_terms_in_runs,
    special_rows,
};
use crate::verify::output::Output;
use crate::verify::shapes::{LONG_ROWS, all_matrices};
use crate::verify::table::{Cost, DrawFn, Table};

/// The least number of columns in whose sums the errors add up.
const LONG: usize = 1000;

pub(super) fn cases(table: &mut Table) {
    let draws: [(&str, DrawFn); 4] = [
        ("sums that lose in one run", |rng, [rows, cols, _]| matrices([rounding_logits(rng, rows, cols)])),
        ("sums that lose", |rng, [rows, cols, _]| matrices([rounding_logits_in_runs(rng, rows, cols)])),
        ("", |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)])),
        ("all kinds of row", |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)])),
    ];
    for (variant, draw) in draws {
        for dims in all_matrices() {
            forward(table, variant, *dims, draw);
        }
    }
    let [.., (variant, of_all_kinds)] = draws;
    for dims in LONG_ROWS {
        forward(table, variant, *dims, of_all_kinds);
    }
    let draw: DrawFn = |rng, [rows, cols, _]| matrices([probabilities(rng, rows, cols), normal(rng, rows, cols)]);
    for dims in all_matrices() {
        backward(table, "", *dims, draw);
    }
    for dims in [[37, 1000, 1], [3, 4099, 1]] {
        backward(table, "terms that may be flushed", dims, |_, dims| with_flushed_terms(dims));
    }
    for dims in all_matrices().filter(|[_, cols, _]| *cols >= LONG) {
        backward(table, "sums that lose", *dims, with_losing_terms);
    }
}

fn forward(table: &mut Table, variant: &str, dims: [usize; 3], draw: DrawFn) {
    const COST: Cost = |[rows, cols, _]| (5 * rows * cols, 8 * rows * cols);
    table.add_on_matrices(
        ("softmax", variant),
        dims,
        COST,
        draw,
        |m| ops::softmax(&m[0]).map(Output::alone),
        |m| {
            let want = reference::softmax(&m[0]);
            vec![Expected::within(&bounds::softmax(&want, m[0].view()), want)]
        },
    );
    table.add_on_matrices(
        ("log_softmax", variant),
        dims,
        COST,
        draw,
        |m| ops::log_softmax(&m[0]).map(Output::alone),
        |m| vec![expected_log_softmax(&m[0])],
    );
}

fn backward(table: &mut Table, variant: &str, dims: [usize; 3], draw: DrawFn) {
    table.add_on_matrices(
        ("softmax_backward", variant),
        dims,
        |[rows, cols, _]| (4 * rows * cols, 12 * rows * cols),
        draw,
        |m| ops::softmax_backward(&m[0], &m[1]).map(Output::alone),
        |m| vec![expected_softmax_backward(&m[0], &m[1])],
    );
}

/// Terms of the row's sum that may be flushed to zero: probabilities of one half and many small ones, whose products with their
/// gradients are a little below 2⁻¹²⁶.
fn with_flushed_terms([rows, cols, _]: [usize; 3]) -> Inputs {
    let small = 0.5 / (cols as f32 - 1.0);
    let probs = Array2::from_shape_fn((rows, cols), |(_, c)| if c == 0 { 0.5 } else { small });
    let of_small = 0.99 * f32::MIN_POSITIVE / small;
    let dprobs = Array2::from_shape_fn((rows, cols), |(_, c)| if c == 0 { 0.0 } else { of_small });
    matrices([probs, dprobs])
}

/// Probabilities whose products with their gradients round the row's sum up by nearly half a unit, one after another. Their powers
/// of two divide and multiply the terms exactly.
fn with_losing_terms(rng: &mut CaseRng, [rows, cols, _]: [usize; 3]) -> Inputs {
    let probs = Array2::from_shape_fn((rows, cols), |(_, c)| if c == 0 { 0.5 } else { 2f32.powi(-12) });
    let dprobs = rounding_terms_in_runs(rng, rows, cols) / &probs;
    matrices([probs, dprobs])
}

fn expected_log_softmax(x: &Array2<f64>) -> Expected {
    let want = reference::log_softmax(x);
    let maxima: Vec<_> =
        x.rows().into_iter().map(|row| row.fold(f64::NEG_INFINITY, |maximum, x| maximum.max(*x))).collect();
    let bound = Array2::from_shape_fn(x.dim(), |(r, c)| {
        let size = maxima[r].abs() + x[[r, c]].abs() + want[[r, c]].abs();
        // A masked class is -inf in the result and in the reference. It needs no bound, and no bound may be infinite.
        if size.is_finite() { bounds::log_sum(x.ncols()) + Bound::roundings(8.0) * size } else { Bound::NONE }
    });
    Expected::within(&bound, want)
}

fn expected_softmax_backward(p: &Array2<f64>, dp: &Array2<f64>) -> Expected {
    let dots = (p * dp).mapv(f64::abs).sum_axis(Axis(1));
    let bound = Array2::from_shape_fn(p.dim(), |(r, c)| {
        let sum = bounds::row_sum(p.ncols()) * dots[r] + Bound::flushes(p.ncols() + 1);
        (Bound::roundings(6.0) * dp[[r, c]].abs() + sum) * p[[r, c]].abs() + Bound::FLUSH
    });
    Expected::within(&bound, reference::softmax_backward(p, dp))
}
