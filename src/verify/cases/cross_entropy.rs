//! Cases of `softmax_cross_entropy`: every choice of its options, on every kind of row.

use ndarray::{Array2, Axis};

use super::choice::{ALL_WEIGHTS_ZERO, FEW, LossChoice};
use crate::cpu::reference::{self, LossTargets};
use crate::ops;
use crate::verify::bounds::{self, Bound, U};
use crate::verify::expected::Expected;
use crate::verify::inputs::{
    CaseRng, Fill, Inputs, matrices, normal, rounding_logits_in_runs, rounding_terms_in_runs, special_rows,
};
use crate::verify::operands::in_f64;
use crate::verify::output::Output;
use crate::verify::shapes::{LONG_ROWS, all_matrices};
use crate::verify::table::Table;

/// The least number of columns in whose sums of masses the errors add up.
const LONG: usize = 100;

pub(super) fn cases(table: &mut Table) {
    for choice in LossChoice::all().into_iter().filter(|choice| choice.row_weights) {
        add(table, choice, (", all 0", normal), ALL_WEIGHTS_ZERO);
    }
    for dims in all_matrices() {
        add(table, LossChoice::PLAIN, (", sums that lose", rounding_logits_in_runs), *dims);
    }
    let fills: [(&str, Fill); 2] = [("", normal), (", all kinds of row", special_rows)];
    let distributions = LossChoice { distributions: true, ..LossChoice::PLAIN };
    let choices = [LossChoice::PLAIN, distributions, LossChoice { smoothing: 0.1, ..LossChoice::PLAIN }];
    for dims in all_matrices().filter(|[_, cols, _]| *cols >= LONG) {
        add_drawn(table, distributions, ", masses that lose", *dims, losing_masses);
    }
    for fill in fills {
        for choice in choices {
            for dims in all_matrices() {
                add(table, choice, fill, *dims);
            }
        }
        for choice in LossChoice::all() {
            for dims in FEW {
                add(table, choice, fill, *dims);
            }
        }
    }
    let [_, of_all_kinds] = fills;
    for choice in choices {
        for dims in LONG_ROWS {
            add(table, choice, of_all_kinds, *dims);
        }
    }
}

/// Equal logits, and distributions whose sum is rounded up by nearly half a unit with each term. The loss is this sum times the
/// logarithm of the number of classes.
fn losing_masses(rng: &mut CaseRng, [rows, cols, _]: [usize; 3]) -> Inputs {
    matrices([Array2::zeros((rows, cols)), rounding_terms_in_runs(rng, rows, cols)])
}

fn add(table: &mut Table, choice: LossChoice, (suffix, fill): (&str, Fill), dims: [usize; 3]) {
    add_drawn(table, choice, suffix, dims, move |rng, dims| choice.inputs(fill, rng, dims));
}

fn add_drawn(
    table: &mut Table,
    choice: LossChoice,
    suffix: &str,
    dims: [usize; 3],
    draw: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
) {
    table.add(
        ("softmax_cross_entropy", &format!("{}{suffix}", choice.name())),
        dims,
        |[rows, cols, _]| (6 * rows * cols, 8 * rows * cols + 4 * rows),
        draw,
        move |device, inputs| {
            let (logits, y, options) = choice.arguments(device, inputs)?;
            ops::softmax_cross_entropy(&logits, &y, &options).map(Output::of_cross_entropy)
        },
        move |inputs| {
            let m = in_f64(inputs);
            expected(&m[0], choice, &choice.loss_targets(inputs, &m))
        },
    );
}

