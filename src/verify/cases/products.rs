//! Cases of products: `matmul`, `matmul_tn`, `matmul_nt`, `linear`, and the gradients of a linear layer.

use ndarray::Array2;

use crate::cpu::reference;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Activation};
use crate::verify::bounds::{self, Bound};
use crate::verify::expected::Expected;
use crate::verify::inputs::{
    Fill, Inputs, integers, matrices, normal, ones, rounding_terms, rounding_terms_down, special_rows,
    with_flushed_products, with_nan, zeros,
};
use crate::verify::output::Output;
use crate::verify::shapes::{LARGE_PRODUCTS, PRODUCTS};
use crate::verify::table::{ExpectFn, Table};

/// An op on products, as its cases need it.
struct Product {
    op: &'static str,
    activation: &'static str,
    /// The shapes of the operands.
    shapes: fn([usize; 3]) -> Vec<[usize; 2]>,
    /// The fillings of the operands with which each term of a sum over k rounds the sum up: one factor has such terms along k, and
    /// the other is all ones.
    losing: &'static [Fill],
    run: fn(&[Matrix]) -> Result<Vec<Matrix>>,
    expect: ExpectFn,
}

const OPS: [Product; 8] = [
    Product {
        op: "matmul",
        activation: "",
        shapes: |[m, k, n]| vec![[m, k], [k, n]],
        losing: &[rounding_terms, ones],
        run: |m| Ok(vec![ops::matmul(&m[0], &m[1])?]),
        expect: |m| vec![expected_product(&m[0], &m[1])],
    },
    Product {
        op: "matmul_tn",
        activation: "",
        shapes: |[m, k, n]| vec![[k, m], [k, n]],
        losing: &[ones, rounding_terms_down],
        run: |m| Ok(vec![ops::matmul_tn(&m[0], &m[1])?]),
        expect: |m| vec![expected_product(&transposed(&m[0]), &m[1])],
    },
    Product {
        op: "matmul_nt",
        activation: "",
        shapes: |[m, k, n]| vec![[m, k], [n, k]],
        losing: &[rounding_terms, ones],
        run: |m| Ok(vec![ops::matmul_nt(&m[0], &m[1])?]),
        expect: |m| vec![expected_product(&m[0], &transposed(&m[1]))],
    },
    Product {
        op: "linear",
        activation: "",
        shapes: |[m, k, n]| vec![[m, k], [k, n], [1, n]],
        losing: &[rounding_terms, ones, zeros],
        run: |m| Ok(vec![ops::linear(&m[0], &m[1], &m[2], Activation::None)?]),
        expect: |m| vec![expected_linear(m, |sum| sum)],
    },
    Product {
        op: "linear",
        activation: "with ReLU",
        shapes: |[m, k, n]| vec![[m, k], [k, n], [1, n]],
        losing: &[rounding_terms, ones, zeros],
        run: |m| Ok(vec![ops::linear(&m[0], &m[1], &m[2], Activation::Relu)?]),
        expect: |m| vec![expected_linear(m, reference::relu)],
    },
    Product {
        op: "linear_backward",
        activation: "",
        shapes: |[m, k, n]| vec![[m, k], [n, k], [m, n]],
        losing: &[rounding_terms, ones, ones],
        run: |m| Ok(vec![ops::linear_backward(&m[0], &m[1], &m[2])?]),
        expect: |m| vec![expected_dx(&m[2], &m[0], &m[1])],
    },
    Product {
        op: "dense_backward",
        activation: "",
        shapes: |[m, k, n]| vec![[k, m], [k, n], [m, n]],
        losing: &[ones, rounding_terms_down, ones],
        run: |m| ops::dense_backward(&m[0], &m[1], &m[2]).map(|(dweights, dbiases, dx)| vec![dweights, dbiases, dx]),
        expect: |m| {
            [expected_gradients(&m[0], &m[1]), vec![expected_dx(&m[0], &m[1], &m[2])]].into_iter().flatten().collect()
        },
    },
    Product {
        op: "linear_gradients",
        activation: "",
        shapes: |[m, k, n]| vec![[k, m], [k, n]],
        losing: &[ones, rounding_terms_down],
        run: |m| ops::linear_gradients(&m[0], &m[1]).map(|(dweights, dbiases)| vec![dweights, dbiases]),
        expect: |m| expected_gradients(&m[0], &m[1]),
    },
];

/// A kind of product's inputs.
struct Kind {
    variant: &'static str,
    /// The filling of all operands; without one they have those with which the op's sums lose.
    fill: Option<Fill>,
    /// Whether results must be exact.
    exact: bool,
    /// Whether the kind is tried on these dims.
    suits: fn(&[usize; 3]) -> bool,
}

/// The kinds of inputs: everyday numbers; integers, whose products are exact; terms that are all rounded in one direction, in sums
/// that are long enough for the errors to add up; terms that may all be flushed to zero, also in long sums; and a NaN. The NaN must
/// stay in the rows and columns whose sums it enters: a kernel that reads beyond the end of a row would read it from the next row.
const KINDS: [Kind; 5] = [
    Kind { variant: "", fill: Some(normal), exact: false, suits: |_| true },
    Kind { variant: "integers, exact", fill: Some(integers), exact: true, suits: |_| true },
    Kind { variant: "sums that lose", fill: None, exact: false, suits: |[_, k, _]| *k > 1000 },
    Kind {
        variant: "terms that may be flushed",
        fill: Some(with_flushed_products),
        exact: false,
        suits: |[_, k, _]| *k > 1000,
    },
    Kind {
        variant: "NaN here and there",
        fill: Some(with_nan),
        exact: false,
        suits: |dims| !LARGE_PRODUCTS.contains(dims),
    },
];

