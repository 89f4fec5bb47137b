//! Ops on single elements, and the sum over rows, which reads memory in the same way.

use wgpu_mlp::ops::{self, AdamOptions};
use wgpu_mlp::verify::Inputs;
use wgpu_mlp::{Device, Matrix, Result};

use super::case::{
    Call, Case, Family, LARGEST_NORMAL, LEARNING_RATE, LoadOp, Output, Tolerance, U, Work, absolute, normal, one,
    relative, upload,
};

/// Ops on single elements, and the sum over rows.
pub(super) fn cases(rows: usize, cols: usize) -> Vec<Case> {
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
