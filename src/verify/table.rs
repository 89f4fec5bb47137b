//! The table of cases: every op, in every size that could go wrong.

use ndarray::{Array2, ArrayView2};

use super::bounds::{self, FLUSH, LOG, U};
use super::case::{Case, CaseRng, Expected, Inputs};
use super::inputs::{Fill, classes, distributions, integers, normal, probabilities, special_rows};
use super::{gradients, head};
use crate::cpu::{self, TargetView};
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Activation, AdamOptions, CLIP};
use crate::targets::Targets;

/// m, k, n: 1, one less than a tile, a tile, one more, primes, one much longer than the others; never two alike.
const PRODUCTS: &[[usize; 3]] = &[
    [1, 2, 3],
    [2, 1, 5],
    [3, 5, 1],
    [31, 15, 33],
    [32, 16, 64],
    [33, 17, 31],
    [127, 31, 15],
    [128, 48, 16],
    [129, 3, 7],
    [15, 33, 127],
    [16, 5, 128],
    [7, 64, 129],
    [63, 257, 65],
    [10, 1031, 12],
    [65, 255, 257],
    [257, 47, 259],
];
/// Products that take a slow software driver long.
const LARGE_PRODUCTS: &[[usize; 3]] = &[[300, 128, 320], [20, 5003, 37], [513, 260, 130]];

/// rows, cols: lanes and workgroups just full, one more and one less, more columns than lanes, long and thin.
const MATRICES: &[[usize; 3]] = &[
    [1, 1, 1],
    [2, 3, 1],
    [127, 1, 1],
    [128, 2, 1],
    [129, 10, 1],
    [5, 15, 1],
    [22, 16, 1],
    [23, 17, 1],
    [33, 31, 1],
    [13, 127, 1],
    [11, 128, 1],
    [12, 129, 1],
    [37, 1000, 1],
    [3, 4099, 1],
    [1031, 10, 1],
];
/// Matrices that take a slow software driver long.
const LARGE_MATRICES: &[[usize; 3]] = &[[16_411, 3, 1], [263, 1009, 1], [2, 70_001, 1]];

/// Every matrix's dims, small and large.
pub(super) fn all_matrices() -> impl Iterator<Item = &'static [usize; 3]> {
    MATRICES.iter().chain(LARGE_MATRICES)
}

/// All cases, op by op.
///
/// ```
/// let cases = wgpu_mlp::verify::cases();
/// let ops: std::collections::HashSet<_> = cases.iter().map(|case| case.op).collect();
/// assert!(ops.len() >= 20);
/// ```
pub fn cases() -> Vec<Case> {
    let mut table = Table::default();
    table.products();
    table.elementwise();
    table.by_row();
    table.losses();
    table.counts();
    table.updates();
    head::cases(&mut table);
    gradients::cases(&mut table);
    table.cases
}

/// What an op costs: floating-point operations and bytes, from its dims.
pub(super) type Cost = fn([u64; 3]) -> (u64, u64);

