//! A whole training step.

use ndarray::Array2;
use wgpu_mlp::verify::Inputs;
use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Parameters, Result, Targets};

use super::case::{Call, Case, Family, Output, U, Work, absolute, classes, normal};
use super::products;

/// The rate is large, so that the first step changes the parameters by far more than their rounding.
const LEARNING_RATE: f64 = 0.1;

/// `Mlp::train_step` with SGD, without a read of the loss. The answer is the parameters after the first step.
pub(super) fn case(widths: Vec<usize>, batch: usize) -> Case {
    let layers = widths.len() - 1;
    let names: Vec<_> = widths.iter().map(usize::to_string).collect();
    // A hidden value may be so close to 0 that only one side computes it as positive. It changes a gradient by up to
    // 0.6 / batch; a batch of a few hundred rows has none. The bound is smaller than the change of a typical element: by a
    // factor of 3 to 70 in 784-512-10, and of 1.4 in the wide network.
    let gradient = if batch < 1024 { 0.01 } else { 1.0 } / batch as f64;
    // Weights are below 1, and are rounded when they are updated.
    let parameter = absolute(LEARNING_RATE * gradient + 2.0 * U);
    Case {
        op: "training step",
        shape: format!("{}, batch {batch}", names.join("-")),
        family: Family::Step,
        work: step_work(&widths, batch),
        make: Box::new(move |rng| {
            let mut matrices = vec![normal(rng, (batch, widths[0]))];
            for pair in widths.windows(2) {
                matrices.push(normal(rng, (pair[0], pair[1])) * (2.0 / pair[0] as f32).sqrt());
            }
            Ok(Inputs { matrices, classes: classes(rng, batch, widths[layers]) })
        }),
        load: Box::new(load_training_step),
        tolerances: vec![parameter; 2 * layers],
    }
}

/// The kernels that a step needs at least (with bias, ReLU and its mask fused), and the update.
fn step_work(widths: &[usize], batch: usize) -> Vec<Work> {
    let mut work = Vec::new();
    let mut parameters = 0.0;
    for (layer, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        work.extend([products::work(batch, inputs, outputs), products::work(inputs, batch, outputs)]);
        if layer > 0 {
            let mut dhidden = products::work(batch, outputs, inputs);
            // The mask comes from the activations.
            dhidden.bytes += 4.0 * (batch * inputs) as f64;
            work.push(dhidden);
        }
        parameters += (inputs * outputs + outputs) as f64;
    }
    let head = (batch * widths[widths.len() - 1]) as f64;
    work.push(Work { flop: 6.0 * head, bytes: 8.0 * head + 4.0 * batch as f64 });
    work.push(Work { flop: 2.0 * parameters, bytes: 12.0 * parameters });
    work
}

fn load_training_step(device: &Device, inputs: &Inputs) -> Result<Call> {
    let x = Matrix::from_array(device, inputs.matrices[0].view())?;
    let layer =
        |weights: &Array2<f32>| Parameters { biases: Array2::zeros((1, weights.ncols())), weights: weights.clone() };
    let mut model = Mlp::from_parameters(device, inputs.matrices[1..].iter().map(layer).collect())?;
    let targets = Targets::classes(device, &inputs.classes, model.classes())?;
    let mut state = OptimizerState::new(Optimizer::sgd(LEARNING_RATE));
    Ok(Box::new(move || {
        model.train_step(&x, &targets, &mut state)?;
        let parameters = model.layers().iter().flat_map(|layer| [layer.weights(), layer.biases()]);
        Ok(Output::Matrices(parameters.cloned().collect()))
    }))
}
