//! What is timed: each op at a few sizes, with its inputs, its floor, and how far two right answers may be apart.

use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::layers::{Dense, SoftmaxCrossEntropy};
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy};
use wgpu_mlp::verify::{Expected, Inputs};
use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState, Result, Targets};

/// u = 2⁻²³, in which the ops' bounds are given.
const U: f64 = f32::EPSILON as f64;
/// Random logits stay within this, and no two of a row are further apart than twice this.
const LARGEST_NORMAL: f64 = 6.5;
/// Small, so that in-place updates leave ordinary numbers however often they are repeated.
const LEARNING_RATE: f64 = 1e-3;

/// A product's op and what it makes of two operands.
type Product = fn(&Matrix, &Matrix) -> Result<Matrix>;
/// Draws a case's inputs.
type Make = Box<dyn Fn(&mut ChaCha8Rng) -> Result<Inputs>>;
type MakeRows = fn(&mut ChaCha8Rng, usize, usize) -> Result<Inputs>;
/// Uploads inputs and gives what is to be timed.
type Load = Box<dyn Fn(&Device, &Inputs) -> Result<Call>>;
type LoadOp = fn(&Device, &Inputs) -> Result<Call>;
/// One call on operands that are on the device already.
pub(crate) type Call = Box<dyn FnMut() -> Result<Output>>;

/// The kinds of op, which the picture tells apart by colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Product,
    Elementwise,
    ByRow,
    Step,
}

/// Floating-point operations, and bytes that must move at least.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) flop: f64,
    pub(crate) bytes: f64,
}

/// How far two answers may be apart, both of them within the op's bound.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tolerance {
    relative: f64,
    absolute: f64,
}

/// An op at a size.
pub(crate) struct Case {
    pub(crate) op: &'static str,
    pub(crate) shape: String,
    pub(crate) family: Family,
    /// Kernel by kernel; a step has several.
    pub(crate) work: Vec<Work>,
    make: Make,
    load: Load,
    /// For each output.
    tolerances: Vec<Tolerance>,
}

/// What a call gives; matrices and class ids are still on their device.
pub(crate) enum Output {
    Matrices(Vec<Matrix>),
    Classes(Targets),
    Number(f64),
}

impl Output {
    pub(crate) fn is_on_device(&self) -> bool {
        !matches!(self, Output::Number(_))
    }

    /// Its values, as matrices in host memory.
    pub(crate) fn read(&self) -> Result<Vec<Array2<f32>>> {
        let column = |ids: Vec<u32>| Array2::from_shape_fn((ids.len(), 1), |(row, _)| ids[row] as f32);
        match self {
            Output::Matrices(matrices) => matrices.iter().map(Matrix::to_array).collect(),
            Output::Classes(targets) => Ok(vec![column(targets.to_classes()?)]),
            Output::Number(number) => Ok(vec![Array2::from_elem((1, 1), *number as f32)]),
        }
    }
}

impl Case {
    pub(crate) fn inputs(&self) -> Result<Inputs> {
        (self.make)(&mut ChaCha8Rng::seed_from_u64(7))
    }

    /// Uploads the inputs.
    pub(crate) fn load(&self, device: &Device, inputs: &Inputs) -> Result<Call> {
        (self.load)(device, inputs)
    }

    /// The CPU path's answer, and how far another may be from it.
    pub(crate) fn expected(&self, inputs: &Inputs) -> Result<Vec<Expected>> {
        let answer = self.load(&Device::cpu(), inputs)?()?.read()?;
        let around = |(want, tolerance): (Array2<f32>, &Tolerance)| {
            let want = want.mapv(f64::from);
            // Results below the smallest normal f32 may come out as 0.
            let least = tolerance.absolute + f64::from(f32::MIN_POSITIVE);
            Expected { bound: want.mapv(|want| tolerance.relative * want.abs() + least), want }
        };
        Ok(answer.into_iter().zip(&self.tolerances).map(around).collect())
    }
}

fn relative(relative: f64) -> Tolerance {
    Tolerance { relative, absolute: 0.0 }
}

fn absolute(absolute: f64) -> Tolerance {
    Tolerance { relative: 0.0, absolute }
}

/// Every case; of each op only the first size where `quick`.
pub(crate) fn all(quick: bool) -> Vec<Case> {
    let mut cases = products();
    for rows in [8 << 10, 16 << 10] {
        cases.extend(elementwise(rows, 1024));
    }
    for (rows, cols) in [(32_768, 1_000), (65_536, 10), (256, 50_000)] {
        cases.extend(by_row(rows, cols));
    }
    cases.push(training_step([784, 512, 10], 4096));
    // One op after the other, its sizes together.
    let ops: Vec<_> = cases.iter().map(|case| case.op).collect();
    cases.sort_by_key(|case| ops.iter().position(|op| *op == case.op));
    if quick {
        cases.dedup_by_key(|case| case.op);
    }
    cases
}

