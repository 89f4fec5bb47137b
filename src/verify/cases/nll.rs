//! Cases of `nll` and `nll_backward`: default options in every size, and every choice of options in a few sizes.

use ndarray::Array2;

use super::choice::{FEW, LossChoice};
use super::cross_entropy::relative_loss_bound;
use crate::cpu::reference;
use crate::ops::{self, Reduction};
use crate::verify::bounds::{Bound, U};
use crate::verify::expected::Expected;
use crate::verify::inputs::{
    CaseRng, Fill, Inputs, faulty_probabilities, probabilities, rounding_rows_of, rounding_terms,
    rounding_terms_in_runs, with_terms,
};
use crate::verify::operands::in_f64;
use crate::verify::output::Output;
use crate::verify::shapes::all_matrices;
use crate::verify::table::Table;

/// The dims of rows that are cut into pieces if a binding holds a thousand words.
const IN_PIECES: [usize; 3] = [2, 1027, 1];

/// The least number of columns for which adding a row's terms one by one exceeds the bound, if all roundings have one sign.
const LONG: usize = 1000;

/// The probability to which smaller ones are clipped.
const LEAST_PROBABILITY: f64 = 1e-7;

/// Factors of row weights. A small one times a clipped probability is below f32's normal numbers. A large one divided by a clipped
/// probability is beyond f32. The gradient of a mean is an everyday number all the same.
const FAR_WEIGHTS: [f32; 2] = [8e-38, 1e35];

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
    // These inputs have NaN in the row's class or in other classes, and values above 1. A loss of distributions reads whole rows,
    // so its cases compare only the gradient.
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
    sums_that_lose(table);
    far_weights(table);
    losing_weights(table);
    over_nothing(table);
}

/// Distributions in whose losses each term rounds the sum by nearly half a unit in one direction, or each term of a run and each
/// run.
fn sums_that_lose(table: &mut Table) {
    let choice = LossChoice { distributions: true, reduction: Reduction::None, ..LossChoice::PLAIN };
    let fills: [(&str, Fill); 2] =
        [("sums that lose in one run", rounding_terms), ("sums that lose", rounding_terms_in_runs)];
    for (suffix, terms) in fills {
        let variant = format!("{}, {suffix}", choice.name());
        for dims in all_matrices().filter(|[_, cols, _]| *cols >= LONG) {
            let draw = move |rng: &mut CaseRng, [rows, cols, _]: [usize; 3]| with_terms(&terms(rng, rows, cols));
            add_losses(table, choice, &variant, *dims, draw);
        }
    }
}

/// Cases of row weights that are all tiny, or all huge.
fn far_weights(table: &mut Table) {
    let choice = LossChoice { row_weights: true, ..LossChoice::PLAIN };
    for factor in FAR_WEIGHTS {
        let variant = format!("{} of {factor:e}", choice.name());
        for dims in FEW {
            add_gradient(table, choice, &variant, *dims, move |rng, dims| {
                let mut inputs = choice.inputs(probabilities, rng, dims);
                if let Some(weights) = inputs.matrices.last_mut() {
                    weights.mapv_inplace(|weight| weight * factor);
                }
                inputs
            });
        }
    }
}

/// The dims of the case of weights whose sum loses: as many rows as make two blocks in a GPU's sum of a single column.
const LOSING_WEIGHTS: [usize; 3] = [2049, 2, 1];

/// Row weights whose sum, the divisor, is rounded up by nearly half a unit with each addition of a GPU's tree.
fn losing_weights(table: &mut Table) {
    let choice = LossChoice { row_weights: true, ..LossChoice::PLAIN };
    let variant = format!("{} whose sum loses", choice.name());
    add_gradient(table, choice, &variant, LOSING_WEIGHTS, move |rng, dims| {
        let mut inputs = choice.inputs(probabilities, rng, dims);
        if let Some(weights) = inputs.matrices.last_mut() {
            *weights = rounding_rows_of::<128>(rng, dims[0], 1);
        }
        inputs
    });
}

/// Rows of classes whose weight is 0, while smoothing spreads some mass over the others: the mean is over nothing.
fn over_nothing(table: &mut Table) {
    let choice = LossChoice { class_weights: true, smoothing: 0.1, ..LossChoice::PLAIN };
    let variant = format!("{}, those of the rows 0", choice.name());
    add_gradient(table, choice, &variant, FEW[0], move |rng, dims| {
        let mut inputs = choice.inputs(probabilities, rng, dims);
        inputs.classes.fill(0);
        if let Some(weights) = inputs.matrices.last_mut() {
            weights[[0, 0]] = 0.0;
        }
        inputs
    });
}

fn add(table: &mut Table, choice: LossChoice, (suffix, fill): (&str, Fill), dims: [usize; 3]) {
    let variant = format!("{}{suffix}", choice.name());
    let draw = move |rng: &mut CaseRng, dims: [usize; 3]| choice.inputs(fill, rng, dims);
    // nll does not reduce its losses.
    if choice.reduction == Reduction::None {
        add_losses(table, choice, &variant, dims, draw);
    }
    add_gradient(table, choice, &variant, dims, draw);
}

fn add_losses(
    table: &mut Table,
    choice: LossChoice,
    variant: &str,
    dims: [usize; 3],
    draw: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
) {
    table.add(
        ("nll", variant),
        dims,
        |[rows, _, _]| (2 * rows, 12 * rows),
        draw,
        move |device, inputs| {
            let (probs, y, options) = choice.arguments(device, inputs)?;
            ops::nll_with(&probs, &y, &options).map(Output::alone)
        },
        move |inputs| vec![expected_losses(choice, inputs)],
    );
}

fn add_gradient(
    table: &mut Table,
    choice: LossChoice,
    variant: &str,
    dims: [usize; 3],
    draw: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
) {
    table.add(
        ("nll_backward", variant),
        dims,
        |[rows, cols, _]| (2 * rows * cols, 8 * rows * cols + 4 * rows),
        draw,
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
    let relative = relative_loss_bound(m[0].ncols(), &targets);
    let bound = Array2::from_shape_fn(want.dim(), |(r, _)| {
        Bound::LOG * targets.total(r) + relative * want[[r, 0]].abs() + Bound::FLUSH
    });
    Expected::within(&bound, want)
}

/// The bound of the gradient: the mass, its division by the divisor, the rounding of the clip, and a quotient of 2.5 ulp. Mass /
/// divisor may be flushed to zero before it is divided by the probability.
fn expected_gradient(choice: LossChoice, inputs: &Inputs) -> Expected {
    let m = in_f64(inputs);
    let targets = choice.loss_targets(inputs, &m);
    let want = reference::nll_backward(&m[0], &targets);
    let by_probability = Bound::roundings(1.0) + Bound::one(2.5 * U);
    let error = choice.mass_bound() + choice.divided_bound(&targets) + by_probability;
    let bound = Array2::from_shape_fn(want.dim(), |at| {
        let flushed = Bound::FLUSH * m[0][at].max(LEAST_PROBABILITY).recip();
        error * want[at].abs() + flushed + Bound::FLUSH
    });
    Expected::within(&bound, want)
}
