//! Updates in extreme cases, on the CPU path: gradients as small as epsilon, gradients whose norm is beyond f32, and the
//! settings that a restored state does not contain.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::{Device, Matrix, Optimizer, OptimizerState, Penalty, ops};

fn one(value: f32) -> Matrix {
    Matrix::from_slice(&Device::cpu(), 1, 1, &[value]).unwrap()
}

fn value(matrix: &Matrix) -> f32 {
    matrix.to_array().unwrap()[[0, 0]]
}

/// The value of w after one step along this gradient.
fn stepped(state: &mut OptimizerState, start: f32, gradient: f32) -> f32 {
    let mut w = one(start);
    state.step([(&mut w, &one(gradient))].into_iter()).unwrap();
    value(&w)
}

/// PyTorch's default epsilons, each added after the square root and not before it.
#[test]
fn epsilons_halve_the_step_of_a_gradient_of_their_size() {
    // A first step along g: AdaGrad's root and Adam's are g, that of RMSprop is a tenth of it.
    let cases = [
        (Optimizer::adagrad(0.5), 1e-10, -0.25),
        (Optimizer::rmsprop(0.05), 1e-7, -0.25),
        (Optimizer::adam(0.5), 1e-8, -0.25),
        // Far above the epsilon the length of the step is the learning rate, and ten times that for RMSprop.
        (Optimizer::adagrad(0.5), 1e-3, -0.5),
        (Optimizer::rmsprop(0.05), 1e-3, -0.5),
        (Optimizer::adam(0.5), 1e-3, -0.5),
    ];
    for (optimizer, gradient, wanted) in cases {
        let got = stepped(&mut OptimizerState::new(optimizer), 0.0, gradient);
        assert!((got - wanted).abs() < 1e-4, "{optimizer:?}: {got}, not {wanted}");
    }
}

/// A norm whose square is beyond f32 counts as infinite: the step is one with gradients of 0. NaN is not clipped away.
#[test]
fn a_norm_beyond_f32_moves_nothing() {
    let scale = |gradients: &[f32]| {
        let gradients: Vec<Matrix> = gradients.iter().map(|gradient| one(*gradient)).collect();
        value(&ops::clip_scale(&gradients.iter().collect::<Vec<_>>(), 1.0).unwrap())
    };
    assert_eq!(scale(&[1e20]), 0.0);
    // Each square is within f32, but their sum is not.
    assert_eq!(scale(&[1.5e19, 1.5e19]), 0.0);
    assert!(scale(&[1.5e19]) > 0.0);
    assert!(scale(&[1.0, f32::NAN]).is_nan() && scale(&[1e20, f32::NAN]).is_nan());
    let mut state = OptimizerState::new(Optimizer::sgd(1.0)).with_clip_norm(1.0);
    assert_eq!(stepped(&mut state, 3.0, 1e20), 3.0);
    assert_eq!(state.steps(), 1);
    // The next step is a normal step.
    assert!((stepped(&mut state, 3.0, 10.0) - 2.0).abs() < 1e-5);
}

/// A snapshot has an optimizer's state, but neither its penalties nor its limit for the norm.
#[test]
fn penalties_and_clipping_are_set_again() {
    let penalty = Penalty { l2_weights: 0.25, ..Default::default() };
    let limited = |state: OptimizerState| state.with_clip_norm(1.0).with_penalties(vec![penalty]);
    let sgd = Optimizer::sgd(1.0);
    let step = |state: &mut OptimizerState| {
        let (mut w, mut b) = (one(2.0), one(0.0));
        state.step([(&mut w, &one(10.0)), (&mut b, &one(0.0))].into_iter()).unwrap();
        value(&w)
    };
    let mut state = limited(OptimizerState::new(sgd));
    // The clipped gradient is 1, and the gradient of the penalty is 1.
    assert!(step(&mut state).abs() < 1e-5);
    let restored = || OptimizerState::restore(sgd, state.export(&[(1, 1); 2]).unwrap()).unwrap();
    assert_eq!(step(&mut restored()), -8.0);
    assert!(step(&mut limited(restored())).abs() < 1e-5);
    assert_eq!(restored().steps(), 1);
}