fn products() -> Vec<Case> {
    let ops: [(&str, Product); 3] =
        [("matmul", ops::matmul), ("matmul_tn", ops::matmul_tn), ("matmul_nt", ops::matmul_nt)];
    let sizes = [[1024, 1024, 1024], [4096, 784, 512], [784, 4096, 512], [4096, 512, 10]];
    ops.iter().flat_map(|(op, run)| sizes.map(|size| product(op, *run, size))).collect()
}

fn product(op: &'static str, run: Product, [m, k, n]: [usize; 3]) -> Case {
    let (left, right) = match op {
        "matmul_tn" => ((k, m), (k, n)),
        "matmul_nt" => ((m, k), (n, k)),
        _ => ((m, k), (k, n)),
    };
    Case {
        op,
        shape: format!("{m}x{k}x{n}"),
        family: Family::Product,
        work: vec![product_work(m, k, n)],
        make: Box::new(move |rng| Ok(matrices([normal(rng, left), normal(rng, right)]))),
        load: Box::new(move |device, inputs| {
            let x = upload(device, inputs)?;
            Ok(Box::new(move || one(run(&x[0], &x[1])?)))
        }),
        // Twice 6 √k u (|A||B|), where k products of normal numbers add up to less than k.
        tolerances: vec![absolute(2.0 * 6.0 * (k as f64).sqrt() * U * k as f64)],
    }
}

fn product_work(m: usize, k: usize, n: usize) -> Work {
    let [m, k, n] = [m, k, n].map(|dim| dim as f64);
    Work { flop: 2.0 * m * k * n, bytes: 4.0 * (m * k + k * n + m * n) }
}

/// Ops on single elements, and the sum over rows.
fn elementwise(rows: usize, cols: usize) -> Vec<Case> {
    let (m, n) = (rows as f64, cols as f64);
    // FLOP and four-byte words per element, words per column beside them, and the rows of the second operand.
    let case = |op, flop: f64, words: f64, beside: f64, second: usize, load: LoadOp, tolerances| Case {
        op,
        shape: format!("{rows}x{cols}"),
        family: Family::Elementwise,
        work: vec![Work { flop: flop * m * n, bytes: 4.0 * (words * m * n + beside * n) }],
        make: Box::new(move |rng| {
            let shapes = [rows, second].into_iter().filter(|rows| *rows > 0);
            Ok(Inputs { matrices: shapes.map(|rows| normal(rng, (rows, cols))).collect(), ..Default::default() })
        }),
        load: Box::new(load),
        tolerances,
    };
    let sum = 2.0 * (20.0 + m.log2()) * U * m;
    let update = absolute(2.0 * U * 2.0 * LARGEST_NORMAL);
    vec![
        case("bias_add", 1.0, 2.0, 1.0, 1, load_bias_add, vec![relative(U)]),
        case("relu", 1.0, 2.0, 0.0, 0, load_relu, vec![Tolerance::default()]),
        case("relu_backward", 1.0, 3.0, 0.0, rows, load_relu_backward, vec![Tolerance::default()]),
        case("column_sum", 1.0, 1.0, 1.0, 0, load_column_sum, vec![absolute(sum)]),
        case("sgd", 2.0, 3.0, 0.0, rows, load_sgd, vec![update]),
        case("adam", 12.0, 7.0, 0.0, rows, load_adam, vec![update; 3]),
    ]
}

fn load_bias_add(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || one(ops::bias_add(&x[0], &x[1])?)))
}

fn load_relu(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || one(ops::relu(&x[0])?)))
}

fn load_relu_backward(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || one(ops::relu_backward(&x[0], &x[1])?)))
}

fn load_column_sum(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || one(ops::column_sum(&x[0])?)))
}

fn load_sgd(device: &Device, inputs: &Inputs) -> Result<Call> {
    let mut x = upload(device, inputs)?;
    Ok(Box::new(move || {
        let dw = x[1].clone();
        ops::sgd(&mut x[0], &dw, LEARNING_RATE)?;
        one(x[0].clone())
    }))
}

fn load_adam(device: &Device, inputs: &Inputs) -> Result<Call> {
    let mut x = upload(device, inputs)?;
    let (rows, cols) = x[0].shape();
    let (mut m, mut v) = (Matrix::zeros(device, rows, cols)?, Matrix::zeros(device, rows, cols)?);
    let options = AdamOptions { learning_rate: LEARNING_RATE, ..Default::default() };
    let mut step = 0;
    Ok(Box::new(move || {
        step += 1;
        let dw = x[1].clone();
        ops::adam(&mut x[0], &dw, &mut m, &mut v, &options, step)?;
        Ok(Output::Matrices(vec![x[0].clone(), m.clone(), v.clone()]))
    }))
}

