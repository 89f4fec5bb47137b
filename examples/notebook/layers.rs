//! The layers: softmax by hand, then `Layer_Dense`, `Activation_ReLU` and `Activation_Softmax`.

use ndarray::{Array2, Axis, array};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::layers::{Dense, ReLU, Softmax};
use wgpu_mlp::{Matrix, ops};

use crate::Result;
use crate::figures::{U, Walk, in_f64, roundings};

/// The outputs of a layer for one sample: what softmax is shown on.
const LAYER_OUTPUTS: [f64; 3] = [4.8, 1.21, 2.385];

/// Their softmax, as the notebook prints it.
const PROBABILITIES: [&str; 3] = ["0.89528266", "0.02470831", "0.08000903"];

/// An f64 matrix on the device: each value is rounded to f32.
pub fn matrix(walk: &Walk, values: &Array2<f64>) -> Result<Matrix> {
    Ok(Matrix::from_array(walk.device(), values.mapv(|value| value as f32).view())?)
}

/// The rows of a matrix, back on the host.
pub fn rows(matrix: &Matrix) -> Result<Vec<Vec<f32>>> {
    Ok(matrix.to_array()?.rows().into_iter().map(|row| row.to_vec()).collect())
}

/// Σ_r X, as one row.
pub fn column_sum(values: &Array2<f64>) -> Array2<f64> {
    values.sum_axis(Axis(0)).insert_axis(Axis(0))
}

/// p_i = exp(x_i) / Σ_j exp(x_j), in plain arithmetic and then on the device.
pub fn softmax_by_hand(walk: &mut Walk) -> Result<()> {
    walk.section("Softmax from scratch", "p = exp(x - m) / Σ exp(x - m), m = max x")?;
    walk.note("layer outputs", &format!("{LAYER_OUTPUTS:?}"))?;

    // The exponential makes every output positive and keeps the order. Dividing by the sum makes them a distribution.
    let exponentials = LAYER_OUTPUTS.map(f64::exp);
    let sum: f64 = exponentials.iter().sum();
    let probabilities = exponentials.map(|e| e / sum);
    walk.note("exp(x)", &format!("{exponentials:?}"))?;
    walk.printed("exp(x) / Σ exp(x)", &PROBABILITIES, &probabilities, in_f64)?;
    walk.worked("their sum", &[1.0], &[probabilities.iter().sum::<f64>()], in_f64)?;

    // exp overflows early: an f32 at x = 89. Softmax does not change when all x move by the same amount, since
    // exp(x - m) = exp(x) / exp(m) and exp(m) cancels. With m = max x the largest exponential is exp(0) = 1.
    let top = LAYER_OUTPUTS.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let shifted = LAYER_OUTPUTS.map(|x| (x - top).exp());
    let sum: f64 = shifted.iter().sum();
    walk.note("exp(x - m)", &format!("{shifted:?}"))?;
    walk.printed("exp(x - m) / Σ exp(x - m)", &PROBABILITIES, &shifted.map(|e| e / sum), in_f64)?;

    let logits = matrix(walk, &Array2::from_shape_vec((1, 3), LAYER_OUTPUTS.to_vec())?)?;
    let probs = ops::softmax(&logits)?.to_array()?;
    let lost = walk.precision().softmax(&LAYER_OUTPUTS);
    walk.printed("ops::softmax", &PROBABILITIES, &probs.row(0).to_vec(), lost)?;
    // Shifted exponents move shares from one p to another, not their sum. The quotients and two additions round.
    let lost = walk.precision().quotient(3 + 2);
    walk.worked("their sum", &[1.0], &[probs.sum()], lost)
}