pub(super) fn cases(table: &mut Table) {
    for product in &OPS {
        for dims in PRODUCTS.iter().chain(LARGE_PRODUCTS) {
            for kind in KINDS.iter().filter(|kind| (kind.suits)(dims)) {
                add(table, product, kind, *dims);
            }
        }
    }
    for dims in MASKED {
        add_masked(table, *dims);
    }
}

fn add(table: &mut Table, product: &'static Product, kind: &'static Kind, dims: [usize; 3]) {
    let parts = [product.activation, kind.variant].into_iter().filter(|part| !part.is_empty());
    table.add_on_matrices(
        (product.op, &parts.collect::<Vec<_>>().join(", ")),
        dims,
        |[m, k, n]| (2 * m * k * n, 4 * (m * k + k * n + m * n)),
        |rng, dims| {
            let shapes = (product.shapes)(dims).into_iter().zip(product.losing);
            let matrices = shapes.map(|([rows, cols], losing)| kind.fill.unwrap_or(*losing)(rng, rows, cols)).collect();
            Inputs { matrices, ..Default::default() }
        },
        |m| Ok((product.run)(m)?.into_iter().map(Output::from).collect()),
        |m| {
            let mut expected = (product.expect)(m);
            if kind.exact {
                for expected in &mut expected {
                    expected.bound.fill(0.0);
                    expected.likely.fill(0.0);
                }
            }
            expected
        },
    );
}

/// The dims of products with a mask, with enough rows and columns for every kernel.
const MASKED: &[[usize; 3]] = &[[31, 15, 33], [32, 16, 64], [63, 257, 65], [130, 9, 11], [128, 20, 4], [16, 24, 32]];

/// Adds cases of gradients with a ReLU's mask, for every kind of ReLU output: the gradient passes where the output is positive or
/// +inf, and not where it is NaN.
fn add_masked(table: &mut Table, dims: [usize; 3]) {
    table.add_on_matrices(
        ("linear_backward", "outputs of all kinds"),
        dims,
        |[m, k, n]| (2 * m * k * n, 4 * (m * k + k * n + 2 * m * n)),
        |rng, [m, k, n]| matrices([normal(rng, m, k), normal(rng, n, k), special_rows(rng, m, n)]),
        |m| ops::linear_backward(&m[0], &m[1], &m[2]).map(Output::alone),
        |m| vec![expected_dx(&m[2], &m[0], &m[1])],
    );
    table.add_on_matrices(
        ("dense_backward", "inputs of all kinds"),
        dims,
        |[m, k, n]| (4 * m * k * n, 8 * (m * k + k * n + m * n)),
        |rng, [m, k, n]| matrices([special_rows(rng, k, m), normal(rng, k, n), normal(rng, m, n)]),
        |m| ops::dense_backward(&m[0], &m[1], &m[2]).map(|(_, _, dx)| Output::alone(dx)),
        |m| vec![expected_dx(&m[0], &m[1], &m[2])],
    );
}

fn transposed(x: &Array2<f64>) -> Array2<f64> {
    x.t().to_owned()
}

/// The expected product A B, with its bound.
fn expected_product(a: &Array2<f64>, b: &Array2<f64>) -> Expected {
    Expected::within(&product_bounds(a, b), reference::matmul(a, b))
}

/// The bounds of the elements of the product A B.
pub(super) fn product_bounds(a: &Array2<f64>, b: &Array2<f64>) -> Array2<Bound> {
    a.mapv(f64::abs).dot(&b.mapv(f64::abs)).mapv(|magnitude| bounds::product(magnitude, a.ncols()))
}

/// act(X W + b) of the matrices X, W and b: the product's bound, and the rounding of the sum.
pub(super) fn expected_linear(m: &[Array2<f64>], activation: fn(f64) -> f64) -> Expected {
    let sum = reference::bias_add(&reference::matmul(&m[0], &m[1]), &m[2]);
    let bound = product_bounds(&m[0], &m[1]) + sum.mapv(|sum| Bound::roundings(2.0) * sum.abs());
    Expected::within(&bound, sum.mapv(activation))
}

/// The expected parameter gradients: Xᵀ dY, and the column sums of dY.
fn expected_gradients(x: &Array2<f64>, dy: &Array2<f64>) -> Vec<Expected> {
    vec![expected_product(&transposed(x), dy), expected_product(&Array2::ones((1, dy.nrows())), dy)]
}

/// The expected input gradient: dY Wᵀ where X is positive, and exactly 0 elsewhere.
fn expected_dx(x: &Array2<f64>, dy: &Array2<f64>, weights: &Array2<f64>) -> Expected {
    let Expected { want, bound, likely } = expected_product(dy, &transposed(weights));
    let masked = |values| reference::relu_backward(x, &values);
    Expected { want: masked(want), bound: masked(bound), likely: masked(likely) }
}
