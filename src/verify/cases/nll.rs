//! Cases of `nll` and `nll_backward`: plain ones in every size, every choice of options in a few.

use ndarray::Array2;

use super::choice::{FEW, LossChoice};
use crate::cpu::reference;
use crate::ops::{self, Reduction};
use crate::verify::bounds::{self, Bound, U};
use crate::verify::expected::Expected;
use crate::verify::inputs::{Fill, Inputs, faulty_probabilities, probabilities};
use crate::verify::operands::in_f64;
use crate::verify::output::Output;
use crate::verify::shapes::all_matrices;
use crate::verify::table::Table;

/// Rows that come in pieces where bindings hold a thousand words.
const IN_PIECES: [usize; 3] = [2, 1027, 1];

pub(super) fn cases(table: &mut Table) {
    for distributions in [false, true] {
        // The losses themselves, and the gradient of their mean.
        for reduction in [Reduction::None, Reduction::Mean] {
            for dims in all_matrices() {
                let choice = LossChoice { distributions, reduction, ..LossChoice::PLAIN };
                add(table, choice, ("", probabilities), *dims);
            }
        }
    }
    // NaN is tried in a row's class and in others, and values above 1. A loss of distributions reads whole rows, so its
    // cases have the gradient alone.
    let by_ids = LossChoice { reduction: Reduction::None, ..LossChoice::PLAIN };
    for choice in [by_ids, LossChoice { distributions: true, ..LossChoice::PLAIN }] {
        for dims in FEW {
            add(table, choice, (", some of NaN, some above 1", faulty_probabilities), *dims);
        }
    }
    for choice in LossChoice::all() {
        for dims in FEW {
            add(table, choice, ("", probabilities), *dims);
        }
    }
    // Classes that all have a mass and a weight of their own, in long rows.
    for distributions in [false, true] {
        let choice = LossChoice { distributions, class_weights: true, smoothing: 0.1, ..LossChoice::PLAIN };
        add(table, choice, ("", probabilities), IN_PIECES);
    }
}

fn add(table: &mut Table, choice: LossChoice, (suffix, fill): (&str, Fill), dims: [usize; 3]) {
    let variant = format!("{}{suffix}", choice.name());
    // nll does not reduce its losses.
    if choice.reduction == Reduction::None {
        table.add(
            ("nll", &variant),
            dims,
            |[rows, _, _]| (2 * rows, 12 * rows),
            move |rng, dims| choice.inputs(fill, rng, dims),
            move |device, inputs| {
                let (probs, y, options) = choice.arguments(device, inputs)?;
                ops::nll_with(&probs, &y, &options).map(Output::alone)
            },
            move |inputs| vec![expected_losses(choice, inputs)],
        );
    }
    table.add(
        ("nll_backward", &variant),
        dims,
        |[rows, cols, _]| (2 * rows * cols, 8 * rows * cols + 4 * rows),
        move |rng, dims| choice.inputs(fill, rng, dims),
        move |device, inputs| {
            let (probs, y, options) = choice.arguments(device, inputs)?;
            ops::nll_backward_with(&probs, &y, &options).map(Output::alone)
        },
        move |inputs| vec![expected_gradient(choice, inputs)],
    );
}

/// The losses: each logarithm is off by 2⁻²¹ and 3 ulp, each mass and product by a few roundings, their sum by its tree.
fn expected_losses(choice: LossChoice, inputs: &Inputs) -> Expected {
    let m = in_f64(inputs);
    let targets = choice.loss_targets(inputs, &m);
    let want = reference::nll(&m[0], &targets);
    let bound = Array2::from_shape_fn(want.dim(), |(r, _)| {
        let relative = Bound::one(3.0 * U) + Bound::roundings(2.0) + bounds::row_sum(m[0].ncols());
        Bound::LOG * targets.total(r) + relative * want[[r, 0]].abs() + Bound::FLUSH
    });
    Expected::within(&bound, want)
}

/// The gradient: two quotients of 2.5 ulp each, the roundings of the mass, and the sum of the divisor.
fn expected_gradient(choice: LossChoice, inputs: &Inputs) -> Expected {
    let m = in_f64(inputs);
    let want = reference::nll_backward(&m[0], &choice.loss_targets(inputs, &m));
    let quotient = Bound::one(2.5 * U);
    let error = quotient + quotient + Bound::roundings(10.0) + bounds::column_sum(want.nrows());
    Expected::within(&want.mapv(|gradient| error * gradient.abs() + Bound::FLUSH), want)
}
