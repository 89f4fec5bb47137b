//! The notebook's figures, the layers, and the contract for NaN and infinity, on the CPU path.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::excessive_precision, reason = "figures as the notebook prints them")]

use std::f32::consts::LN_2;

use ndarray::{Array2, array};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::layers::{CategoricalCrossEntropy, Dense, Init, ReLU, Softmax, SoftmaxCrossEntropy};
use wgpu_mlp::ops::{self, Activation, CrossEntropy, Reduction};
use wgpu_mlp::{Device, Matrix, Mlp, Targets};

const INF: f32 = f32::INFINITY;
pub(super) const NAN: f32 = f32::NAN;

pub(super) fn matrix(array: Array2<f32>) -> Matrix {
    Matrix::from_array(&Device::cpu(), array.view()).unwrap()
}

fn ids(labels: &[u8], classes: usize) -> Targets {
    Targets::classes(&Device::cpu(), labels, classes).unwrap()
}

fn shares(array: Array2<f32>) -> Targets {
    Targets::distributions(&Device::cpu(), array.view()).unwrap()
}

/// Fails if two matrices differ by more than `room`. NaN counts as equal to NaN, and infinity to infinity.
#[track_caller]
pub(super) fn close(got: &Matrix, want: &Array2<f32>, room: f32) {
    let got = got.to_array().unwrap();
    let near = |(got, want): (&f32, &f32)| got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= room;
    assert!(got.dim() == want.dim() && got.iter().zip(want).all(near), "got {got}, want {want}");
}

/// The notebook's three rows, its targets as ids and one-hot, and logits whose softmax the rows are.
fn notebook() -> (Array2<f32>, [Targets; 2], Matrix) {
    let probs = array![[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]];
    let one_hot = shares(array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]);
    let logits = matrix(probs.mapv(|p: f32| p.ln() + 3.0));
    (probs, [ids(&[0, 1, 1], 3), one_hot], logits)
}

/// With PyTorch's sum, the gradient belongs to the sum of the losses, weights and smoothing included. The notebook's mean stays
/// the default.
#[test]
fn losses_are_what_their_gradients_are_of() {
    let device = Device::cpu();
    let targets = Targets::classes(&device, &[0u8, 2, 1, 2], 3).unwrap();
    let values = [1.0, -0.5, 0.25, 0.0, 2.0, 1.0, -1.0, 0.5, 0.75, 0.3, 0.1, -2.0];
    let weights = Matrix::from_slice(&device, 1, 3, &[1.0, 2.0, 0.5]).unwrap();
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        let options = CrossEntropy {
            class_weights: Some(weights.clone()),
            label_smoothing: 0.1,
            reduction,
            ..Default::default()
        };
        let mut on_logits = SoftmaxCrossEntropy::with_options(options.clone());
        let on_probs = CategoricalCrossEntropy::with_options(options.clone());
        let logits = |at: usize, by: f32| {
            let mut values = values;
            values[at] += by;
            Matrix::from_slice(&device, 4, 3, &values).unwrap()
        };
        let plain = logits(0, 0.0);
        let losses = ops::softmax_cross_entropy(&plain, &targets, &options).unwrap().losses().to_array().unwrap();
        let value = on_logits.forward(&plain, &targets).unwrap();
        let wanted =
            losses.mapv(f64::from).sum() / if reduction == Reduction::Mean { 1.0 + 0.5 + 2.0 + 0.5 } else { 1.0 };
        assert!((value - wanted).abs() < 1e-5, "{reduction:?}: {value}, {wanted}");
        let probs = ops::softmax(&plain).unwrap();
        assert!((on_probs.calculate(&probs, &targets).unwrap() - wanted).abs() < 1e-5, "{reduction:?}");
        let gradient = on_logits.backward().unwrap().to_array().unwrap();
        for at in 0..12 {
            let mut value = |by| on_logits.forward(&logits(at, by), &targets).unwrap();
            let slope = (value(1e-2) - value(-1e-2)) / 2e-2;
            assert!((slope - f64::from(gradient[[at / 3, at % 3]])).abs() < 1e-3, "{reduction:?}, {at}: {slope}");
        }
    }
}

