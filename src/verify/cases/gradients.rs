//! Cases of gradients, compared with central differences of the f64 forward pass. These share no formula with any backward pass.

use ndarray::{Array2, Axis};

use super::choice::LossChoice;
use super::cross_entropy::gradient_bounds;
use super::products::product_bounds;
use crate::cpu::reference;
use crate::layers::{CategoricalCrossEntropy, Dense, ReLU, Softmax};
use crate::matrix::Matrix;
use crate::ops::{self, Activation};
use crate::verify::bounds::{self, Bound, U};
use crate::verify::expected::Expected;
use crate::verify::inputs::{CaseRng, Inputs, classes, matrices, normal, ones, rounding_terms};
use crate::verify::operands::{in_f64, targets};
use crate::verify::output::Output;
use crate::verify::table::{Cost, DrawFn, Table};

/// The distance from a point to the nearest ones of a difference. It is smaller for functions with kinks, which no step should cross.
const STEP: f64 = 1e-4;
const STEP_BETWEEN_KINKS: f64 = 1e-5;
/// The error of a difference: the rounding error of f64 divided by the step. That of the formula is smaller: STEP⁴ / 30 times the
/// fifth derivative of a smooth function, and 0 between kinks, where the functions are linear.
const DIFFERENCE: f64 = 1e-9;
const DIFFERENCE_BETWEEN_KINKS: f64 = 1e-7;
/// Shapes small enough that every element can be moved by itself.
const SHAPES: &[[usize; 3]] = &[[1, 2, 3], [5, 3, 4], [4, 17, 6], [9, 7, 33]];

const COST: Cost = |[m, k, n]| (4 * m * k * n, 8 * (m * k + k * n + m * n));

/// The central difference over two steps of the loss, with one element of x moved.
fn difference(x: &Array2<f64>, at: (usize, usize), step: f64, loss: &impl Fn(&Array2<f64>) -> f64) -> f64 {
    let moved = |by: f64| {
        let mut x = x.clone();
        x[at] += by;
        loss(&x)
    };
    (moved(step) - moved(-step)) / (2.0 * step)
}

/// The gradient dL/dx of a smooth function by central differences, element by element. The difference over twice the step is used
/// to remove the error that grows with the third derivative.
fn differences(x: &Array2<f64>, loss: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |at| {
        (4.0 * difference(x, at, STEP, &loss) - difference(x, at, 2.0 * STEP, &loss)) / 3.0
    })
}

/// The gradient dL/dx of a function that is linear between kinks.
fn differences_between_kinks(x: &Array2<f64>, loss: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |at| difference(x, at, STEP_BETWEEN_KINKS, &loss))
}

/// Expects these differences within the bound of the op and that of the differences.
fn expected(want: Array2<f64>, bound: Array2<Bound>) -> Expected {
    expected_within(want, bound, DIFFERENCE)
}

/// Expects these differences of a function that is linear between kinks.
fn expected_between_kinks(want: Array2<f64>, bound: Array2<Bound>) -> Expected {
    expected_within(want, bound, DIFFERENCE_BETWEEN_KINKS)
}

fn expected_within(want: Array2<f64>, bound: Array2<Bound>, difference: f64) -> Expected {
    let differences = want.mapv(|want| Bound::one(difference * (1.0 + want.abs())) + Bound::FLUSH);
    Expected::within(&(bound + differences), want)
}

/// The variant of a dense layer's cases in which ReLU follows.
const WITH_RELU: &str = "with ReLU";
/// The dims of a dense layer the sums of whose input gradient lose.
const LOSING: [usize; 3] = [2, 3, 33];

pub(super) fn cases(table: &mut Table) {
    dense(table, "sums that lose", LOSING, losing_layer);
    for dims in SHAPES {
        dense(table, "", *dims, everyday_layer);
        dense(table, WITH_RELU, *dims, everyday_layer);
        relu(table, *dims);
        softmax(table, *dims);
        nll(table, *dims, false);
        nll(table, *dims, true);
        for choice in LossChoice::all() {
            softmax_cross_entropy(table, *dims, choice);
        }
    }
}