/// Ops that take a row at a time: logits or probabilities, and a class id a row.
fn by_row(rows: usize, cols: usize) -> Vec<Case> {
    let (m, n) = (rows as f64, cols as f64);
    // Per element: FLOP and four-byte words; per row: words.
    let case = |op, flop: f64, words: f64, per_row: f64, make: MakeRows, load: LoadOp, tolerances| Case {
        op,
        shape: format!("{rows}x{cols}"),
        family: Family::ByRow,
        work: vec![Work { flop: flop * m * n, bytes: 4.0 * (words * m * n + per_row * m) }],
        make: Box::new(move |rng| make(rng, rows, cols)),
        load: Box::new(load),
        tolerances,
    };
    let softmax = 2.0 * U * (6.0 + 3.0 * 2.0 * LARGEST_NORMAL + n.log2());
    // The probabilities of normal logits are below this: the largest of them over the mean of all.
    let largest = (LARGEST_NORMAL.exp() / n).min(1.0);
    let jacobian = 2.0 * U * largest * (3.0 * LARGEST_NORMAL + (20.0 + n / 64.0) * LARGEST_NORMAL);
    let log = (-20.0f64).exp2();
    let loss = log + 2.0 * U * (6.0 + n.log2()) + 8.0 * U * 5.0 * LARGEST_NORMAL;
    let nll = Tolerance { relative: 8.0 * U, absolute: log };
    vec![
        case("softmax", 5.0, 2.0, 0.0, logits, load_softmax, vec![relative(softmax)]),
        case(
            "softmax_backward",
            4.0,
            3.0,
            0.0,
            probabilities_and_gradient,
            load_softmax_backward,
            vec![absolute(jacobian)],
        ),
        // Of each row one probability, the class id and the loss.
        case("nll", 2.0 / n, 0.0, 3.0, labelled_probabilities, load_nll, vec![nll]),
        // Of each row one probability and the class id; all of the gradient.
        case("nll_backward", 2.0, 1.0, 2.0, labelled_probabilities, load_nll_backward, vec![relative(12.0 * U)]),
        case(
            "softmax_cross_entropy",
            6.0,
            2.0,
            1.0,
            labelled_logits,
            load_cross_entropy,
            vec![absolute(loss), absolute(softmax / m)],
        ),
        case("argmax", 1.0, 1.0, 1.0, logits, load_argmax, vec![Tolerance::default()]),
        case("accuracy", 1.0, 1.0, 1.0, labelled_logits, load_accuracy, vec![Tolerance::default()]),
    ]
}

fn logits(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Result<Inputs> {
    Ok(matrices([normal(rng, (rows, cols))]))
}

fn labelled_logits(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Result<Inputs> {
    Ok(Inputs { classes: classes(rng, rows, cols), ..logits(rng, rows, cols)? })
}

fn labelled_probabilities(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Result<Inputs> {
    let labelled = labelled_logits(rng, rows, cols)?;
    let logits = Matrix::from_array(&Device::cpu(), labelled.matrices[0].view())?;
    Ok(Inputs { matrices: vec![ops::softmax(&logits)?.to_array()?], ..labelled })
}

/// Probabilities, and a gradient with respect to them.
fn probabilities_and_gradient(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Result<Inputs> {
    let mut probabilities = labelled_probabilities(rng, rows, cols)?.matrices;
    probabilities.push(normal(rng, (rows, cols)));
    Ok(Inputs { matrices: probabilities, ..Default::default() })
}

fn load_softmax(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || one(ops::softmax(&x[0])?)))
}

fn load_softmax_backward(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || one(ops::softmax_backward(&x[0], &x[1])?)))
}

fn load_nll(device: &Device, inputs: &Inputs) -> Result<Call> {
    let (probs, targets) = supervised(device, inputs)?;
    Ok(Box::new(move || one(ops::nll(&probs, &targets)?)))
}

fn load_nll_backward(device: &Device, inputs: &Inputs) -> Result<Call> {
    let (probs, targets) = supervised(device, inputs)?;
    Ok(Box::new(move || one(ops::nll_backward(&probs, &targets)?)))
}

fn load_cross_entropy(device: &Device, inputs: &Inputs) -> Result<Call> {
    let (logits, targets) = supervised(device, inputs)?;
    Ok(Box::new(move || {
        let head = ops::softmax_cross_entropy(&logits, &targets, &CrossEntropy::default())?;
        Ok(Output::Matrices(vec![head.losses().clone(), head.dlogits().clone()]))
    }))
}