/// Losses, gradient and statistics of these logits.
pub(super) fn expected(x: &Array2<f64>, choice: LossChoice, targets: &LossTargets) -> Vec<Expected> {
    let want = reference::softmax_cross_entropy(x, targets);
    let statistics = statistics(&want, &targets.weights);
    let of_losses = loss_bounds(x.ncols(), &want.losses, targets);
    let sizes: f64 = want.losses.iter().filter(|loss| loss.is_finite()).map(|loss| loss.abs()).sum();
    let mut of_statistics = Array2::default(statistics.dim());
    let rows = targets.weights.len();
    let (sum, flushes) = (bounds::column_sum(rows), Bound::flushes(rows));
    of_statistics[[0, 0]] = of_losses.iter().copied().sum::<Bound>() + sum * sizes + flushes;
    of_statistics[[0, 1]] = sum * statistics[[0, 1]] + flushes;
    vec![
        Expected::within(&of_losses, want.losses),
        Expected::within(&gradient_bounds(x, &want.dlogits, choice, targets), want.dlogits),
        Expected::within(&of_statistics, statistics),
    ]
}

/// The statistics in f64, as one row: the sums of losses and weights, the rows that hit, that count and that are not finite, and the
/// first of the last, or -1.
fn statistics(want: &reference::CrossEntropy, weights: &[Option<f64>]) -> Array2<f64> {
    let counted: Vec<_> = (0..weights.len()).filter(|r| weights[*r].is_some()).collect();
    let bad: Vec<_> = counted.iter().filter(|r| !want.losses[[**r, 0]].is_finite()).collect();
    let values = [
        reference::sum(counted.iter().map(|r| want.losses[[*r, 0]])),
        reference::sum(weights.iter().flatten().copied()),
        want.correct.iter().filter(|hit| **hit).count() as f64,
        counted.len() as f64,
        bad.len() as f64,
        bad.first().map_or(-1.0, |row| **row as f64),
    ];
    Array2::from_shape_fn((1, values.len()), |(_, c)| values[c])
}

/// The relative bound of a sum over q, with up to seven roundings of each term: of the mass, and of a difference and a product.
/// Without distributions and smoothing the sum has one term.
fn sum_bound(cols: usize, targets: &LossTargets) -> Bound {
    bounds::row_sum(if targets.all_classes { cols } else { 1 })
}

/// The relative bound of a loss, beside that of the logarithm: the logarithm's 3 ulp, its product with Σ q, and the last sum; and
/// both sums over q, since neither these nor the logarithm are below 0.
pub(super) fn relative_loss_bound(cols: usize, targets: &LossTargets) -> Bound {
    Bound::one(3.0 * U) + Bound::roundings(2.0) + sum_bound(cols, targets)
}

/// Bounds of loss = Σ q (m - x) + Σ q · ln Σ exp(x - m): the relative bound, and Σ q times the logarithm's error near 1 and that of
/// the sum of exponentials.
fn loss_bounds(cols: usize, losses: &Array2<f64>, targets: &LossTargets) -> Array2<Bound> {
    Array2::from_shape_fn(losses.dim(), |(r, _)| {
        if !targets.counts(r) {
            return Bound::NONE;
        }
        let relative = relative_loss_bound(cols, targets);
        (bounds::log_sum(cols) * targets.total(r) + relative * losses[[r, 0]].abs()).or_none()
    })
}

/// Bounds of dlogits = (p Σ q - q) / divisor: softmax's bound for p, the sum of q, a product and the difference, and the divisor.
pub(super) fn gradient_bounds(
    x: &Array2<f64>,
    dlogits: &Array2<f64>,
    choice: LossChoice,
    targets: &LossTargets,
) -> Array2<Bound> {
    let probs = reference::softmax(x);
    let softmax = bounds::softmax(&probs, x.view());
    let (of_sum, of_mass) = (sum_bound(x.ncols(), targets), choice.mass_bound());
    let divided = choice.divided_bound(targets);
    let mut bound = Array2::default(x.dim());
    for (r, mut row) in bound.axis_iter_mut(Axis(0)).enumerate().filter(|(r, _)| targets.counts(*r)) {
        let total = targets.total(r);
        for c in 0..x.ncols() {
            let (p, q) = (probs[[r, c]], targets.q[[r, c]]);
            let terms = Bound::roundings(2.0) * (p * total + q) + of_sum * (p * total) + of_mass * q;
            let of_divisor = divided * dlogits[[r, c]].abs();
            row[c] = ((softmax[[r, c]] * total + terms) * targets.divisor.recip() + of_divisor).or_none();
        }
    }
    bound
}
