//! Cases of `linear_cross_entropy`: a linear layer and the loss of its outputs in one op.

use ndarray::Array2;

use super::choice::{Ignored, LossChoice};
use super::cross_entropy;
use super::near::moved_softmax;
use super::products::expected_linear;
use crate::cpu::reference;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops;
use crate::verify::bounds::Bound;
use crate::verify::expected::Expected;
use crate::verify::inputs::{CaseRng, Inputs, normal, ones, rounding_terms, with_bad_rows, zeros};
use crate::verify::operands::in_f64;
use crate::verify::output::Output;
use crate::verify::table::Table;

/// Rows, inputs and classes. Few classes take one kernel, many classes two. Software drivers have a kernel for each number of few
/// classes. In one of these products a tile covers the result exactly.
const DIMS: &[[usize; 3]] = &[
    [1, 2, 3],
    [5, 7, 1],
    [31, 33, 16],
    [127, 31, 15],
    [129, 3, 2],
    [300, 65, 10],
    [33, 17, 31],
    [21, 20, 4],
    [19, 12, 8],
    [37, 64, 10],
    [70, 16, 12],
    [64, 32, 16],
    [9, 6, 5],
    [13, 5, 6],
    [12, 4, 7],
    [10, 7, 9],
    [18, 5, 11],
    [15, 8, 13],
    [17, 6, 14],
];
/// The dims for choices with weights or an ignored class, which take two kernels whatever the number of classes is.
const FEW_DIMS: &[[usize; 3]] = &[[5, 7, 1], [129, 3, 2], [300, 65, 10], [33, 17, 31]];
/// The dims of cases with rows whose logits are NaN or infinite.
const BAD_DIMS: &[[usize; 3]] = &[[31, 33, 16], [129, 3, 2], [37, 64, 10], [33, 17, 31]];
/// The dims of a case of sums over k that are so long that the errors of the logits are much larger than those of the loss.
const LOSING: [usize; 3] = [10, 1031, 2];

/// Draws a layer's input, weights and biases.
type Layer = fn(&mut CaseRng, [usize; 3]) -> [Array2<f32>; 3];

pub(super) fn cases(table: &mut Table) {
    let everyday: Layer = |rng, [m, k, n]| [normal(rng, m, k), normal(rng, k, n), normal(rng, 1, n)];
    let faulty: Layer = |rng, [m, k, n]| [with_bad_rows(rng, m, k), normal(rng, k, n), normal(rng, 1, n)];
    for choice in LossChoice::all() {
        let two_kernels = choice.class_weights || choice.row_weights || choice.ignored == Ignored::Class;
        for dims in if two_kernels { FEW_DIMS } else { DIMS } {
            add(table, choice, ("", everyday), *dims);
        }
    }
    for ignored in [Ignored::None, Ignored::Marked] {
        for dims in BAD_DIMS {
            add(table, LossChoice { ignored, ..LossChoice::PLAIN }, (", some rows not finite", faulty), *dims);
        }
    }
    add(table, LossChoice::PLAIN, (", sums that lose", losing), LOSING);
}

/// A layer in whose sums each term is rounded up by nearly half a unit. The weights of every second class are -1, and so its logits
/// are rounded down.
fn losing(rng: &mut CaseRng, [m, k, n]: [usize; 3]) -> [Array2<f32>; 3] {
    let mut weights = ones(rng, k, n);
    weights.columns_mut().into_iter().skip(1).step_by(2).for_each(|mut column| column.fill(-1.0));
    [rounding_terms(rng, m, k), weights, zeros(rng, 1, n)]
}

