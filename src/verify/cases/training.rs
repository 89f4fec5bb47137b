//! Cases that train a network for some steps and compare all of its parameters. They test how the ops of a step work together, with
//! the joint update of all parameters and the clip.

use ndarray::Array2;

use super::training_reference::expected;
use super::training_setup::{ADAM, DROPOUT, MAX_NORM, RATE, SEED, SETUPS, STEPS, Setup, penalties};
use crate::device::Device;
use crate::error::Result;
use crate::layers::Dense;
use crate::matrix::Matrix;
use crate::mlp::{Mlp, Parameters, StepOptions};
use crate::optim::{Optimizer, OptimizerState};
use crate::verify::inputs::{self, CaseRng, Inputs, normal, ones, rounding_terms, zeros};
use crate::verify::operands::classes;
use crate::verify::output::Output;
use crate::verify::table::Table;

/// Numbers of rows, and the widths of networks.
const NETWORKS: [(usize, &[usize]); 5] =
    [(33, &[5, 3]), (128, &[20, 16, 10]), (70, &[33, 17, 21]), (40, &[12, 8, 8, 4]), (300, &[64, 132, 20])];

/// Rows and widths of a network without hidden layers whose logits lose. Its sums are so long that the errors of the logits are much
/// larger than all others.
const LOSING: (usize, &[usize]) = (10, &[1031, 2]);

/// Draws features, parameters and class ids.
type DrawNetwork = fn(&mut CaseRng, usize, &[usize]) -> Inputs;

pub(super) fn cases(table: &mut Table) {
    for network in NETWORKS {
        // A network without a hidden layer has no dropout.
        for setup in SETUPS.into_iter().filter(|setup| network.1.len() > 2 || !setup.dropout) {
            add(table, (setup, ""), network, drawn);
        }
    }
    let [plain, ..] = SETUPS;
    add(table, (plain, ", sums that lose"), LOSING, losing);
}

fn add(
    table: &mut Table,
    (setup, suffix): (Setup, &str),
    (rows, widths): (usize, &'static [usize]),
    draw: DrawNetwork,
) {
    let (name, layers) = (setup.name, widths.len() - 1);
    table.add(
        ("training", &format!("{STEPS} steps of {name}, {layers} layers{suffix}")),
        [rows, widths[0], widths[layers]],
        |[m, k, n]| (6 * m * k * n, 4 * (m * k + k * n)),
        move |rng, _| draw(rng, rows, widths),
        move |device, inputs| trained(device, inputs, setup),
        move |inputs| expected(inputs, setup),
    );
}

/// Two classes whose logits lose nearly half a unit with each term, upwards and downwards. The steps move them from 1.5 towards 1,
/// and so the terms are lost in every step.
fn losing(rng: &mut CaseRng, rows: usize, widths: &[usize]) -> Inputs {
    const SIZE: f32 = 1.5;
    let features = rounding_terms(rng, rows, widths[0]).mapv(|x| if x < 1.0 { x / SIZE } else { x });
    let mut weights = ones(rng, widths[0], 2) * SIZE;
    weights.column_mut(1).fill(-SIZE);
    let classes = (0..rows as u32).map(|row| row % 2).collect();
    Inputs { matrices: vec![features, weights, zeros(rng, 1, 2)], classes }
}

/// Inputs: features, then weights and biases layer by layer; and class ids.
fn drawn(rng: &mut CaseRng, rows: usize, widths: &[usize]) -> Inputs {
    let mut matrices = vec![normal(rng, rows, widths[0])];
    for pair in widths.windows(2) {
        let size = (pair[0] as f32).sqrt().recip();
        matrices.push(normal(rng, pair[0], pair[1]) * size);
        matrices.push(normal(rng, 1, pair[1]) * 0.1);
    }
    Inputs { classes: inputs::classes(rng, rows, widths[widths.len() - 1]), matrices }
}

/// The parameters after the steps on the device.
fn trained(device: &Device, inputs: &Inputs, setup: Setup) -> Result<Vec<Output>> {
    let [x, parameters @ ..] = inputs.matrices.as_slice() else { return Ok(Vec::new()) };
    let layer = |pair: &[Array2<f32>]| Parameters { weights: pair[0].clone(), biases: pair[1].clone() };
    let mut model = Mlp::from_parameters(device, parameters.chunks_exact(2).map(layer).collect())?;
    let optimizer = if setup.adam { Optimizer::Adam(ADAM) } else { Optimizer::Sgd { learning_rate: RATE } };
    let mut state = OptimizerState::new(optimizer).clipped(setup.clipped.then_some(MAX_NORM));
    if setup.penalties {
        state = state.with_penalties(penalties(model.layers().len()));
    }
    let options = StepOptions { dropout: if setup.dropout { DROPOUT } else { 0.0 }, seed: SEED, ..Default::default() };
    let x = Matrix::from_array(device, x.view())?;
    let y = classes(device, &inputs.classes, model.classes())?;
    for _ in 0..STEPS {
        model.train_step_with(&x, &y, &options, &mut state)?;
    }
    let of_layer = |layer: &Dense| [layer.weights().clone(), layer.biases().clone()];
    Ok(model.layers().iter().flat_map(of_layer).map(Output::from).collect())
}
