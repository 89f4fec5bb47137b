//! Cases that hold gradients against central differences of the f64 forward pass, which know nothing of any backward.

use ndarray::{Array2, Axis};

use super::bounds::{self, Bound, U};
use super::case::{Expected, Inputs};
use super::head::{Choice, slope_bounds};
use super::inputs::{classes, normal};
use super::oracle;
use super::output::Output;
use super::table::{Cost, Table, matrices, reference, targets, uploaded};
use crate::layers::{CategoricalCrossEntropy, Dense, ReLU, Softmax};
use crate::matrix::Matrix;
use crate::ops::{self, Activation};

/// Half the distance between the two points of a difference.
const STEP: f64 = 1e-5;
/// What the differences themselves are off by, for functions whose third derivative is of the size of 1 to 1000:
/// STEP² / 6 of it, and the rounding of f64 over STEP.
const DIFFERENCE: f64 = 1e-7;
/// Shapes small enough that every element can be moved by itself.
const SHAPES: &[[usize; 3]] = &[[1, 2, 3], [5, 3, 4], [4, 17, 6], [9, 7, 33]];

const COST: Cost = |[m, k, n]| (4 * m * k * n, 8 * (m * k + k * n + m * n));

/// dL/dx by central differences, element by element.
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

/// Within the op's own bound and that of the differences.
fn expected(want: Array2<f64>, bound: Array2<Bound>) -> Expected {
    let differences = want.mapv(|want| Bound::one(DIFFERENCE * (1.0 + want.abs())) + Bound::FLUSH);
    Expected::within(&(bound + differences), want)
}

pub(super) fn cases(table: &mut Table) {
    for dims in SHAPES {
        dense(table, *dims, false);
        dense(table, *dims, true);
        activations(table, *dims);
        losses(table, *dims);
        for choice in Choice::all() {
            head(table, *dims, choice);
        }
    }
}

/// L = Σ G ∘ act(XW + b): dX, dW and db.
fn dense(table: &mut Table, dims: [usize; 3], relu: bool) {
    let (variant, activation) = if relu { ("with ReLU", Activation::Relu) } else { ("", Activation::None) };
    table.add(
        ("gradient of dense", variant),
        dims,
        COST,
        |rng, [m, k, n]| matrices([normal(rng, m, k), normal(rng, k, n), normal(rng, 1, n), normal(rng, m, n)]),
        move |device, inputs| {
            let m = uploaded(device, inputs)?;
            let mut layer = Dense::from_parameters(m[1].clone(), m[2].clone())?.with_activation(activation);
            layer.forward(&m[0])?;
            let dx = layer.backward(&m[3])?;
            let gradients = [layer.dweights(), layer.dbiases()].into_iter().flatten().cloned();
            Ok(std::iter::once(dx).chain(gradients).map(Output::from).collect())
        },
        move |inputs| {
            let m = reference(inputs);
            let loss = |x: &Array2<f64>, w: &Array2<f64>, b: &Array2<f64>| {
                let sums = x.dot(w) + b;
                ((if relu { sums.mapv(oracle::relu) } else { sums }) * &m[3]).sum()
            };
            let size = |a: Array2<f64>, b: Array2<f64>, k| {
                a.mapv(f64::abs).dot(&b.mapv(f64::abs)).mapv(|size| bounds::product(size, k))
            };
            let rows = m[0].nrows();
            let sums = m[3].mapv(f64::abs).sum_axis(Axis(0)).insert_axis(Axis(0));
            vec![
                expected(
                    differences(&m[0], |x| loss(x, &m[1], &m[2])),
                    size(m[3].clone(), m[1].t().to_owned(), m[3].ncols()),
                ),
                expected(differences(&m[1], |w| loss(&m[0], w, &m[2])), size(m[0].t().to_owned(), m[3].clone(), rows)),
                expected(
                    differences(&m[2], |b| loss(&m[0], &m[1], b)),
                    sums.mapv(|sum| bounds::column_sum(rows) * sum),
                ),
            ]
        },
    );
}

