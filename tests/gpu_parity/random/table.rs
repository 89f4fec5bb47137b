//! The ops: how each runs, and how far the device and the CPU path may be apart.

use ndarray::{Array2, Axis, array};
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy, Reduction};
use wgpu_mlp::{Device, Matrix, Result, Targets};

use super::Given;
use super::bounds::{
    FLUSH, LOG, U, adagrad_bounds, adam_bounds, head_bounds, log_sum, magnitude, momentum_bounds, product,
    rmsprop_bounds, row_sum, softmax, sum_of_rows, top, unless_huge,
};

pub type Outputs = Vec<Array2<f32>>;

/// Computes bounds from the operands and the results of the CPU path.
pub type Bounds = fn(&Given, &[Array2<f32>]) -> Vec<Array2<f64>>;

pub struct Op {
    pub name: &'static str,
    /// Shapes of b and c for dims m, k, n; a is m x k.
    pub shapes: fn([usize; 3]) -> [[usize; 2]; 2],
    pub run: fn(&Device, &Given) -> Result<Outputs>,
    /// How far the device may be off from these results of the CPU path; infinite where nothing is checked.
    pub bounds: Bounds,
}

const ALIKE: fn([usize; 3]) -> [[usize; 2]; 2] = |[m, k, _]| [[m, k], [m, k]];