fn load_argmax(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = upload(device, inputs)?;
    Ok(Box::new(move || Ok(Output::Classes(ops::argmax(&x[0])?))))
}

fn load_accuracy(device: &Device, inputs: &Inputs) -> Result<Call> {
    let (logits, targets) = supervised(device, inputs)?;
    Ok(Box::new(move || Ok(Output::Number(ops::accuracy(&logits, &targets)?))))
}

/// Forward, head, backward and SGD of a network with one hidden layer, as `Mlp::fit` goes about it.
fn training_step([inputs, hidden, classes]: [usize; 3], batch: usize) -> Case {
    Case {
        op: "training step",
        shape: format!("{inputs}-{hidden}-{classes}, batch {batch}"),
        family: Family::Step,
        work: step_work([inputs, hidden, classes], batch),
        make: Box::new(move |rng| {
            let mut weights = |rows: usize, cols| normal(rng, (rows, cols)) * (2.0 / rows as f32).sqrt();
            let (first, second) = (weights(inputs, hidden), weights(hidden, classes));
            let matrices = vec![normal(rng, (batch, inputs)), first, second];
            Ok(Inputs { matrices, classes: self::classes(rng, batch, classes) })
        }),
        load: Box::new(load_training_step),
        // Of gradients of about 6e-4 and more. One hidden value so close to 0 that only one side takes it for
        // positive is worth 4e-5.
        tolerances: vec![absolute(1e-4); 4],
    }
}

/// The six kernels that a step needs at least (with bias, ReLU and its mask fused), and the update.
fn step_work([inputs, hidden, classes]: [usize; 3], batch: usize) -> Vec<Work> {
    let head = (batch * classes) as f64;
    let parameters = (inputs * hidden + hidden + hidden * classes + classes) as f64;
    let mut dhidden = product_work(batch, classes, hidden);
    // The mask comes from the activations.
    dhidden.bytes += 4.0 * (batch * hidden) as f64;
    vec![
        product_work(batch, inputs, hidden),
        product_work(batch, hidden, classes),
        Work { flop: 6.0 * head, bytes: 8.0 * head + 4.0 * batch as f64 },
        product_work(hidden, batch, classes),
        dhidden,
        product_work(inputs, batch, hidden),
        Work { flop: 2.0 * parameters, bytes: 12.0 * parameters },
    ]
}

fn load_training_step(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = Matrix::from_array(device, inputs.matrices[0].view())?;
    let targets = Targets::classes(device, &inputs.classes, inputs.matrices[2].ncols())?;
    let layer = |weights: &Array2<f32>| {
        let biases = Matrix::zeros(device, 1, weights.ncols())?;
        Dense::from_parameters(Matrix::from_array(device, weights.view())?, biases)
    };
    let mut first = layer(&inputs.matrices[1])?.with_activation(Activation::Relu);
    let mut second = layer(&inputs.matrices[2])?;
    let mut head = SoftmaxCrossEntropy::new();
    let mut optimizer = OptimizerState::new(Optimizer::sgd(LEARNING_RATE));
    Ok(Box::new(move || {
        let logits = second.forward(&first.forward(&x)?)?;
        head.record(&logits, &targets)?;
        first.backward_parameters(&second.backward(&head.backward()?)?)?;
        optimizer.step(first.parameters_mut().chain(second.parameters_mut()))?;
        let gradients = [first.dweights(), first.dbiases(), second.dweights(), second.dbiases()];
        Ok(Output::Matrices(gradients.into_iter().flatten().cloned().collect()))
    }))
}

fn normal(rng: &mut ChaCha8Rng, shape: (usize, usize)) -> Array2<f32> {
    Array2::from_shape_simple_fn(shape, || StandardNormal.sample(rng))
}

fn classes(rng: &mut ChaCha8Rng, rows: usize, classes: usize) -> Vec<u32> {
    (0..rows).map(|_| rng.random_range(0..classes as u32)).collect()
}

fn matrices<const N: usize>(matrices: [Array2<f32>; N]) -> Inputs {
    Inputs { matrices: matrices.into(), ..Default::default() }
}

fn one(matrix: Matrix) -> Result<Output> {
    Ok(Output::Matrices(vec![matrix]))
}

fn upload(device: &Device, inputs: &Inputs) -> Result<Vec<Matrix>> {
    inputs.matrices.iter().map(|matrix| Matrix::from_array(device, matrix.view())).collect()
}

fn supervised(device: &Device, inputs: &Inputs) -> Result<(Matrix, Targets)> {
    let x = Matrix::from_array(device, inputs.matrices[0].view())?;
    let targets = Targets::classes(device, &inputs.classes, x.cols())?;
    Ok((x, targets))
}
