//! Cases for products: `matmul`, `matmul_tn`, `matmul_nt`, `linear` and its gradients.

use ndarray::Array2;

use super::bounds::{self, Bound};
use super::case::{Expected, Inputs};
use super::inputs::{Fill, integers, losing, normal, special_rows, with_nan};
use super::oracle;
use super::output::Output;
use super::table::{LARGE_PRODUCTS, PRODUCTS, Table, matrices, reference, uploaded};
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Activation};

impl Table {
    /// Adds a case for each product's dims, with everyday numbers, with integers, which must come out exact, and with NaN, which
    /// must stay within the rows and columns whose sums it enters: what kernels read behind the end of a row is the next one.
    fn product(
        &mut self,
        (op, activation): (&'static str, &str),
        shapes: fn([usize; 3]) -> Vec<[usize; 2]>,
        run: fn(&[Matrix]) -> Result<Vec<Matrix>>,
        expect: fn(&[Array2<f64>]) -> Vec<Expected>,
    ) {
        let fills: [(&str, Fill); 4] =
            [("", normal), ("integers, exact", integers), ("sums that lose", losing), ("NaN here and there", with_nan)];
        for dims in PRODUCTS.iter().chain(LARGE_PRODUCTS) {
            let suits = |variant| match variant {
                "sums that lose" => dims[1] > 1000, // elsewhere sums are too short to lose much
                "NaN here and there" => !LARGE_PRODUCTS.contains(dims),
                _ => true,
            };
            for (variant, fill) in fills.into_iter().filter(|(variant, _)| suits(*variant)) {
                let exact = variant == "integers, exact";
                let parts = [activation, variant].into_iter().filter(|part| !part.is_empty());
                self.add(
                    (op, &parts.collect::<Vec<_>>().join(", ")),
                    *dims,
                    |[m, k, n]| (2 * m * k * n, 4 * (m * k + k * n + m * n)),
                    move |rng, dims| {
                        let matrices = shapes(dims).into_iter().map(|[rows, cols]| fill(rng, rows, cols)).collect();
                        Inputs { matrices, ..Default::default() }
                    },
                    move |device, inputs| Ok(run(&uploaded(device, inputs)?)?.into_iter().map(Output::from).collect()),
                    move |inputs| {
                        let mut expected = expect(&reference(inputs));
                        if exact {
                            for expected in &mut expected {
                                expected.bound.fill(0.0);
                                expected.likely.fill(0.0);
                            }
                        }
                        expected
                    },
                );
            }
        }
    }

    pub(super) fn products(&mut self) {
        self.product(
            ("matmul", ""),
            |[m, k, n]| vec![[m, k], [k, n]],
            |m| Ok(vec![ops::matmul(&m[0], &m[1])?]),
            |m| vec![product_of(&m[0], &m[1])],
        );
        self.product(
            ("matmul_tn", ""),
            |[m, k, n]| vec![[k, m], [k, n]],
            |m| Ok(vec![ops::matmul_tn(&m[0], &m[1])?]),
            |m| vec![product_of(&m[0].t().to_owned(), &m[1])],
        );
        self.product(
            ("matmul_nt", ""),
            |[m, k, n]| vec![[m, k], [n, k]],
            |m| Ok(vec![ops::matmul_nt(&m[0], &m[1])?]),
            |m| vec![product_of(&m[0], &m[1].t().to_owned())],
        );
        self.product(
            ("linear", ""),
            |[m, k, n]| vec![[m, k], [k, n], [1, n]],
            |m| Ok(vec![ops::linear(&m[0], &m[1], &m[2], Activation::None)?]),
            |m| vec![biased(m, |sum| sum)],
        );
        self.product(
            ("linear", "with ReLU"),
            |[m, k, n]| vec![[m, k], [k, n], [1, n]],
            |m| Ok(vec![ops::linear(&m[0], &m[1], &m[2], Activation::Relu)?]),
            |m| vec![biased(m, oracle::relu)],
        );
        self.product(
            ("linear_backward", ""),
            |[m, k, n]| vec![[m, k], [n, k], [m, n]],
            |m| Ok(vec![ops::linear_backward(&m[0], &m[1], &m[2])?]),
            |m| vec![masked(product_of(&m[0], &m[1].t().to_owned()), &m[2])],
        );
        self.product(
            ("dense_backward", ""),
            |[m, k, n]| vec![[k, m], [k, n], [m, n]],
            |m| ops::dense_backward(&m[0], &m[1], &m[2]).map(|(dweights, dbiases, dx)| vec![dweights, dbiases, dx]),
            |m| {
                let ones = Array2::ones((1, m[1].nrows()));
                let dx = masked(product_of(&m[1], &m[2].t().to_owned()), &m[0]);
                vec![product_of(&m[0].t().to_owned(), &m[1]), product_of(&ones, &m[1]), dx]
            },
        );
        self.product(
            ("linear_gradients", ""),
            |[m, k, n]| vec![[k, m], [k, n]],
            |m| ops::linear_gradients(&m[0], &m[1]).map(|(dweights, dbiases)| vec![dweights, dbiases]),
            |m| {
                let ones = Array2::ones((1, m[1].nrows()));
                vec![product_of(&m[0].t().to_owned(), &m[1]), product_of(&ones, &m[1])]
            },
        );
        self.masks();
    }

    /// Gradients that go back through outputs of every kind: what is positive lets them pass, infinity too, and NaN does not.
    fn masks(&mut self) {
        for dims in MASKS {
            self.add(
                ("linear_backward", "outputs of all kinds"),
                *dims,
                |[m, k, n]| (2 * m * k * n, 4 * (m * k + k * n + 2 * m * n)),
                |rng, [m, k, n]| matrices([normal(rng, m, k), normal(rng, n, k), special_rows(rng, m, n)]),
                |device, inputs| {
                    let m = uploaded(device, inputs)?;
                    Ok(vec![ops::linear_backward(&m[0], &m[1], &m[2])?.into()])
                },
                |inputs| {
                    let m = reference(inputs);
                    vec![masked(product_of(&m[0], &m[1].t().to_owned()), &m[2])]
                },
            );
            self.add(
                ("dense_backward", "inputs of all kinds"),
                *dims,
                |[m, k, n]| (4 * m * k * n, 8 * (m * k + k * n + m * n)),
                |rng, [m, k, n]| matrices([special_rows(rng, k, m), normal(rng, k, n), normal(rng, m, n)]),
                |device, inputs| {
                    let m = uploaded(device, inputs)?;
                    let (_, _, dx) = ops::dense_backward(&m[0], &m[1], &m[2])?;
                    Ok(vec![dx.into()])
                },
                |inputs| {
                    let m = reference(inputs);
                    vec![masked(product_of(&m[1], &m[2].t().to_owned()), &m[0])]
                },
            );
        }
    }
}

/// Products with enough rows either way for every kind of one.
const MASKS: &[[usize; 3]] = &[[31, 15, 33], [32, 16, 64], [63, 257, 65], [130, 9, 11], [128, 20, 4], [16, 24, 32]];

/// The product in f64 and its bound.
fn product_of(a: &Array2<f64>, b: &Array2<f64>) -> Expected {
    Expected::within(&bounds_of(a, b), oracle::product(a, b))
}

fn bounds_of(a: &Array2<f64>, b: &Array2<f64>) -> Array2<Bound> {
    a.mapv(f64::abs).dot(&b.mapv(f64::abs)).mapv(|magnitude| bounds::product(magnitude, a.ncols()))
}

/// act(XW + b): the product's bound, and a rounding of the sum.
pub(super) fn biased(m: &[Array2<f64>], activation: fn(f64) -> f64) -> Expected {
    let sum = oracle::product(&m[0], &m[1]) + &m[2];
    let bound = bounds_of(&m[0], &m[1]) + sum.mapv(|sum| Bound::roundings(2.0) * sum.abs());
    Expected::within(&bound, sum.mapv(activation))
}

/// The product where x is positive, exactly 0 elsewhere.
fn masked(product: Expected, x: &Array2<f64>) -> Expected {
    let kept = |mut values: Array2<f64>| {
        values.zip_mut_with(x, |value, x| *value = if *x > 0.0 { *value } else { 0.0 });
        values
    };
    Expected { want: kept(product.want), bound: kept(product.bound), likely: kept(product.likely) }
}
