//! The network: the spiral data, a forward pass, and a training loop by hand.

use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::layers::{Dense, Init, ReLU, Softmax, SoftmaxCrossEntropy};
use wgpu_mlp::ops::{self, AdamOptions};
use wgpu_mlp::{Device, Matrix, Targets};

use crate::Result;
use crate::figures::Walk;
use crate::layers::{matrix, rows};

/// The spiral has three arms, one a class.
pub const CLASSES: usize = 3;

/// Points on each arm.
const POINTS: usize = 100;

/// Hidden neurons and steps of the training.
const HIDDEN: usize = 64;
const STEPS: u64 = 501;

/// Three arms that wind around the origin, no two of which a straight line can part: `spiral_data(100, 3)`.
///
/// Point i of arm c has radius r = i / (points - 1) and angle t = 4 (c + r) + 0.2 N(0, 1), at (r sin 2.5t, r cos 2.5t).
pub fn spiral<R: Rng>(rng: &mut R) -> (Array2<f64>, Vec<u8>) {
    let classes = (0..CLASSES * POINTS).map(|row| (row / POINTS) as u8).collect();
    let mut x = Array2::zeros((CLASSES * POINTS, 2));
    for (row, mut point) in x.rows_mut().into_iter().enumerate() {
        let r = (row % POINTS) as f64 / (POINTS - 1) as f64;
        let noise: f64 = StandardNormal.sample(rng);
        let t = 4.0 * ((row / POINTS) as f64 + r) + 0.2 * noise;
        (point[0], point[1]) = (r * (2.5 * t).sin(), r * (2.5 * t).cos());
    }
    (x, classes)
}

/// x W1 + b1 -> ReLU -> h W2 + b2 -> softmax and cross-entropy.
pub struct Network {
    pub dense1: Dense,
    relu: ReLU,
    pub dense2: Dense,
    pub loss: SoftmaxCrossEntropy,
}

impl Network {
    pub fn new<R: Rng>(device: &Device, hidden: usize, init: Init, rng: &mut R) -> Result<Self> {
        Ok(Network {
            dense1: Dense::with_init(device, 2, hidden, init, rng)?,
            relu: ReLU::new(),
            dense2: Dense::with_init(device, hidden, CLASSES, init, rng)?,
            loss: SoftmaxCrossEntropy::new(),
        })
    }

    /// The logits; the data go through the layers from first to last.
    pub fn forward(&mut self, x: &Matrix) -> Result<Matrix> {
        let hidden = self.relu.forward(&self.dense1.forward(x)?)?;
        Ok(self.dense2.forward(&hidden)?)
    }

    /// From the loss of the last forward pass to the layers' gradients, from last to first: the chain rule.
    pub fn backward(&mut self) -> Result<()> {
        let dhidden = self.dense2.backward(&self.loss.backward()?)?;
        self.dense1.backward(&self.relu.backward(&dhidden)?)?;
        Ok(())
    }

    /// Hands each parameter with its gradient to `rule`, counted in the order W1, b1, W2, b2.
    fn update(&mut self, mut rule: impl FnMut(usize, &mut Matrix, &Matrix) -> wgpu_mlp::Result<()>) -> Result<()> {
        for (i, dense) in [&mut self.dense1, &mut self.dense2].into_iter().enumerate() {
            let (mut weights, mut biases) = (dense.weights().clone(), dense.biases().clone());
            let [dweights, dbiases] = gradients(dense)?;
            rule(2 * i, &mut weights, dweights)?;
            rule(2 * i + 1, &mut biases, dbiases)?;
            *dense = Dense::from_parameters(weights, biases)?;
        }
        Ok(())
    }
}

/// A layer's dW and db.
pub fn gradients(dense: &Dense) -> Result<[&Matrix; 2]> {
    let both = dense.dweights().zip(dense.dbiases());
    let (dweights, dbiases) = both.ok_or("dense: no gradients before a backward pass")?;
    Ok([dweights, dbiases])
}

/// An f64 copy of a matrix.
pub fn wide(matrix: &Matrix) -> Result<Array2<f64>> {
    Ok(matrix.to_array()?.mapv(f64::from))
}

