//! A whole training step.

use ndarray::Array2;
use wgpu_mlp::layers::{Dense, SoftmaxCrossEntropy};
use wgpu_mlp::ops::Activation;
use wgpu_mlp::verify::Inputs;
use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState, Result, Targets};

use super::{Call, Case, Family, LEARNING_RATE, Output, Work, absolute, normal, products};

/// Forward, head, backward and SGD of a network with one hidden layer, as `Mlp::fit` goes about it.
pub(super) fn case([inputs, hidden, classes]: [usize; 3], batch: usize) -> Case {
    Case {
        op: "training step",
        shape: format!("{inputs}-{hidden}-{classes}, batch {batch}"),
        family: Family::Step,
        work: step_work([inputs, hidden, classes], batch),
        make: Box::new(move |rng| {
            let mut weights = |rows: usize, cols| normal(rng, (rows, cols)) * (2.0 / rows as f32).sqrt();
            let (first, second) = (weights(inputs, hidden), weights(hidden, classes));
            let matrices = vec![normal(rng, (batch, inputs)), first, second];
            Ok(Inputs { matrices, classes: super::classes(rng, batch, classes) })
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
    let mut dhidden = products::work(batch, classes, hidden);
    // The mask comes from the activations.
    dhidden.bytes += 4.0 * (batch * hidden) as f64;
    vec![
        products::work(batch, inputs, hidden),
        products::work(batch, hidden, classes),
        Work { flop: 6.0 * head, bytes: 8.0 * head + 4.0 * batch as f64 },
        products::work(hidden, batch, classes),
        dhidden,
        products::work(inputs, batch, hidden),
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