/// L = Σ G ∘ relu(X) and L = Σ G ∘ softmax(X).
fn activations(table: &mut Table, dims: [usize; 3]) {
    let draw = |rng: &mut super::case::CaseRng, [m, k, _]: [usize; 3]| {
        // A difference across the kink at 0 would see both slopes.
        let away = normal(rng, m, k).mapv(|x| if x.abs() < 0.01 { x + 0.1 } else { x });
        matrices([away, normal(rng, m, k)])
    };
    table.add(
        ("gradient of relu", ""),
        dims,
        COST,
        draw,
        |device, inputs| {
            let m = uploaded(device, inputs)?;
            let mut layer = ReLU::new();
            layer.forward(&m[0])?;
            Ok(vec![layer.backward(&m[1])?.into()])
        },
        |inputs| {
            let m = reference(inputs);
            let want = differences(&m[0], |x| (x.mapv(oracle::relu) * &m[1]).sum());
            vec![expected(want, Array2::default(m[0].dim()))]
        },
    );
    table.add(
        ("gradient of softmax", ""),
        dims,
        COST,
        draw,
        |device, inputs| {
            let m = uploaded(device, inputs)?;
            let mut layer = Softmax::new();
            layer.forward(&m[0])?;
            Ok(vec![layer.backward(&m[1])?.into()])
        },
        |inputs| {
            let m = reference(inputs);
            let want = differences(&m[0], |x| (oracle::softmax(x) * &m[1]).sum());
            // p is off by softmax's bound, and enters the gradient once by itself and once in the row's dot product.
            let p = oracle::softmax(&m[0]);
            let error = bounds::softmax(&p, m[0].view());
            let sizes = m[1].mapv(f64::abs);
            let sum = bounds::row_sum(p.ncols());
            let bound = Array2::from_shape_fn(p.dim(), |(r, c)| {
                let (errors, sizes) = (error.row(r), sizes.row(r));
                let dot: f64 = p.row(r).iter().zip(sizes).map(|(p, size)| p * size).sum();
                let carried: Bound = errors.iter().zip(sizes).map(|(error, size)| *error * *size).sum();
                let rest = carried + sum * dot + Bound::roundings(6.0) * sizes[c];
                errors[c] * (sizes[c] + dot) + rest * p[[r, c]]
            });
            vec![expected(want, bound)]
        },
    );
}

/// L = mean of the clipped losses of probabilities that are far from the clip.
fn losses(table: &mut Table, dims: [usize; 3]) {
    for distributed in [false, true] {
        table.add(
            ("gradient of nll", if distributed { "distributions" } else { "class ids" }),
            dims,
            COST,
            move |rng, [m, k, _]| {
                let mut uniform =
                    || oracle::softmax(&normal(rng, m, k).mapv(|x| 0.3 * f64::from(x))).mapv(|p| p as f32);
                Inputs { matrices: vec![uniform(), uniform()], classes: classes(rng, m, k) }
            },
            move |device, inputs| {
                let probs = Matrix::from_array(device, inputs.matrices[0].view())?;
                let y = targets(device, inputs, distributed)?;
                Ok(vec![CategoricalCrossEntropy::new().backward(&probs, &y)?.into()])
            },
            move |inputs| {
                let m = reference(inputs);
                let masses = Choice { distributed, ..Choice::PLAIN }.masses(inputs, &m);
                let want = differences(&m[0], |p| oracle::nll(p, &masses).sum() / p.nrows() as f64);
                // STEP² / 6 of the third derivative 2 y / p³, beside what every difference has.
                let third = |at| want[at].abs() * STEP * STEP / (3.0 * m[0][at].powi(2));
                let divided = Bound::one(2.5 * U) + Bound::roundings(7.0);
                let bound = Array2::from_shape_fn(want.dim(), |at| divided * want[at].abs() + Bound::one(third(at)));
                vec![expected(want, bound)]
            },
        );
    }
}

/// L = the reduced loss of the head, for every combination of its options.
fn head(table: &mut Table, [rows, cols, _]: [usize; 3], choice: Choice) {
    table.add(
        ("gradient of softmax_cross_entropy", &choice.name()),
        [rows, cols, 1],
        |[rows, cols, _]| (6 * rows * cols, 8 * rows * cols),
        move |rng, dims| choice.inputs(normal, rng, dims),
        move |device, inputs| {
            let logits = Matrix::from_array(device, inputs.matrices[0].view())?;
            let y = targets(device, inputs, choice.distributed)?;
            let head = ops::softmax_cross_entropy(&logits, &y, &choice.options(device, inputs)?)?;
            Ok(vec![head.dlogits().clone().into()])
        },
        move |inputs| {
            let m = reference(inputs);
            let masses = choice.masses(inputs, &m);
            // Nothing counted, nothing to move: the divisor is infinity there.
            let want = differences(&m[0], |x| oracle::head(x, &masses).losses.sum() / masses.divisor);
            let bound = slope_bounds(&m[0], &oracle::head(&m[0], &masses).dlogits, &masses);
            vec![expected(want, bound)]
        },
    );
}