#[test]
fn the_figures_of_the_notebook() {
    let softmax = ops::softmax(&matrix(array![[4.8, 1.21, 2.385]])).unwrap();
    close(&softmax, &array![[0.895_282_66, 0.024_708_31, 0.080_009_03]], 1e-7);
    let one = CategoricalCrossEntropy::new().calculate(&matrix(array![[0.7, 0.1, 0.2]]), &ids(&[0], 3)).unwrap();
    assert!((one - 0.356_674_943_938_732_45).abs() < 1e-7);
    let (probs, targets, logits) = notebook();
    close(&ops::softmax(&logits).unwrap(), &probs, 1e-6);
    let third = matrix(array![[0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.02, 0.9, 0.08]]);
    let gradient = array![
        [-0.1, 0.033_333_33, 0.066_666_67],
        [0.033_333_33, -0.166_666_67, 0.133_333_33],
        [0.006_666_67, -0.033_333_33, 0.026_666_67]
    ];
    for targets in &targets {
        let picks = array![[0.7f32], [0.5], [0.9]];
        let loss = CategoricalCrossEntropy::new();
        let losses = loss.forward(&matrix(probs.clone()), targets).unwrap();
        close(&losses, &picks.mapv(|p| -p.ln()), 1e-6);
        close(&matrix(losses.to_array().unwrap().mapv(|loss| (-loss).exp())), &picks, 1e-6);
        assert!((loss.calculate(&matrix(probs.clone()), targets).unwrap() - 0.385_060_880_052_168).abs() < 1e-6);
        assert_eq!(ops::accuracy(&third, targets).unwrap(), 1.0 / 3.0);

        let mut both = SoftmaxCrossEntropy::new();
        assert!((both.forward(&logits, targets).unwrap() - 0.385_060_880_052_168).abs() < 1e-6);
        close(&both.backward().unwrap(), &gradient, 1e-7);
        close(&both.output().unwrap(), &probs, 1e-6);
        let mut softmax = Softmax::new();
        let dprobs = loss.backward(&softmax.forward(&logits).unwrap(), targets).unwrap();
        close(&softmax.backward(&dprobs).unwrap(), &gradient, 1e-7);
    }
}