/// The matrices X, W, b and G.
fn everyday_layer(rng: &mut CaseRng, [m, k, n]: [usize; 3]) -> Inputs {
    matrices([normal(rng, m, k), normal(rng, k, n), normal(rng, 1, n), normal(rng, m, n)])
}

/// These matrices, where each term of G Wᵀ is rounded up by nearly half a unit.
fn losing_layer(rng: &mut CaseRng, [m, k, n]: [usize; 3]) -> Inputs {
    matrices([normal(rng, m, k), ones(rng, k, n), normal(rng, 1, n), rounding_terms(rng, m, n)])
}

/// L = Σ G ∘ act(XW + b): dX, dW and db.
fn dense(table: &mut Table, variant: &str, dims: [usize; 3], draw: DrawFn) {
    let relu = variant == WITH_RELU;
    let activation = if relu { Activation::Relu } else { Activation::None };
    table.add_on_matrices(
        ("gradient of dense", variant),
        dims,
        COST,
        draw,
        move |m| {
            let mut layer = Dense::from_parameters(m[1].clone(), m[2].clone())?.with_activation(activation);
            layer.forward(&m[0])?;
            let dx = layer.backward(&m[3])?;
            let gradients = [layer.dweights(), layer.dbiases()].into_iter().flatten().cloned();
            Ok(std::iter::once(dx).chain(gradients).map(Output::from).collect())
        },
        move |m| expected_dense(m, relu),
    );
}

fn expected_dense(m: &[Array2<f64>], relu: bool) -> Vec<Expected> {
    let [x, w, b, g] = [0, 1, 2, 3].map(|index| &m[index]);
    let loss = |x: &Array2<f64>, w: &Array2<f64>, b: &Array2<f64>| {
        let sums = x.dot(w) + b;
        ((if relu { sums.mapv(reference::relu) } else { sums }) * g).sum()
    };
    let (rows, sums) = (x.nrows(), g.mapv(f64::abs).sum_axis(Axis(0)).insert_axis(Axis(0)));
    let of_biases = sums.mapv(|sum| bounds::column_sum(rows) * sum);
    let differences = [
        (differences_between_kinks(x, |x| loss(x, w, b)), product_bounds(g, &w.t().to_owned())),
        (differences_between_kinks(w, |w| loss(x, w, b)), product_bounds(&x.t().to_owned(), g)),
        (differences_between_kinks(b, |b| loss(x, w, b)), of_biases),
    ];
    differences.map(|(want, bound)| expected_between_kinks(want, bound)).into()
}

/// The matrices X and G. No element of X is near 0, where the two points of a difference would lie on both sides of ReLU's kink.
fn away_from_zero(rng: &mut CaseRng, [m, k, _]: [usize; 3]) -> Inputs {
    let away = normal(rng, m, k).mapv(|x| if x.abs() < 0.01 { x + 0.1 } else { x });
    matrices([away, normal(rng, m, k)])
}

/// L = Σ G ∘ relu(X).
fn relu(table: &mut Table, dims: [usize; 3]) {
    table.add_on_matrices(
        ("gradient of relu", ""),
        dims,
        COST,
        away_from_zero,
        |m| {
            let mut layer = ReLU::new();
            layer.forward(&m[0])?;
            layer.backward(&m[1]).map(Output::alone)
        },
        |m| {
            let want = differences_between_kinks(&m[0], |x| (x.mapv(reference::relu) * &m[1]).sum());
            vec![expected_between_kinks(want, Array2::default(m[0].dim()))]
        },
    );
}

/// L = Σ G ∘ softmax(X).
fn softmax(table: &mut Table, dims: [usize; 3]) {
    table.add_on_matrices(
        ("gradient of softmax", ""),
        dims,
        COST,
        away_from_zero,
        |m| {
            let mut layer = Softmax::new();
            layer.forward(&m[0])?;
            layer.backward(&m[1]).map(Output::alone)
        },
        |m| {
            let want = differences(&m[0], |x| (reference::softmax(x) * &m[1]).sum());
            vec![expected(want, softmax_bounds(&m[0], &m[1]))]
        },
    );
}

