//! Ops that take a row at a time.

use rand::rngs::ChaCha8Rng;
use wgpu_mlp::ops::{self, CrossEntropy};
use wgpu_mlp::verify::Inputs;
use wgpu_mlp::{Device, Matrix, Result, Targets};

use super::case::{
    Call, Case, Family, LARGEST_NORMAL, LoadOp, Output, Tolerance, U, Work, absolute, classes, matrices, normal, one,
    relative, upload,
};

/// Draws inputs of this many rows and columns.
type MakeRows = fn(&mut ChaCha8Rng, usize, usize) -> Result<Inputs>;

/// Ops that take a row at a time: logits or probabilities, and a class id a row.
pub(super) fn cases(rows: usize, cols: usize) -> Vec<Case> {
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
    // The bound of the sum assumes rounding errors of one sign; errors of random sign stay below 6 times its square root.
    let jacobian = 2.0 * U * largest * (3.0 + 6.0 * (20.0 + n / 64.0).sqrt()) * LARGEST_NORMAL;
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
        // For each row it moves one probability, the class id and the loss.
        case("nll", 2.0 / n, 0.0, 3.0, labelled_probabilities, load_nll, vec![nll]),
        // For each row it moves one probability and the class id; also the whole gradient.
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

fn supervised(device: &Device, inputs: &Inputs) -> Result<(Matrix, Targets)> {
    let x = Matrix::from_array(device, inputs.matrices[0].view())?;
    let targets = Targets::classes(device, &inputs.classes, x.cols())?;
    Ok((x, targets))
}