#[test]
fn clipped_loss_is_finite_at_impossible_and_certain_classes() {
    let probs = matrix(array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    let one_hot = array![[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]];
    for targets in [ids(&[0, 0, 2, 2], 3), shares(one_hot.clone())] {
        let losses = ops::nll(&probs, &targets).unwrap();
        close(&losses, &array![[16.118_095_f32], [1e-7], [1e-7], [16.118_095]], 1e-6); // -ln 1e-7, -ln (1 - 1e-7)
        assert!(losses.to_array().unwrap().iter().all(|loss| *loss > 0.0));
        let slopes = ops::nll_backward(&probs, &targets).unwrap().to_array().unwrap();
        for ((r, c), slope) in slopes.indexed_iter() {
            let want = one_hot[[r, c]] * if probs.to_array().unwrap()[[r, c]] == 0.0 { -2.5e6 } else { -0.25 };
            assert!((slope - want).abs() <= 1e-6 * want.abs(), "[{r}, {c}]: {slope}, not {want}");
        }
    }
}

#[test]
fn dense_begins_small_and_computes_both_ways() {
    let layer =
        |seed, init| Dense::with_init(&Device::cpu(), 200, 300, init, &mut ChaCha12Rng::seed_from_u64(seed)).unwrap();
    for (init, deviation) in [(Init::default(), 0.01), (Init::He, 0.1), (Init::Glorot, 0.063_245_55)] {
        let weights = layer(7, init).weights().to_array().unwrap().mapv(f64::from);
        let (mean, spread, count) = (weights.mean().unwrap(), weights.std(0.0), weights.len() as f64);
        // Five standard errors of either.
        assert!(mean.abs() < 5.0 * deviation / count.sqrt(), "{mean}");
        assert!((spread - deviation).abs() < 5.0 * deviation / (2.0 * count).sqrt(), "{spread}");
        close(layer(7, init).biases(), &Array2::zeros((1, 300)), 0.0);
    }
    let weights = |dense: Dense| dense.weights().to_array().unwrap();
    let plain = Dense::new(&Device::cpu(), 200, 300, &mut ChaCha12Rng::seed_from_u64(7)).unwrap();
    assert_eq!(weights(plain), weights(layer(7, Init::default())));
    assert_ne!(weights(layer(7, Init::He)), weights(layer(8, Init::He)));

    let (w, b) = (matrix(array![[1.0, -1.0], [2.0, 0.0], [3.0, 1.0]]), matrix(array![[0.5, -4.0]]));
    let (x, dy) = (matrix(array![[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]), matrix(array![[1.0, 10.0], [2.0, 20.0]]));
    let mut dense = Dense::from_parameters(w, b).unwrap();
    close(&dense.forward(&x).unwrap(), &array![[14.5, -2.0], [-0.5, -5.0]], 0.0);
    close(&dense.backward(&dy).unwrap(), &array![[-9.0, 2.0, 13.0], [-18.0, 4.0, 26.0]], 0.0);
    close(dense.dweights().unwrap(), &array![[1.0, 10.0], [4.0, 40.0], [1.0, 10.0]], 0.0);
    close(dense.dbiases().unwrap(), &array![[3.0, 30.0]], 0.0);
    // A fused ReLU gives the result of a ReLU after the layer.
    let (mut fused, mut relu) = (dense.clone().with_activation(Activation::Relu), ReLU::new());
    let y = relu.forward(&dense.forward(&x).unwrap()).unwrap();
    close(&fused.forward(&x).unwrap(), &y.to_array().unwrap(), 0.0);
    let dx = dense.backward(&relu.backward(&dy).unwrap()).unwrap();
    close(&fused.backward(&dy).unwrap(), &dx.to_array().unwrap(), 0.0);
    close(fused.dweights().unwrap(), &dense.dweights().unwrap().to_array().unwrap(), 0.0);
}

/// A model begins with He's initialisation, and another seed draws other weights.
#[test]
fn models_begin_with_the_spread_of_their_inputs() {
    let of = |seed| Mlp::new(&Device::cpu(), &[200, 300, 50], seed).unwrap().parameters().unwrap();
    let he = Mlp::with_init(&Device::cpu(), &[200, 300, 50], Init::He, 7).unwrap();
    assert_eq!(of(7), he.parameters().unwrap());
    for (layer, other) in of(7).iter().zip(&of(8)) {
        let (weights, inputs) = (layer.weights.mapv(f64::from), layer.weights.nrows() as f64);
        let (deviation, count) = ((2.0 / inputs).sqrt(), weights.len() as f64);
        // Five standard errors.
        assert!((weights.std(0.0) - deviation).abs() < 5.0 * deviation / (2.0 * count).sqrt(), "{inputs} inputs");
        assert!(layer.biases.iter().all(|bias| *bias == 0.0));
        assert_ne!(layer.weights, other.weights);
    }
}

#[test]
fn softmax_backward_is_the_product_with_the_jacobian() {
    let mut softmax = Softmax::new();
    let p = softmax.forward(&matrix(array![[0.3, -1.2, 2.0, 0.1], [5.0, 4.0, -3.0, 4.5]])).unwrap().to_array().unwrap();
    let dp = array![[1.0, -2.0, 0.5, 3.0], [-1.0, 0.0, 2.0, 0.25]];
    let dlogits = Array2::from_shape_fn(p.dim(), |(r, i)| {
        let jacobian = |j: usize| p[[r, i]] * (if i == j { 1.0 } else { 0.0 } - p[[r, j]]);
        (0..4).map(|j| jacobian(j) * dp[[r, j]]).sum()
    });
    close(&softmax.backward(&matrix(dp)).unwrap(), &dlogits, 1e-6);
}

#[test]
fn rows_with_nan_and_infinity_spoil_themselves_alone() {
    let x = array![[0.0, 0.0, -INF], [NAN, 0.0, 0.0], [INF, 0.0, 0.0], [-INF; 3], [-INF, 0.0, 0.0], [0.0, 0.0, NAN]];
    let logits = matrix(x);
    let half = [0.5, 0.5, 0.0];
    let probs = array![half, [NAN; 3], [NAN; 3], [NAN; 3], [0.0, 0.5, 0.5], [NAN; 3]];
    close(&ops::softmax(&logits).unwrap(), &probs, 1e-7);
    close(&ops::log_softmax(&logits).unwrap(), &probs.mapv(f32::ln), 1e-6);
    let options = CrossEntropy { reduction: Reduction::Sum, ..Default::default() };
    let head = ops::softmax_cross_entropy(&logits, &ids(&[0, 1, 0, 2, 1, 0], 3), &options).unwrap();
    close(head.losses(), &array![[LN_2], [NAN], [NAN], [NAN], [LN_2], [NAN]], 1e-6);
    let slopes = array![[-0.5, 0.5, 0.0], [NAN; 3], [NAN; 3], [NAN; 3], [0.0, -0.5, 0.5], [NAN; 3]];
    close(head.dlogits(), &slopes, 1e-6);
    let stats = head.stats().unwrap();
    assert_eq!((stats.rows, stats.correct, stats.non_finite_rows, stats.first_bad_row), (6, 2, 4, Some(1)));
    assert!(stats.mean_loss().is_nan() && stats.weight_sum == 6.0);

    // A masked target has an infinite loss and a finite gradient.
    let masked = ops::softmax_cross_entropy(&matrix(array![[-INF, 0.0]]), &ids(&[0], 2), &options).unwrap();
    close(masked.losses(), &array![[INF]], 0.0);
    close(masked.dlogits(), &array![[-1.0, 1.0]], 0.0);
    assert_eq!(masked.stats().unwrap().non_finite_rows, 1);

    let x = matrix(array![[NAN, -INF, INF, -0.0, 1e-40, -1e-40]]);
    close(&ops::relu(&x).unwrap(), &array![[NAN, 0.0, INF, 0.0, 1e-40, 0.0]], 0.0);
    close(&ops::relu_mask(&x).unwrap(), &array![[0.0, 0.0, 1.0, 0.0, 1.0, 0.0]], 0.0);
    let dx = ops::relu_backward(&x, &matrix(array![[5.0; 6]])).unwrap();
    close(&dx, &array![[0.0, 0.0, 5.0, 0.0, 5.0, 0.0]], 0.0);
    // argmax finds the NaN, but the row is still a miss.
    let x = matrix(array![[NAN, 1.0], [1.0, NAN], [1.0, INF]]);
    assert_eq!(ops::argmax(&x).unwrap().to_classes().unwrap(), [0, 1, 1]);
    assert_eq!(ops::accuracy(&x, &ids(&[0, 1, 1], 2)).unwrap(), 1.0 / 3.0);
}

#[test]
fn a_mean_over_nothing_is_nan_and_its_gradient_zero() {
    let options = CrossEntropy { ignore_index: Some(1), ..Default::default() };
    let logits = matrix(array![[1.0, 2.0], [NAN, 0.0]]);
    let head = ops::softmax_cross_entropy(&logits, &ids(&[1, 1], 2), &options).unwrap();
    let stats = head.stats().unwrap();
    assert!(stats.mean_loss().is_nan() && stats.accuracy().is_nan());
    assert_eq!((stats.rows, stats.non_finite_rows, stats.first_bad_row, stats.loss_sum), (0, 0, None, 0.0));
    close(head.losses(), &Array2::zeros((2, 1)), 0.0);
    close(head.dlogits(), &Array2::zeros((2, 2)), 0.0);
    // Smoothing gives a loss to a row whose weight is 0.
    let class_weights = Some(matrix(array![[0.0, 1.0]]));
    let smoothed = CrossEntropy { class_weights, label_smoothing: 0.5, ..Default::default() };
    let (probs, loss) = (matrix(array![[0.5, 0.5]]), CategoricalCrossEntropy::with_options(smoothed.clone()));
    assert!(loss.calculate(&probs, &ids(&[0], 2)).unwrap().is_nan());
    close(&loss.backward(&probs, &ids(&[0], 2)).unwrap(), &Array2::zeros((1, 2)), 0.0);
    assert!(SoftmaxCrossEntropy::with_options(smoothed).forward(&probs, &ids(&[0], 2)).unwrap().is_nan());
}

#[test]
fn options_of_the_head_by_the_definitions_of_pytorch() {
    let (_, [ids, _], logits) = notebook();
    let distributions = shares(array![[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]);
    let weights = Some(matrix(array![[1.0, 2.0, 0.5]]));
    let check = |targets: &Targets, options: CrossEntropy, losses: [f32; 3], mean: f64, slopes: [[f32; 3]; 3]| {
        let head = ops::softmax_cross_entropy(&logits, targets, &options).unwrap();
        close(head.losses(), &losses.map(|loss| [loss]).to_vec().into(), 2e-6);
        close(head.dlogits(), &slopes.to_vec().into(), 1e-6);
        let got = head.stats().unwrap().mean_loss();
        assert!((got - mean).abs() < 2e-6, "{options:?}: {got}, not {mean}");
    };
    let plain = CrossEntropy::default();
    let weighted = CrossEntropy { class_weights: weights.clone(), ..Default::default() };
    let losses = [0.356675, 1.386294, 0.210721];
    let slopes = [[-0.06, 0.02, 0.04], [0.04, -0.2, 0.16], [0.008, -0.04, 0.032]];
    check(&ids, weighted.clone(), losses, 0.390738, slopes);
    for reduction in [Reduction::None, Reduction::Sum] {
        let options = CrossEntropy { reduction, ..weighted.clone() };
        check(&ids, options, losses, 0.390738, slopes.map(|row| row.map(|slope| 5.0 * slope)));
    }
    let options = CrossEntropy { ignore_index: Some(0), ..plain.clone() };
    let slopes = [[0.0; 3], [0.05, -0.25, 0.2], [0.01, -0.05, 0.04]];
    check(&ids, options, [0.0, LN_2, 0.105361], 0.399254, slopes);
    let options = CrossEntropy { label_smoothing: 0.3, ..plain.clone() };
    let slopes = [[-0.033333, 0.0, 0.033333], [0.0, -0.1, 0.1], [-0.026667, 0.033333, -0.006667]];
    check(&ids, options, [0.676542, 0.876405, 0.728064], 0.760337, slopes);
    let smoothed = CrossEntropy { label_smoothing: 0.3, ..weighted.clone() };
    let slopes = [[-0.013, -0.019, 0.032], [0.015, -0.145, 0.13], [-0.013, -0.005, 0.018]];
    check(&ids, smoothed.clone(), [0.826329, 1.385109, 0.686066], 0.579501, slopes);
    let options = CrossEntropy { ignore_index: Some(1), ..smoothed.clone() };
    check(&ids, options, [0.826329, 0.0, 0.0], 0.826329, [[-0.065, -0.095, 0.16], [0.0; 3], [0.0; 3]]);
    let slopes = [[0.066667, -0.133333, 0.066667], [0.033333, -0.166667, 0.133333], [-0.06, 0.2, -0.14]];
    check(&distributions, plain, [1.32963, LN_2, 2.076877], 1.366551, slopes);
    let slopes = [[0.176667, -0.253333, 0.076667], [0.025, -0.241667, 0.216667], [-0.072767, 0.118833, -0.046067]];
    check(&distributions, smoothed, [2.313302, 1.385109, 1.572498], 1.75697, slopes);
}