/// The largest absolute value.
pub fn largest(values: &Array2<f64>) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// 2 -> 3 -> ReLU -> 3 -> softmax. With weights as small as 0.01 N(0, 1) the logits are all near 0, so the network
/// holds every class for equally likely.
pub fn forward(walk: &mut Walk) -> Result<()> {
    walk.section("A forward pass", "softmax(max(X W1 + b1, 0) W2 + b2), nothing learnt: all near 1/3")?;
    let mut rng = ChaCha12Rng::seed_from_u64(0);
    let (x, _) = spiral(&mut rng);
    let mut network = Network::new(walk.device(), 3, Init::default(), &mut rng)?;
    let logits = network.forward(&matrix(walk, &x)?)?;
    let probs = rows(&Softmax::new().forward(&logits)?)?;

    // Logits within ±s of 0 have exponentials from e^-s to e^s, and so probabilities from e^-2s / 3 to e^2s / 3.
    let s = largest(&wide(&logits)?);
    walk.note("largest logit", &format!("{s:.1e}"))?;
    let rounded = walk.precision().softmax(&[s, -s, 0.0]);
    for (row, probs) in probs.iter().take(5).enumerate() {
        let third = [1.0 / CLASSES as f64; CLASSES];
        walk.worked(&format!("output[{row}]"), &third, probs, |p| p * (2.0 * s).exp_m1() + rounded(p))?;
    }
    Ok(())
}

/// Gradient descent by hand: forward, backward, a step down the slope, again and again.
pub fn training(walk: &mut Walk) -> Result<()> {
    walk.section("Training", "forward, backward, update; 64 hidden neurons, weights √(2/inputs) N(0, 1)")?;

    // Plain descent: W -= rate · dW, b -= rate · db. On a spiral it is slow, and a rate of 1 makes it jump about.
    let losses = train(walk, "sgd", |_, _, w, dw| ops::sgd(w, dw, 0.2))?;
    for (before, after) in losses.iter().zip(losses.iter().skip(1)) {
        walk.below("sgd: the loss fell", *before, *after)?;
    }

    // Adam divides each step by the gradient's usual size. It keeps two moments for each of the four parameters.
    let shapes = [(2, HIDDEN), (1, HIDDEN), (HIDDEN, CLASSES), (1, CLASSES)];
    let zeros = |(rows, cols)| Matrix::zeros(walk.device(), rows, cols);
    let mut means = shapes.map(zeros).into_iter().collect::<wgpu_mlp::Result<Vec<Matrix>>>()?;
    let mut squares = means.clone();
    let options = AdamOptions { learning_rate: 0.02, ..Default::default() };
    let losses =
        train(walk, "adam", |step, i, w, dw| ops::adam(w, dw, &mut means[i], &mut squares[i], &options, step))?;
    let (first, last) = losses.first().zip(losses.last()).ok_or("adam: no losses")?;
    walk.below("adam: the loss halved", first / 2.0, *last)
}

/// Trains a fresh network on the spiral and gives the losses along the way. `update` takes the step, from 1, which
/// parameter it is, the parameter, and its gradient.
fn train(
    walk: &Walk,
    name: &str,
    mut update: impl FnMut(u64, usize, &mut Matrix, &Matrix) -> wgpu_mlp::Result<()>,
) -> Result<Vec<f64>> {
    let mut rng = ChaCha12Rng::seed_from_u64(0);
    let (x, classes) = spiral(&mut rng);
    let mut network = Network::new(walk.device(), HIDDEN, Init::He, &mut rng)?;
    let (x, targets) = (matrix(walk, &x)?, Targets::classes(walk.device(), &classes, CLASSES)?);

    let mut losses = Vec::new();
    for step in 1..=STEPS {
        let logits = network.forward(&x)?;
        let loss = network.loss.forward(&logits, &targets)?;
        if step % (STEPS / 5) == 1 {
            let accuracy = ops::accuracy(&logits, &targets)?;
            walk.note(&format!("{name}, step {step}"), &format!("loss {loss:.4}, accuracy {accuracy:.3}"))?;
            losses.push(loss);
        }
        network.backward()?;
        network.update(|i, w, dw| update(step, i, w, dw))?;
    }
    Ok(losses)
}