pub const OPS: &[Op] = &[
    Op { name: "round trip", shapes: ALIKE, run: |d, g| one(on(d, &g.a)), bounds: exactly },
    Op { name: "relu", shapes: ALIKE, run: |d, g| one(ops::relu(&on(d, &g.a)?)), bounds: exactly },
    Op { name: "relu_mask", shapes: ALIKE, run: |d, g| one(ops::relu_mask(&on(d, &g.a)?)), bounds: exactly },
    Op {
        name: "relu_backward",
        shapes: ALIKE,
        run: |d, g| one(ops::relu_backward(&on(d, &g.a)?, &on(d, &g.b)?)),
        bounds: exactly,
    },
    Op {
        name: "argmax",
        shapes: ALIKE,
        run: |d, g| Ok(vec![numbers(ops::argmax(&on(d, &g.a)?)?.to_classes()?)]),
        bounds: exactly,
    },
    Op { name: "targets", shapes: ALIKE, run: |d, g| Ok(vec![numbers(targets(d, g)?.to_classes()?)]), bounds: exactly },
    Op {
        name: "accuracy",
        shapes: ALIKE,
        run: |d, g| Ok(vec![array![[ops::accuracy(&on(d, &g.a)?, &targets(d, g)?)? as f32]]]),
        bounds: exactly,
    },
    Op {
        name: "matmul",
        shapes: |[m, k, n]| [[k, n], [m, k]],
        run: |d, g| one(ops::matmul(&on(d, &g.a)?, &on(d, &g.b)?)),
        bounds: |g, _| vec![product(g.a.view(), g.b.view())],
    },
    Op {
        name: "matmul_tn",
        shapes: |[m, k, n]| [[m, n], [m, k]],
        run: |d, g| one(ops::matmul_tn(&on(d, &g.a)?, &on(d, &g.b)?)),
        bounds: |g, _| vec![product(g.a.t(), g.b.view())],
    },
    Op {
        name: "matmul_nt",
        shapes: |[m, k, n]| [[n, k], [m, k]],
        run: |d, g| one(ops::matmul_nt(&on(d, &g.a)?, &on(d, &g.b)?)),
        bounds: |g, _| vec![product(g.a.view(), g.b.t())],
    },
    Op {
        name: "linear",
        shapes: |[_, k, n]| [[k, n], [1, n]],
        run: |d, g| {
            let activation = if g.relu() { Activation::Relu } else { Activation::None };
            one(ops::linear(&on(d, &g.a)?, &on(d, &g.b)?, &on(d, &g.c)?, activation))
        },
        bounds: |g, _| {
            let bias = g.c.mapv(magnitude);
            vec![product(g.a.view(), g.b.view()) + bias.mapv(|bias| unless_huge(bias, 2.0 * U * bias))]
        },
    },
    Op {
        name: "bias_add",
        shapes: |[_, k, _]| [[1, k], [1, 1]],
        run: |d, g| one(ops::bias_add(&on(d, &g.a)?, &on(d, &g.b)?)),
        bounds: |g, _| vec![(g.a.mapv(magnitude) + g.b.mapv(magnitude)).mapv(|m| unless_huge(m, U * m + FLUSH))],
    },
    Op {
        name: "column_sum",
        shapes: ALIKE,
        run: |d, g| one(ops::column_sum(&on(d, &g.a)?)),
        bounds: |g, _| {
            let rows = g.a.nrows();
            let sums = g.a.mapv(magnitude).sum_axis(Axis(0)).insert_axis(Axis(0));
            vec![sums.mapv(|m| unless_huge(m, 2.0 * sum_of_rows(rows) * m + rows as f64 * FLUSH))]
        },
    },
    Op {
        name: "softmax",
        shapes: ALIKE,
        run: |d, g| one(ops::softmax(&on(d, &g.a)?)),
        bounds: |g, want| vec![softmax(&g.a, &want[0]).mapv(|bound| 2.0 * bound + FLUSH)],
    },
    Op {
        name: "log_softmax",
        shapes: ALIKE,
        run: |d, g| one(ops::log_softmax(&on(d, &g.a)?)),
        bounds: |g, want| {
            vec![Array2::from_shape_fn(g.a.dim(), |(r, c)| {
                let size = top(&g.a, r).abs() + magnitude(g.a[[r, c]]) + magnitude(want[0][[r, c]]);
                unless_huge(size, 2.0 * (log_sum(g.a.ncols()) + 4.0 * U * size))
            })]
        },
    },
    Op {
        name: "softmax_backward",
        shapes: ALIKE,
        run: |d, g| one(ops::softmax_backward(&on(d, &g.a)?, &on(d, &g.b)?)),
        bounds: |g, _| {
            let (p, dp, cols) = (g.a.mapv(magnitude), g.b.mapv(magnitude), g.a.ncols());
            let dots = (&p * &dp).sum_axis(Axis(1));
            vec![Array2::from_shape_fn(p.dim(), |(r, c)| {
                let sum = row_sum(cols) * dots[r] + cols as f64 * FLUSH;
                let bound = 2.0 * p[[r, c]] * (3.0 * U * dp[[r, c]] + sum) + FLUSH;
                unless_huge((dots[r] + dp[[r, c]]) * p[[r, c]].max(1.0), bound)
            })]
        },
    },
    Op {
        name: "nll",
        shapes: ALIKE,
        run: |d, g| one(ops::nll(&on(d, &g.a)?, &targets(d, g)?)),
        bounds: |g, want| {
            let (mass, sum) = match g.distributed() {
                false => (Array2::ones(want[0].dim()), 0.0),
                true => (g.shares.mapv(f64::from).sum_axis(Axis(1)).insert_axis(Axis(1)), row_sum(g.a.ncols())),
            };
            vec![mass * (2.0 * LOG) + want[0].mapv(|loss| 2.0 * (4.0 * U + sum) * magnitude(loss))]
        },
    },
    Op {
        name: "nll_backward",
        shapes: ALIKE,
        run: |d, g| one(ops::nll_backward(&on(d, &g.a)?, &targets(d, g)?)),
        bounds: |_, want| vec![want[0].mapv(|slope| 12.0 * U * magnitude(slope) + FLUSH)],
    },
    Op { name: "softmax_cross_entropy", shapes: ALIKE, run: head, bounds: head_bounds },
    Op {
        name: "sgd",
        shapes: ALIKE,
        run: |d, g| {
            let mut w = on(d, &g.a)?;
            ops::sgd(&mut w, &on(d, &g.b)?, 0.1)?;
            one(Ok(w))
        },
        bounds: |g, _| {
            let sizes = g.a.mapv(magnitude) + g.b.mapv(|dw| 0.2 * magnitude(dw));
            vec![sizes.mapv(|m| unless_huge(m, 2.0 * (U * m + FLUSH)))]
        },
    },
    Op {
        name: "momentum",
        shapes: ALIKE,
        run: |d, g| stepped(d, g, g.c.clone(), |w, dw, c| ops::momentum(w, dw, c, &Default::default())),
        bounds: momentum_bounds,
    },
    Op {
        name: "adagrad",
        shapes: ALIKE,
        run: |d, g| stepped(d, g, g.c.mapv(f32::abs), |w, dw, c| ops::adagrad(w, dw, c, &Default::default())),
        bounds: adagrad_bounds,
    },
    Op {
        name: "rmsprop",
        shapes: ALIKE,
        run: |d, g| stepped(d, g, g.c.mapv(f32::abs), |w, dw, c| ops::rmsprop(w, dw, c, &Default::default())),
        bounds: rmsprop_bounds,
    },
    Op { name: "adam", shapes: ALIKE, run: adam, bounds: adam_bounds },
];