/// The bound of the gradient: p has softmax's error, and enters the gradient once by itself and once in the row's dot product.
fn softmax_bounds(x: &Array2<f64>, dp: &Array2<f64>) -> Array2<Bound> {
    let p = reference::softmax(x);
    let error = bounds::softmax(&p, x.view());
    let sizes = dp.mapv(f64::abs);
    let sum = bounds::row_sum(p.ncols());
    Array2::from_shape_fn(p.dim(), |(r, c)| {
        let (errors, sizes) = (error.row(r), sizes.row(r));
        let dot: f64 = p.row(r).iter().zip(sizes).map(|(p, size)| p * size).sum();
        let carried: Bound = errors.iter().zip(sizes).map(|(error, size)| *error * *size).sum();
        let rest = carried + sum * dot + Bound::roundings(6.0) * sizes[c];
        errors[c] * (sizes[c] + dot) + rest * p[[r, c]]
    })
}

/// L = the mean of the clipped losses, of probabilities that are far from the clip.
fn nll(table: &mut Table, dims: [usize; 3], distributions: bool) {
    table.add(
        ("gradient of nll", if distributions { "distributions" } else { "class ids" }),
        dims,
        COST,
        move |rng, [m, k, _]| {
            let mut near_uniform =
                || reference::softmax(&normal(rng, m, k).mapv(|x| 0.3 * f64::from(x))).mapv(|p| p as f32);
            Inputs { matrices: vec![near_uniform(), near_uniform()], classes: classes(rng, m, k) }
        },
        move |device, inputs| {
            let probs = Matrix::from_array(device, inputs.matrices[0].view())?;
            let y = targets(device, inputs, distributions)?;
            CategoricalCrossEntropy::new().backward(&probs, &y).map(Output::alone)
        },
        move |inputs| {
            let m = in_f64(inputs);
            let choice = LossChoice { distributions, ..LossChoice::PLAIN };
            let targets = choice.loss_targets(inputs, &m);
            let want = differences(&m[0], |p| reference::nll(p, &targets).sum() / p.nrows() as f64);
            // The formula's error, four times STEP⁴ / 30 of the fifth derivative 24 y / p⁵, since that grows as p falls.
            let fifth = |at| want[at].abs() * 3.2 * (STEP / m[0][at]).powi(4);
            let error = choice.divided_bound(&targets) + Bound::one(2.5 * U) + Bound::roundings(1.0);
            let bound = Array2::from_shape_fn(want.dim(), |at| error * want[at].abs() + Bound::one(fifth(at)));
            vec![expected(want, bound)]
        },
    );
}

/// L = the reduced loss of the logits, for every choice of its options.
fn softmax_cross_entropy(table: &mut Table, [rows, cols, _]: [usize; 3], choice: LossChoice) {
    table.add(
        ("gradient of softmax_cross_entropy", &choice.name()),
        [rows, cols, 1],
        |[rows, cols, _]| (6 * rows * cols, 8 * rows * cols),
        move |rng, dims| choice.inputs(normal, rng, dims),
        move |device, inputs| {
            let (logits, y, options) = choice.arguments(device, inputs)?;
            let results = ops::softmax_cross_entropy(&logits, &y, &options)?;
            Ok(Output::alone(results.dlogits().clone()))
        },
        move |inputs| {
            let m = in_f64(inputs);
            let targets = choice.loss_targets(inputs, &m);
            // If no row counts, the divisor of the mean is infinite, and so the gradient is 0.
            let loss = |x: &Array2<f64>| reference::softmax_cross_entropy(x, &targets).losses.sum() / targets.divisor;
            let dlogits = reference::softmax_cross_entropy(&m[0], &targets).dlogits;
            vec![expected(differences(&m[0], loss), gradient_bounds(&m[0], &dlogits, choice, &targets))]
        },
    );
}