/// One way to draw a case's inputs.
type Draw = fn(&mut CaseRng, [usize; 3]) -> Inputs;
/// An op of one matrix, and its reference.
type Op = fn(&Matrix) -> Result<Matrix>;
type Twin = fn(ArrayView2<'_, f64>) -> Array2<f64>;

/// The cases so far.
#[derive(Default)]
pub(super) struct Table {
    cases: Vec<Case>,
}

impl Table {
    /// Adds a case of these dims.
    pub(super) fn add(
        &mut self,
        (op, variant): (&'static str, &str),
        dims: [usize; 3],
        cost: Cost,
        make: impl Fn(&mut CaseRng, [usize; 3]) -> Inputs + Send + Sync + 'static,
        run: impl Fn(&Device, &Inputs) -> Result<Vec<Array2<f32>>> + Send + Sync + 'static,
        expect: impl Fn(&Inputs) -> Vec<Expected> + Send + Sync + 'static,
    ) {
        let (flops, bytes) = cost(dims.map(|dim| dim as u64));
        let large = LARGE_PRODUCTS.contains(&dims) || LARGE_MATRICES.contains(&dims);
        let variant = variant.into();
        let (make, run, expect) = (Box::new(make), Box::new(run), Box::new(expect));
        self.cases.push(Case { op, variant, dims, large, flops, bytes, make, run, expect });
    }

    /// Adds a case for each product's dims, with everyday numbers and with integers, which must come out exact.
    fn product(
        &mut self,
        op: &'static str,
        shapes: fn([usize; 3]) -> Vec<[usize; 2]>,
        run: fn(&Device, &[Matrix]) -> Result<Matrix>,
        expect: fn(&[Array2<f64>]) -> Expected,
    ) {
        let fills: [(&str, Fill); 2] = [("", normal), ("integers, exact", integers)];
        for dims in PRODUCTS.iter().chain(LARGE_PRODUCTS) {
            for (variant, fill) in fills {
                let exact = !variant.is_empty();
                self.add(
                    (op, variant),
                    *dims,
                    |[m, k, n]| (2 * m * k * n, 4 * (m * k + k * n + m * n)),
                    move |rng, dims| {
                        let matrices = shapes(dims).into_iter().map(|[rows, cols]| fill(rng, rows, cols)).collect();
                        Inputs { matrices, ..Default::default() }
                    },
                    move |device, inputs| Ok(vec![run(device, &uploaded(device, inputs)?)?.to_array()?]),
                    move |inputs| {
                        let mut expected = expect(&reference(inputs));
                        if exact {
                            expected.bound.fill(0.0);
                        }
                        vec![expected]
                    },
                );
            }
        }
    }

    fn products(&mut self) {
        self.product(
            "matmul",
            |[m, k, n]| vec![[m, k], [k, n]],
            |_, m| ops::matmul(&m[0], &m[1]),
            |m| product_of(m[0].view(), m[1].view()),
        );
        self.product(
            "matmul_tn",
            |[m, k, n]| vec![[k, m], [k, n]],
            |_, m| ops::matmul_tn(&m[0], &m[1]),
            |m| product_of(m[0].t(), m[1].view()),
        );
        self.product(
            "matmul_nt",
            |[m, k, n]| vec![[m, k], [n, k]],
            |_, m| ops::matmul_nt(&m[0], &m[1]),
            |m| product_of(m[0].view(), m[1].t()),
        );
        self.product(
            "linear",
            |[m, k, n]| vec![[m, k], [k, n], [1, n]],
            |_, m| ops::linear(&m[0], &m[1], &m[2], Activation::None),
            |m| biased(m, |sum| sum),
        );
        self.product(
            "linear",
            |[m, k, n]| vec![[m, k], [k, n], [1, n]],
            |_, m| ops::linear(&m[0], &m[1], &m[2], Activation::Relu),
            |m| biased(m, |sum| sum.max(0.0)),
        );
    }

    /// Adds a case for each matrix's dims.
    pub(super) fn matrices(
        &mut self,
        name: (&'static str, &str),
        cost: Cost,
        make: Draw,
        run: fn(&Device, &Inputs) -> Result<Vec<Array2<f32>>>,
        expect: fn(&Inputs) -> Vec<Expected>,
    ) {
        for dims in all_matrices() {
            self.add(name, *dims, cost, make, run, expect);
        }
    }

    fn elementwise(&mut self) {
        self.matrices(
            ("bias_add", ""),
            |[rows, cols, _]| (rows * cols, 4 * (2 * rows * cols + cols)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols), normal(rng, 1, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::bias_add(&m[0], &m[1])?.to_array()?])
            },
            |inputs| {
                let m = reference(inputs);
                let want = cpu::bias_add(m[0].view(), m[1].row(0));
                vec![Expected { bound: want.mapv(|sum| U * sum.abs() / 2.0 + FLUSH), want }]
            },
        );
        self.matrices(
            ("column_sum", ""),
            |[rows, cols, _]| (rows * cols, 4 * (rows * cols + cols)),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)]),
            |device, inputs| Ok(vec![ops::column_sum(&uploaded(device, inputs)?[0])?.to_array()?]),
            |inputs| {
                let x = &reference(inputs)[0];
                let magnitude = cpu::column_sum(x.mapv(f64::abs).view());
                let bound = magnitude.mapv(|sum| bounds::column_sum(x.nrows()) * sum + FLUSH);
                vec![Expected { want: cpu::column_sum(x.view()), bound }]
            },
        );
        let exact: [(&'static str, Op, Twin); 2] =
            [("relu", ops::relu, cpu::relu), ("relu_mask", ops::relu_mask, cpu::relu_mask)];
        for (op, run, twin) in exact {
            for dims in all_matrices() {
                self.add(
                    (op, "all kinds of row"),
                    *dims,
                    |[rows, cols, _]| (rows * cols, 8 * rows * cols),
                    |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
                    move |device, inputs| Ok(vec![run(&uploaded(device, inputs)?[0])?.to_array()?]),
                    move |inputs| vec![exactly(twin(reference(inputs)[0].view()))],
                );
            }
        }
        self.matrices(
            ("relu_backward", "all kinds of row"),
            |[rows, cols, _]| (rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::relu_backward(&m[0], &m[1])?.to_array()?])
            },
            |inputs| {
                let m = reference(inputs);
                vec![exactly(cpu::relu_backward(m[0].view(), m[1].view()))]
            },
        );
    }

    fn by_row(&mut self) {
        let fills: [(&str, Draw); 2] = [
            ("", |rng, [rows, cols, _]| matrices([normal(rng, rows, cols)])),
            ("all kinds of row", |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)])),
        ];
        for (variant, make) in fills {
            self.matrices(
                ("softmax", variant),
                |[rows, cols, _]| (5 * rows * cols, 8 * rows * cols),
                make,
                |device, inputs| Ok(vec![ops::softmax(&uploaded(device, inputs)?[0])?.to_array()?]),
                |inputs| {
                    let x = &reference(inputs)[0];
                    let want = cpu::softmax(x.view());
                    vec![Expected { bound: bounds::softmax(&want, x.view()), want }]
                },
            );
            self.matrices(
                ("log_softmax", variant),
                |[rows, cols, _]| (5 * rows * cols, 8 * rows * cols),
                make,
                |device, inputs| Ok(vec![ops::log_softmax(&uploaded(device, inputs)?[0])?.to_array()?]),
                |inputs| {
                    let x = &reference(inputs)[0];
                    vec![log_softmax_of(x)]
                },
            );
        }
        self.matrices(
            ("softmax_backward", ""),
            |[rows, cols, _]| (4 * rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([probabilities(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let m = uploaded(device, inputs)?;
                Ok(vec![ops::softmax_backward(&m[0], &m[1])?.to_array()?])
            },
            |inputs| {
                let m = reference(inputs);
                let (p, dp) = (&m[0], &m[1]);
                let dots = (p * dp).mapv(f64::abs).sum_axis(ndarray::Axis(1));
                let bound = Array2::from_shape_fn(p.dim(), |(r, c)| {
                    let sum = bounds::row_sum(p.ncols()) * dots[r];
                    p[[r, c]].abs() * (3.0 * U * dp[[r, c]].abs() + sum) + FLUSH
                });
                vec![Expected { want: cpu::softmax_backward(p.view(), dp.view()), bound }]
            },
        );
    }

    fn losses(&mut self) {
        for distributed in [false, true] {
            let variant = if distributed { "distributions" } else { "class ids" };
            for dims in all_matrices() {
                self.add(
                    ("nll", variant),
                    *dims,
                    |[rows, _, _]| (2 * rows, 12 * rows),
                    move |rng, dims| supervised(probabilities, distributed, rng, dims),
                    move |device, inputs| {
                        let y = targets(device, inputs, distributed)?;
                        Ok(vec![ops::nll(&uploaded(device, inputs)?[0], &y)?.to_array()?])
                    },
                    move |inputs| {
                        let m = reference(inputs);
                        vec![nll_of(&m[0], target_view(inputs, &m, distributed))]
                    },
                );
                self.add(
                    ("nll_backward", variant),
                    *dims,
                    |[rows, cols, _]| (2 * rows * cols, 8 * rows * cols + 4 * rows),
                    move |rng, dims| supervised(probabilities, distributed, rng, dims),
                    move |device, inputs| {
                        let y = targets(device, inputs, distributed)?;
                        Ok(vec![ops::nll_backward(&uploaded(device, inputs)?[0], &y)?.to_array()?])
                    },
                    move |inputs| {
                        let m = reference(inputs);
                        let want = cpu::nll_backward(m[0].view(), target_view(inputs, &m, distributed), CLIP);
                        vec![Expected { bound: want.mapv(|slope| 6.0 * U * slope.abs() + FLUSH), want }]
                    },
                );
            }
        }
    }

    fn counts(&mut self) {
        self.matrices(
            ("argmax", "all kinds of row"),
            |[rows, cols, _]| (rows * cols, 4 * (rows * cols + rows)),
            |rng, [rows, cols, _]| matrices([special_rows(rng, rows, cols)]),
            |device, inputs| {
                let classes = ops::argmax(&uploaded(device, inputs)?[0])?.to_classes()?;
                Ok(vec![Array2::from_shape_fn((classes.len(), 1), |(r, _)| classes[r] as f32)])
            },
            |inputs| {
                let classes = cpu::argmax(reference(inputs)[0].view());
                vec![exactly(Array2::from_shape_fn((classes.len(), 1), |(r, _)| f64::from(classes[r])))]
            },
        );
        for distributed in [false, true] {
            let variant = if distributed { "distributions" } else { "class ids" };
            for dims in all_matrices() {
                self.add(
                    ("accuracy", variant),
                    *dims,
                    |[rows, cols, _]| (rows * cols, 4 * (rows * cols + rows)),
                    move |rng, dims| supervised(special_rows, distributed, rng, dims),
                    move |device, inputs| {
                        let y = targets(device, inputs, distributed)?;
                        let accuracy = ops::accuracy(&uploaded(device, inputs)?[0], &y)?;
                        Ok(vec![Array2::from_elem((1, 1), accuracy as f32)])
                    },
                    move |inputs| {
                        let m = reference(inputs);
                        let hits = cpu::accuracy(m[0].view(), target_view(inputs, &m, distributed));
                        // Rounded to f32 as the device's is: the count must be exact.
                        let share = (hits as f64 / m[0].nrows() as f64) as f32;
                        vec![exactly(Array2::from_elem((1, 1), share.into()))]
                    },
                );
            }
        }
    }

    fn updates(&mut self) {
        const RATE: f64 = 0.1;
        self.matrices(
            ("sgd", ""),
            |[rows, cols, _]| (2 * rows * cols, 12 * rows * cols),
            |rng, [rows, cols, _]| matrices([normal(rng, rows, cols), normal(rng, rows, cols)]),
            |device, inputs| {
                let mut m = uploaded(device, inputs)?;
                let dw = m.remove(1);
                ops::sgd(&mut m[0], &dw, RATE)?;
                Ok(vec![m[0].to_array()?])
            },
            |inputs| {
                let mut m = reference(inputs);
                let dw = m.remove(1);
                let bound = (&m[0].mapv(f64::abs) + &dw.mapv(|dw| 2.0 * RATE * dw.abs())) * U + FLUSH;
                cpu::sgd(m[0].view_mut(), dw.view(), RATE);
                vec![Expected { want: m.remove(0), bound }]
            },
        );
        self.matrices(
            ("adam", "step 3"),
            |[rows, cols, _]| (12 * rows * cols, 28 * rows * cols),
            |rng, [rows, cols, _]| {
                let mut draw = || normal(rng, rows, cols);
                let (w, dw, m) = (draw(), draw(), draw());
                matrices([w, dw, m, draw().mapv(|v| v * v)])
            },
            |device, inputs| {
                let mut m = uploaded(device, inputs)?;
                let [w, dw, mean, square] = m.as_mut_slice() else { return Ok(Vec::new()) };
                ops::adam(w, dw, mean, square, &AdamOptions::default(), ADAM_STEP)?;
                Ok(vec![w.to_array()?, mean.to_array()?, square.to_array()?])
            },
            adam_of,
        );
    }
}

/// The step that Adam's cases take.
const ADAM_STEP: u64 = 3;

/// Adam in f64, with the errors of each line carried through the next.
fn adam_of(inputs: &Inputs) -> Vec<Expected> {
    let options = AdamOptions::default();
    let mut m = reference(inputs);
    let [w, dw, mean, square] = m.as_mut_slice() else { return Vec::new() };
    let before = w.clone();
    let rest1 = 1.0 - options.beta1;
    let terms = mean.mapv(|m| (options.beta1 * m).abs()) + dw.mapv(|dw| (rest1 * dw).abs());
    let moments = cpu::Moments { w: w.view_mut(), m: mean.view_mut(), v: square.view_mut() };
    cpu::adam(moments, dw.view(), &options, ADAM_STEP);
    let unbias = |beta: f64| 1.0 / (1.0 - beta.powf(ADAM_STEP as f64));
    let slope = square.mapv(|v| options.learning_rate / ((v * unbias(options.beta2)).sqrt() + options.epsilon));
    let update = (&before - &*w).mapv(f64::abs);
    let carried = &terms * &slope * (4.0 * U * unbias(options.beta1));
    let bound = before.mapv(|w| U * w.abs()) + update * (16.0 * U) + carried + FLUSH;
    vec![
        Expected { want: w.clone(), bound },
        Expected { want: mean.clone(), bound: terms * (4.0 * U) + FLUSH },
        Expected { want: square.clone(), bound: square.mapv(|v| 6.0 * U * v + FLUSH) },
    ]
}

/// The product in f64 and its bound.
fn product_of(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Expected {
    let magnitude = a.mapv(f64::abs).dot(&b.mapv(f64::abs));
    Expected { want: a.dot(&b), bound: magnitude.mapv(|magnitude| bounds::product(magnitude, a.ncols())) }
}

/// act(XW + b): the product's bound, and a rounding of the sum.
fn biased(m: &[Array2<f64>], activation: fn(f64) -> f64) -> Expected {
    let Expected { want, bound } = product_of(m[0].view(), m[1].view());
    let sum = want + &m[2];
    Expected { bound: bound + sum.mapv(|sum| U * sum.abs()), want: sum.mapv(activation) }
}

fn log_softmax_of(x: &Array2<f64>) -> Expected {
    let want = cpu::log_softmax(x.view());
    let bound = Array2::from_shape_fn(x.dim(), |(r, c)| {
        let top = x.row(r).fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        let size = top.abs() + x[[r, c]].abs() + want[[r, c]].abs();
        // A masked class is -inf on both sides; no bound is needed there, and none may be infinite.
        if size.is_finite() { bounds::log_sum(x.ncols()) + 4.0 * U * size } else { 0.0 }
    });
    Expected { want, bound }
}

fn nll_of(probs: &Array2<f64>, y: TargetView<'_, f64>) -> Expected {
    let want = cpu::nll(probs.view(), y, CLIP);
    let mass = |r: usize| match y {
        TargetView::Classes(_) => 1.0,
        TargetView::Distributions(shares) => shares.row(r).sum(),
    };
    let sum = match y {
        TargetView::Classes(_) => 4.0 * U,
        TargetView::Distributions(_) => 4.0 * U + bounds::row_sum(probs.ncols()),
    };
    let bound = Array2::from_shape_fn(want.dim(), |(r, c)| LOG * mass(r) + sum * want[[r, c]].abs());
    Expected { want, bound }
}

/// A reference that leaves room for nothing but the flush of denormals, which WGSL allows.
pub(super) fn exactly(want: Array2<f64>) -> Expected {
    Expected { bound: want.mapv(|want| if want.abs() < FLUSH { FLUSH } else { 0.0 }), want }
}

pub(super) fn matrices<const N: usize>(matrices: [Array2<f32>; N]) -> Inputs {
    Inputs { matrices: matrices.into(), ..Default::default() }
}

/// A matrix with class ids, or with distributions behind it.
pub(super) fn supervised(fill: Fill, distributed: bool, rng: &mut CaseRng, [rows, cols, _]: [usize; 3]) -> Inputs {
    let x = fill(rng, rows, cols);
    match distributed {
        true => matrices([x, distributions(rng, rows, cols)]),
        false => Inputs { matrices: vec![x], classes: classes(rng, rows, cols) },
    }
}

/// The matrices on the device.
pub(super) fn uploaded(device: &Device, inputs: &Inputs) -> Result<Vec<Matrix>> {
    inputs.matrices.iter().map(|matrix| Matrix::from_array(device, matrix.view())).collect()
}

/// The targets of [`supervised`] inputs on the device.
pub(super) fn targets(device: &Device, inputs: &Inputs, distributed: bool) -> Result<Targets> {
    match distributed {
        true => Targets::distributions(device, inputs.matrices[1].view()),
        false => Targets::classes(device, &inputs.classes, inputs.matrices[0].ncols()),
    }
}

/// The targets of [`supervised`] inputs for the reference.
pub(super) fn target_view<'a>(inputs: &'a Inputs, m: &'a [Array2<f64>], distributed: bool) -> TargetView<'a, f64> {
    match distributed {
        true => TargetView::Distributions(m[1].view()),
        false => TargetView::Classes(&inputs.classes),
    }
}

/// The matrices in f64.
pub(super) fn reference(inputs: &Inputs) -> Vec<Array2<f64>> {
    inputs.matrices.iter().map(|matrix| matrix.mapv(f64::from)).collect()
}
