//! Cases of ops on single elements, and of sums of columns: `bias_add`, `column_sum`, `relu` and its gradient, `dropout`.

use ndarray::Array2;

use crate::cpu::reference;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;
use crate::verify::bounds::{self, Bound};
use crate::verify::expected::Expected;
use crate::verify::inputs::{Fill, flushed, matrices, normal, rounding_rows, rounding_rows_of, special_rows};
use crate::verify::output::Output;
use crate::verify::shapes::{TALL_AND_WIDE, all_matrices};
use crate::verify::table::Table;

/// The arguments of dropout's cases.
const RATE: f32 = 0.3;
const SEED: u64 = 0x1234_5678_9abc_def0;
/// The counter of the draws: a number of which neither 32-bit word is 0.
const COUNTER: u64 = (1 << 40) + 3;

/// The distance between rows' numbers in the cases of `dropout_rows`.
const ROWS_APART: u64 = (1 << 30) + 1;

/// The shape of the case in which an element's draw equals dropout's threshold. One of 256 draws is a rate that f32 can represent,
/// so the matrix must be large enough to have one.
const DRAWN: [usize; 3] = [100, 101, 1];

/// The dims of a matrix whose columns are whole fours, and whose rows fill several blocks of one launch.
const FOURS_IN_BLOCKS: [usize; 3] = [130, 24, 1];

/// Sums that lose with the lanes that a GPU has for so many columns. Software drivers have one lane where others have four.
const BY_LANES: [(&str, Fill, [usize; 3]); 4] = [
    ("sums that lose, by 1 lane", rounding_rows_of::<1>, [1031, 10, 1]),
    ("sums that lose, by 4 lanes", rounding_rows_of::<4>, [4096, 5, 1]),
    ("sums that lose, by 32 lanes", rounding_rows_of::<32>, [1031, 3, 1]),
    ("sums that lose, by 128 lanes", rounding_rows_of::<128>, [2049, 1, 1]),
];

pub(super) fn cases(table: &mut Table) {
    for dims in all_matrices().chain([&FOURS_IN_BLOCKS]) {
        bias_add(table, "", normal, *dims);
    }
    let fills: [(&str, Fill); 2] = [("", normal), ("sums that lose", rounding_rows)];
    for (variant, fill) in fills {
        for dims in all_matrices().chain([&FOURS_IN_BLOCKS]) {
            column_sum(table, variant, fill, *dims);
        }
    }
    column_sum(table, "sums that lose", rounding_rows, TALL_AND_WIDE);
    for (variant, fill, dims) in BY_LANES {
        column_sum(table, variant, fill, dims);
    }
    for dims in FLUSHED {
        bias_add(table, "numbers that may be flushed", flushed, *dims);
        column_sum(table, "numbers that may be flushed", flushed, *dims);
    }
    relus(table);
    dropout(table);
    dropout_rows(table);
}

/// The dims of cases in which every number may be flushed to zero.
const FLUSHED: &[[usize; 3]] = &[[129, 10, 1], [37, 1000, 1]];

fn bias_add(table: &mut Table, variant: &str, fill: Fill, dims: [usize; 3]) {
    table.add_on_matrices(
        ("bias_add", variant),
        dims,
        |[rows, cols, _]| (rows * cols, 4 * (2 * rows * cols + cols)),
        move |rng, [rows, cols, _]| matrices([fill(rng, rows, cols), fill(rng, 1, cols)]),
        |m| ops::bias_add(&m[0], &m[1]).map(Output::alone),
        |m| {
            let want = reference::bias_add(&m[0], &m[1]);
            vec![Expected::within(&want.mapv(|sum| Bound::roundings(1.0) * sum.abs() + Bound::flushes(2)), want)]
        },
    );
}

fn column_sum(table: &mut Table, variant: &str, fill: Fill, dims: [usize; 3]) {
    table.add_on_matrices(
        ("column_sum", variant),
        dims,
        |[rows, cols, _]| (rows * cols, 4 * (rows * cols + cols)),
        move |rng, [rows, cols, _]| matrices([fill(rng, rows, cols)]),
        |m| ops::column_sum(&m[0]).map(Output::alone),
        |m| {
            let (rows, magnitude) = (m[0].nrows(), reference::column_sum(&m[0].mapv(f64::abs)));
            let bound = magnitude.mapv(|sum| bounds::column_sum(rows) * sum + Bound::flushes(rows));
            vec![Expected::within(&bound, reference::column_sum(&m[0]))]
        },
    );
}