/// Adds a case with such a layer.
fn add(table: &mut Table, choice: LossChoice, (suffix, layer_of): (&str, Layer), dims: [usize; 3]) {
    table.add(
        ("linear_cross_entropy", &format!("{}{suffix}", choice.name())),
        dims,
        |[m, k, n]| (2 * m * k * n + 6 * m * n, 4 * (m * k + k * n + m * n + 2 * m)),
        move |rng, [m, k, n]| {
            let mut inputs = choice.inputs(normal, rng, [m, n, 1]);
            inputs.matrices.extend(layer_of(rng, [m, k, n]));
            inputs
        },
        move |device, inputs| {
            let (_, y, options) = choice.arguments(device, inputs)?;
            let upload = |matrix: &Array2<f32>| Matrix::from_array(device, matrix.view());
            let m = layer(&inputs.matrices).iter().map(upload).collect::<Result<Vec<_>>>()?;
            ops::linear_cross_entropy(&m[0], &m[1], &m[2], &y, &options).map(Output::of_cross_entropy)
        },
        move |inputs| expected(choice, inputs),
    );
}

/// The layer's input, weights and biases, which are the last three of the inputs. The first input has the logits' shape, and only
/// tells the number of classes.
fn layer<T>(matrices: &[Array2<T>]) -> &[Array2<T>] {
    &matrices[matrices.len() - 3..]
}

/// The smaller of two bounds of one error.
fn smaller(a: Bound, b: Bound) -> Bound {
    Bound { most: a.most.min(b.most), likely: a.likely.min(b.likely) }
}

/// The expected results: those of softmax_cross_entropy for the exact logits, with bounds widened by the errors of the logits.
fn expected(choice: LossChoice, inputs: &Inputs) -> Vec<Expected> {
    let mut m = in_f64(inputs);
    let logits = expected_linear(layer(&m), |sum| sum);
    m[0] = logits.want;
    let targets = choice.loss_targets(inputs, &m);
    let mut expected = cross_entropy::expected(&m[0], choice, &targets);
    let probs = reference::softmax(&m[0]);
    let largest = |errors: &Array2<f64>, r: usize| errors.row(r).fold(0.0, |e: f64, x| e.max(*x));
    // Ignored rows are exactly 0, whatever their logits, and rows whose logits are not finite are NaN.
    let is_finite = |r: usize| m[0].row(r).iter().all(|x| x.is_finite());
    for r in (0..m[0].nrows()).filter(|r| targets.counts(*r) && is_finite(*r)) {
        let error = Bound { most: largest(&logits.bound, r), likely: largest(&logits.likely, r) };
        let (total, cols) = (targets.total(r), m[0].ncols());
        // The loss changes by its gradient times the errors, and by half of its second derivative, the variance of the errors.
        let of_logit = |c| Bound { most: logits.bound[[r, c]], likely: logits.likely[[r, c]] };
        let slopes = (0..cols).map(|c| of_logit(c) * (probs[[r, c]] * total - targets.q[[r, c]]).abs());
        let carried = slopes.sum::<Bound>() + error.map(|error| total * error * error / 2.0);
        let carried = carried + cross_entropy::relative_loss_bound(cols, &targets) * carried.most;
        let carried = smaller(carried, error * (2.0 * total));
        expected[0].widen([r, 0], carried);
        expected[2].widen([0, 0], carried);
        let moved = |errors: &Array2<f64>| moved_softmax(probs.row(r), errors.row(r));
        let (most, likely) = (moved(&logits.bound), moved(&logits.likely));
        for c in 0..cols {
            // The op's own bound grows with p and with the distances of the logits.
            let own = error.map(|error| (4.0 * error).exp_m1()) * expected[1].bound[[r, c]];
            let share = total / targets.divisor;
            let carried = Bound { most: most[c], likely: likely[c] } * share + own;
            let all_alike = error.map(|error| (2.0 * error).exp_m1()) * (probs[[r, c]] * share);
            expected[1].widen([r, c], smaller(carried, all_alike));
        }
        // A row whose two largest logits are this close may count as a hit or a miss.
        let maximum = m[0].row(r).fold(f64::NEG_INFINITY, |maximum, x| maximum.max(*x));
        let is_close = |error| m[0].row(r).iter().filter(|x| maximum - **x <= 2.0 * error).count() > 1;
        expected[2].widen([0, 2], error.map(|error| f64::from(u8::from(is_close(error)))));
    }
    expected
}
