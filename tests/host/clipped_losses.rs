//! The clipped loss if probabilities are NaN, on the CPU path: which rows and which elements become NaN.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::f32::consts::LN_2;

use ndarray::array;
use wgpu_mlp::ops::{self, CrossEntropy, Reduction};
use wgpu_mlp::{Device, Matrix, Targets};

/// The loss and the gradient of a row whose first probability is NaN.
fn of_row(targets: &Targets, smoothing: f32) -> (f32, Vec<f32>) {
    let probs = Matrix::from_array(&Device::cpu(), array![[f32::NAN, 0.5, 0.25]].view()).unwrap();
    let options = CrossEntropy { label_smoothing: smoothing, reduction: Reduction::Sum, ..Default::default() };
    let losses = ops::nll_with(&probs, targets, &options).unwrap().to_array().unwrap();
    let slopes = ops::nll_backward_with(&probs, targets, &options).unwrap().to_array().unwrap();
    (losses[[0, 0]], slopes.row(0).to_vec())
}

fn id(label: i64) -> Targets {
    Targets::classes(&Device::cpu(), &[label], 3).unwrap()
}

#[test]
fn the_probability_of_another_class_spoils_no_loss_of_class_ids() {
    let (loss, slopes) = of_row(&id(1), 0.0);
    assert!((loss - LN_2).abs() < 1e-6, "{loss}");
    assert_eq!(slopes, [0.0, -2.0, 0.0]);
    // A NaN for the row's own class does, in the element that has a share of the loss.
    let (loss, slopes) = of_row(&id(0), 0.0);
    assert!(loss.is_nan() && slopes[0].is_nan(), "{loss}, {slopes:?}");
    assert_eq!(slopes[1..], [0.0, 0.0]);
    assert_eq!(of_row(&id(Targets::IGNORED), 0.0), (0.0, vec![0.0; 3]));
}

#[test]
fn any_probability_spoils_the_loss_of_a_distribution() {
    let shares = Targets::distributions(&Device::cpu(), array![[0.0, 0.5, 0.5]].view()).unwrap();
    let (loss, slopes) = of_row(&shares, 0.0);
    assert!(loss.is_nan(), "{loss}");
    // A class without a share has gradient 0 for any probability.
    assert_eq!(slopes, [0.0, -1.0, -2.0]);
    // Smoothing gives every class a share.
    let (loss, slopes) = of_row(&id(1), 0.75);
    assert!(loss.is_nan() && slopes[0].is_nan(), "{loss}, {slopes:?}");
    assert_eq!(slopes[1..], [-1.0, -1.0]);
    assert_eq!(of_row(&id(Targets::IGNORED), 0.75), (0.0, vec![0.0; 3]));
}
