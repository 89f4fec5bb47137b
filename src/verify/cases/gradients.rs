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
use crate::verify::inputs::{CaseRng, Inputs, classes, matrices, normal};
use crate::verify::operands::{in_f64, targets};
use crate::verify::output::Output;
use crate::verify::table::{Cost, Table};

/// Half the distance between the two points of a difference.
const STEP: f64 = 1e-5;
/// The error of a central difference, for functions whose third derivative is between 1 and 1000: STEP² / 6 times this derivative,
/// and the rounding error of f64 divided by STEP.
const DIFFERENCE: f64 = 1e-7;
/// Shapes small enough that every element can be moved by itself.
const SHAPES: &[[usize; 3]] = &[[1, 2, 3], [5, 3, 4], [4, 17, 6], [9, 7, 33]];

const COST: Cost = |[m, k, n]| (4 * m * k * n, 8 * (m * k + k * n + m * n));

/// The gradient dL/dx by central differences, element by element.
fn differences(x: &Array2<f64>, loss: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |at| {
        let moved = |by: f64| {
            let mut x = x.clone();
            x[at] += by;
            loss(&x)
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    })
}

/// Expects these differences within the bound of the op and that of the differences.
fn expected(want: Array2<f64>, bound: Array2<Bound>) -> Expected {
    let differences = want.mapv(|want| Bound::one(DIFFERENCE * (1.0 + want.abs())) + Bound::FLUSH);
    Expected::within(&(bound + differences), want)
}

pub(super) fn cases(table: &mut Table) {
    for dims in SHAPES {
        dense(table, *dims, false);
        dense(table, *dims, true);
        relu(table, *dims);
        softmax(table, *dims);
        nll(table, *dims, false);
        nll(table, *dims, true);
        for choice in LossChoice::all() {
            softmax_cross_entropy(table, *dims, choice);
        }
    }
}

/// L = Σ G ∘ act(XW + b): dX, dW and db.
fn dense(table: &mut Table, dims: [usize; 3], relu: bool) {
    let (variant, activation) = if relu { ("with ReLU", Activation::Relu) } else { ("", Activation::None) };
    table.add_on_matrices(
        ("gradient of dense", variant),
        dims,
        COST,
        |rng, [m, k, n]| matrices([normal(rng, m, k), normal(rng, k, n), normal(rng, 1, n), normal(rng, m, n)]),
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
    let rows = x.nrows();
    let sums = g.mapv(f64::abs).sum_axis(Axis(0)).insert_axis(Axis(0));
    vec![
        expected(differences(x, |x| loss(x, w, b)), product_bounds(g, &w.t().to_owned())),
        expected(differences(w, |w| loss(x, w, b)), product_bounds(&x.t().to_owned(), g)),
        expected(differences(b, |b| loss(x, w, b)), sums.mapv(|sum| bounds::column_sum(rows) * sum)),
    ]
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
            let want = differences(&m[0], |x| (x.mapv(reference::relu) * &m[1]).sum());
            vec![expected(want, Array2::default(m[0].dim()))]
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
            let targets = LossChoice { distributions, ..LossChoice::PLAIN }.loss_targets(inputs, &m);
            let want = differences(&m[0], |p| reference::nll(p, &targets).sum() / p.nrows() as f64);
            // STEP² / 6 times the third derivative 2 y / p³, in addition to the error that every difference has.
            let third = |at| want[at].abs() * STEP * STEP / (3.0 * m[0][at].powi(2));
            let divided = Bound::one(2.5 * U) + Bound::roundings(7.0);
            let bound = Array2::from_shape_fn(want.dim(), |at| divided * want[at].abs() + Bound::one(third(at)));
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
            vec![expected(differences(&m[0], loss), gradient_bounds(&m[0], &dlogits, &targets))]
        },
    );
}