fn relus(table: &mut Table) {
    type Op = fn(&Matrix) -> Result<Matrix>;
    type OfElement = fn(f64) -> f64;
    let ops: [(&'static str, Op, OfElement); 2] =
        [("relu", ops::relu, reference::relu), ("relu_mask", ops::relu_mask, reference::relu_mask)];
    for (name, op, of_element) in ops {
        for dims in all_matrices() {
            table.add_on_matrices(
                (name, "all kinds of row"),
                *dims,
                |[rows, cols, _]| (rows * cols, 8 * rows * cols),
                |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
                move |m| op(&m[0]).map(Output::alone),
                move |m| vec![Expected::exactly(m[0].mapv(of_element))],
            );
        }
    }
    for dims in all_matrices() {
        table.add_on_matrices(
            ("relu_backward", "all kinds of row"),
            *dims,
            |[rows, cols, _]| (rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols), normal(rng, rows, cols)]),
            |m| ops::relu_backward(&m[0], &m[1]).map(Output::alone),
            |m| vec![Expected::exactly(reference::relu_backward(&m[0], &m[1]))],
        );
    }
}

fn dropout(table: &mut Table) {
    let kinds = all_matrices().map(|dims| ("rate 0.3", *dims, RATE));
    for (variant, dims, rate) in kinds.chain([("an element draws the threshold", DRAWN, drawn_rate())]) {
        table.add_on_matrices(
            ("dropout", variant),
            dims,
            |[rows, cols, _]| (rows * cols, 8 * rows * cols),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
            move |m| ops::dropout(&m[0], rate, SEED, COUNTER).map(Output::alone),
            move |m| vec![kept(reference::dropout(&m[0], rate, SEED, COUNTER))],
        );
    }
}

/// Rows of a larger matrix, whose elements' numbers need two words from some of its rows on.
fn dropout_rows(table: &mut Table) {
    // Neighbouring rows, with gaps, and out of order; and rows in which, or just before which, the low word of an element's number
    // wraps.
    let row = |row: u64, cols: u64| match row % 4 {
        3 => (1 << 32) / cols + row / 4,
        _ => (row * 7 % 5) * ROWS_APART + row,
    };
    let rows = move |rows: usize, cols: usize| (0..rows as u64).map(|r| row(r, cols as u64)).collect::<Vec<_>>();
    for dims in all_matrices() {
        table.add_on_matrices(
            ("dropout_rows", "rate 0.3"),
            *dims,
            |[rows, cols, _]| (rows * cols, 8 * rows * (cols + 1)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
            move |m| ops::dropout_rows(&m[0], &rows(m[0].rows(), m[0].cols()), RATE, SEED, COUNTER).map(Output::alone),
            move |m| vec![kept(reference::dropout_rows(&m[0], &rows(m[0].nrows(), m[0].ncols()), RATE, SEED, COUNTER))],
        );
    }
}

/// The expected results of dropout: elements that are left out are exactly 0.
fn kept(want: Array2<f64>) -> Expected {
    let bound = want.mapv(|y| match y == 0.0 {
        true => Bound::NONE,
        false => Bound::roundings(2.0) * y.abs() + Bound::FLUSH,
    });
    Expected::within(&bound, want)
}

/// The first element's draw that is a rate: with this threshold the element stays.
fn drawn_rate() -> f32 {
    let draws = (0..(DRAWN[0] * DRAWN[1]) as u64).map(|element| reference::draw(SEED, COUNTER, element));
    let rates = draws.map(|draw| draw as f32 / 2f32.powi(32));
    rates.zip(0..).find(|(rate, element)| is_threshold(*rate, *element)).map_or(RATE, |(rate, _)| rate)
}

/// Whether the draw of this element is the threshold of dropout with this rate.
fn is_threshold(rate: f32, element: u64) -> bool {
    f64::from(rate) * 2f64.powi(32) == f64::from(reference::draw(SEED, COUNTER, element))
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