/// Y = XW + b; backward dW = Xᵀ dY, db = Σ_r dY, dX = dY Wᵀ.
pub fn dense(walk: &mut Walk) -> Result<()> {
    walk.section("Layer_Dense", "Y = XW + b; dW = Xᵀ dY, db = Σ_r dY, dX = dY Wᵀ")?;

    // weights = 0.01 * randn(inputs, outputs), biases = zeros. The spread of n normal values is itself known to within
    // a relative 1/√(2n), one standard deviation; six of them are a safe margin.
    let fresh = Dense::new(walk.device(), 200, 300, &mut ChaCha12Rng::seed_from_u64(0))?;
    let spread = f64::from(fresh.weights().to_array()?.std(0.0));
    walk.worked("spread of new weights", &[0.01], &[spread], |s| 6.0 * s / (2.0 * 200.0 * 300.0f64).sqrt())?;
    walk.worked("Σ|b| of new biases", &[0.0], &[fresh.biases().to_array()?.mapv(f32::abs).sum()], roundings(0))?;

    // Three samples of four features through three neurons. The first row of Y is what softmax was shown above.
    let x = array![[1.0, 2.0, 3.0, 2.5], [2.0, 5.0, -1.0, 2.0], [-1.5, 2.7, 3.3, -0.8]];
    let w = array![[0.2, 0.5, -0.26], [0.8, -0.91, -0.27], [-0.5, 0.26, 0.17], [1.0, -0.5, 0.87]];
    let b = array![[2.0, 3.0, 0.5]];
    let dy = array![[1.0, 2.0, 3.0], [-1.0, 0.5, 2.0], [0.25, -3.0, 1.0]];
    let mut dense = Dense::from_parameters(matrix(walk, &w)?, matrix(walk, &b)?)?;
    let y = dense.forward(&matrix(walk, &x)?)?;
    let dx = dense.backward(&matrix(walk, &dy)?)?;

    // A sum of k products costs k roundings for the products and sums, 2 for the inputs, 1 for the bias, each relative
    // to the sum of the absolute values. 4 is the largest k here.
    let lost = |magnitude: Array2<f64>| (4.0 + 3.0) * U * magnitude;
    let (ax, aw, ab, ady) = (x.mapv(f64::abs), w.mapv(f64::abs), b.mapv(f64::abs), dy.mapv(f64::abs));
    walk.worked_matrix("Y", &(x.dot(&w) + &b), &y, &lost(ax.dot(&aw) + &ab))?;
    let missing = "dense: no gradient after backward";
    walk.worked_matrix("dW", &x.t().dot(&dy), dense.dweights().ok_or(missing)?, &lost(ax.t().dot(&ady)))?;
    walk.worked_matrix("db", &column_sum(&dy), dense.dbiases().ok_or(missing)?, &lost(column_sum(&ady)))?;
    walk.worked_matrix("dX", &dy.dot(&w.t()), &dx, &lost(ady.dot(&aw.t())))
}

/// Y = max(X, 0); backward dX = dY where X > 0, else 0. Nothing rounds here, so nothing may be lost.
pub fn relu(walk: &mut Walk) -> Result<()> {
    walk.section("Activation_ReLU", "Y = max(X, 0); dX = dY · 1[X > 0]")?;
    let x = matrix(walk, &array![[1.0, 2.0, -3.0, 0.0], [2.0, -7.0, -1.0, 3.0]])?;
    let dy = matrix(walk, &array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])?;
    let exact = Array2::zeros((2, 4));

    let mut relu = ReLU::new();
    let y = relu.forward(&x)?;
    walk.worked_matrix("Y", &array![[1.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 3.0]], &y, &exact)?;
    // The slope is 1 where X > 0 and 0 elsewhere, also at 0 itself, where the notebook sets `dinputs[inputs <= 0] = 0`.
    let mask = ops::relu_mask(&x)?;
    walk.worked_matrix("1[X > 0]", &array![[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0]], &mask, &exact)?;
    let dx = relu.backward(&dy)?;
    walk.worked_matrix("dX", &array![[1.0, 2.0, 0.0, 0.0], [5.0, 0.0, 0.0, 8.0]], &dx, &exact)
}

/// p = softmax(x); backward dx = J dp with the Jacobian J_ij = ∂p_i/∂x_j = p_i (1[i = j] - p_j).
pub fn softmax(walk: &mut Walk) -> Result<()> {
    walk.section("Activation_Softmax", "dx = J dp, J = diag(p) - p pᵀ; the crate: dx = p · (dp - Σ dp_j p_j)")?;
    let dp = [1.0, -2.0, 0.5];

    let mut softmax = Softmax::new();
    let probs = softmax.forward(&matrix(walk, &Array2::from_shape_vec((1, 3), LAYER_OUTPUTS.to_vec())?)?)?;
    let lost = walk.precision().softmax(&LAYER_OUTPUTS);
    walk.printed("forward", &PROBABILITIES, &probs.to_array()?.row(0).to_vec(), &lost)?;

    // The notebook builds J for each row and multiplies. Here it is, in f64.
    let p = LAYER_OUTPUTS.map(f64::exp);
    let sum: f64 = p.iter().sum();
    let p = p.map(|e| e / sum);
    let jacobian = Array2::from_shape_fn((3, 3), |(i, j)| p[i] * (f64::from(u8::from(i == j)) - p[j]));
    for (i, row) in jacobian.rows().into_iter().enumerate() {
        walk.note(&format!("J[{i}]"), &format!("{:?}", row.mapv(|value| value as f32).to_vec()))?;
    }
    let want = jacobian.dot(&ndarray::arr1(&dp)).insert_axis(Axis(0));

    // Each term p_i dp_j p_j carries the errors of two p's (each `lost` in proportion) and up to 8 roundings.
    let relative = p.iter().map(|&p| lost(p) / p).fold(0.0, f64::max);
    let dot: f64 = dp.iter().zip(p).map(|(dp, p)| f64::abs(dp * p)).sum();
    let bound = Array2::from_shape_fn((1, 3), |(_, i)| (2.0 * relative + 8.0 * U) * p[i] * (f64::abs(dp[i]) + dot));
    let dx = softmax.backward(&matrix(walk, &Array2::from_shape_vec((1, 3), dp.to_vec())?)?)?;
    walk.worked_matrix("backward = J dp", &want, &dx, &bound)
}