fn exactly(_: &Given, want: &[Array2<f32>]) -> Vec<Array2<f64>> {
    want.iter().map(|want| Array2::zeros(want.dim())).collect()
}

fn numbers(classes: Vec<u32>) -> Array2<f32> {
    Array2::from_shape_fn((classes.len(), 1), |(r, _)| classes[r] as f32)
}

fn on(device: &Device, x: &Array2<f32>) -> Result<Matrix> {
    Matrix::from_array(device, x.view())
}

fn one(matrix: Result<Matrix>) -> Result<Outputs> {
    Ok(vec![matrix?.to_array()?])
}

fn targets(device: &Device, g: &Given) -> Result<Targets> {
    match g.distributed() {
        false => Targets::classes(device, &g.labels, g.classes),
        true => Targets::distributions(device, g.shares.view()),
    }
}

fn head(device: &Device, g: &Given) -> Result<Outputs> {
    let logits = on(device, &g.a)?;
    let options = CrossEntropy {
        class_weights: if g.weighted() { Some(on(device, &g.weights)?) } else { None },
        ignore_index: g.ignored(),
        label_smoothing: g.smoothing(),
        sample_weights: None,
        reduction: [Reduction::None, Reduction::Mean, Reduction::Sum][g.reduction()],
    };
    let head = ops::softmax_cross_entropy(&logits, &targets(device, g)?, &options)?;
    let stats = head.stats()?;
    let bad = stats.first_bad_row.map_or(-1.0, |row| row as f32);
    let counts = array![[stats.rows as f32, stats.correct as f32, stats.non_finite_rows as f32, bad]];
    let sums = array![[stats.loss_sum as f32, stats.weight_sum as f32]];
    Ok(vec![head.losses().to_array()?, head.dlogits().to_array()?, counts, sums])
}

/// A step of a rule that keeps one matrix.
fn stepped(
    device: &Device,
    g: &Given,
    kept: Array2<f32>,
    step: impl Fn(&mut Matrix, &Matrix, &mut Matrix) -> Result<()>,
) -> Result<Outputs> {
    let (mut w, dw, mut kept) = (on(device, &g.a)?, on(device, &g.b)?, on(device, &kept)?);
    step(&mut w, &dw, &mut kept)?;
    Ok(vec![w.to_array()?, kept.to_array()?])
}

fn adam(device: &Device, g: &Given) -> Result<Outputs> {
    let (mut w, dw) = (on(device, &g.a)?, on(device, &g.b)?);
    let (mut m, mut v) = (on(device, &g.c)?, on(device, &g.c.mapv(f32::abs))?);
    ops::adam(&mut w, &dw, &mut m, &mut v, &AdamOptions::default(), g.step())?;
    Ok(vec![w.to_array()?, m.to_array()?, v.to_array()?])
}
