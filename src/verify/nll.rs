//! Cases for nll and nll_backward: plain ones in every size, every combination of options in a few.

use ndarray::Array2;

use super::bounds::{self, Bound, U};
use super::case::{Expected, Inputs};
use super::head::{Choice, FEW, mass};
use super::inputs::{Fill, improbable, probabilities};
use super::oracle;
use super::table::{Table, all_matrices, reference, targets};
use crate::matrix::Matrix;
use crate::ops::{self, Reduction};

/// Rows that come in pieces where bindings hold a thousand words.
const IN_PIECES: [usize; 3] = [2, 1027, 1];

pub(super) fn cases(table: &mut Table) {
    for distributed in [false, true] {
        // The losses themselves, and the gradient of their mean.
        for reduction in [Reduction::None, Reduction::Mean] {
            for dims in all_matrices() {
                add(table, Choice { distributed, reduction, ..Choice::PLAIN }, ("", probabilities), *dims);
            }
        }
    }
    // NaN, where a row's class is and where it is not, and what is no probability; a loss of distributions reads all of its row, and is left out.
    let by_ids = Choice { reduction: Reduction::None, ..Choice::PLAIN };
    for choice in [by_ids, Choice { distributed: true, ..Choice::PLAIN }] {
        for dims in FEW {
            add(table, choice, (", some of NaN, some above 1", improbable), *dims);
        }
    }
    for choice in Choice::all() {
        for dims in FEW {
            add(table, choice, ("", probabilities), *dims);
        }
    }
    // Classes that all have a mass and a weight of their own, in rows that small bindings take in pieces.
    for distributed in [false, true] {
        let choice = Choice { distributed, weighted: true, smoothing: 0.1, ..Choice::PLAIN };
        add(table, choice, ("", probabilities), IN_PIECES);
    }
}

fn add(table: &mut Table, choice: Choice, (suffix, fill): (&str, Fill), dims: [usize; 3]) {
    // Losses are not reduced.
    if choice.reduction == Reduction::None {
        table.add(
            ("nll", &format!("{}{suffix}", choice.name())),
            dims,
            |[rows, _, _]| (2 * rows, 12 * rows),
            move |rng, dims| choice.inputs(fill, rng, dims),
            move |device, inputs| {
                let probs = Matrix::from_array(device, inputs.matrices[0].view())?;
                let (y, options) = (targets(device, inputs, choice.distributed)?, choice.options(device, inputs)?);
                Ok(vec![ops::nll_with(&probs, &y, &options)?.into()])
            },
            move |inputs| vec![losses(choice, inputs)],
        );
    }
    table.add(
        ("nll_backward", &format!("{}{suffix}", choice.name())),
        dims,
        |[rows, cols, _]| (2 * rows * cols, 8 * rows * cols + 4 * rows),
        move |rng, dims| choice.inputs(fill, rng, dims),
        move |device, inputs| {
            let probs = Matrix::from_array(device, inputs.matrices[0].view())?;
            let (y, options) = (targets(device, inputs, choice.distributed)?, choice.options(device, inputs)?);
            Ok(vec![ops::nll_backward_with(&probs, &y, &options)?.into()])
        },
        move |inputs| {
            let m = reference(inputs);
            let want = oracle::nll_backward(&m[0], &choice.masses(inputs, &m));
            // Two quotients of 2.5 ulp each, the mass's roundings, and the divisor's sum.
            let quotient = Bound::one(2.5 * U);
            let error = quotient + quotient + Bound::roundings(10.0) + bounds::column_sum(want.nrows());
            vec![Expected::within(&want.mapv(|slope| error * slope.abs() + Bound::FLUSH), want)]
        },
    );
}

/// Each logarithm is off by 2⁻²¹ and 3 ulp, each mass and product by a few roundings, their sum by its tree.
fn losses(choice: Choice, inputs: &Inputs) -> Expected {
    let m = reference(inputs);
    let want = oracle::nll(&m[0], &choice.masses(inputs, &m));
    let cols = m[0].ncols();
    let bound = Array2::from_shape_fn(want.dim(), |(r, _)| {
        let total: f64 = (0..cols).map(|c| mass(choice, inputs, &m, r, c)).sum();
        let relative = Bound::one(3.0 * U) + Bound::roundings(2.0) + bounds::row_sum(cols);
        Bound::LOG * total + relative * want[[r, 0]].abs() + Bound::FLUSH
    });
    Expected::within(&bound, want)
}
