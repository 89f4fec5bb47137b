//! Optimizers, penalties, clipping and snapshots on the CPU path, against formulas written out here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use ndarray::{Array2, array};
use wgpu_mlp::ops::{AdamOptions, MomentumOptions};
use wgpu_mlp::{
    Device, Error, FitOptions, Matrix, Mlp, Optimizer, OptimizerSnapshot, OptimizerState, Parameters, Penalty, Targets,
};

use crate::common;

fn all() -> [Optimizer; 7] {
    [
        Optimizer::sgd(0.1),
        Optimizer::momentum(0.05, 0.9),
        Optimizer::nesterov(0.05, 0.9),
        Optimizer::adagrad(0.1),
        Optimizer::rmsprop(0.01),
        Optimizer::adam(0.02),
        Optimizer::adamw(0.02, 0.1),
    ]
}

fn one(value: f32) -> Matrix {
    Matrix::from_slice(&Device::cpu(), 1, 1, &[value]).unwrap()
}

/// w after a step along each of these gradients.
fn walk(state: &mut OptimizerState, start: f32, gradients: &[f32]) -> f64 {
    let mut w = one(start);
    for dw in gradients {
        state.step([(&mut w, &one(*dw))].into_iter()).unwrap();
    }
    w.to_array().unwrap()[[0, 0]].into()
}

/// The rules of docs.pytorch.org/docs/stable/optim.html, one number at a time.
fn by_the_book(optimizer: &Optimizer, mut w: f64, gradients: &[f32]) -> f64 {
    let (mut a, mut b, lr) = (0.0, 0.0, optimizer.learning_rate());
    for (t, g) in (1..).zip(gradients.iter().map(|g| f64::from(*g))) {
        match *optimizer {
            Optimizer::Momentum(MomentumOptions { momentum, nesterov, .. }) => {
                a = if t == 1 { g } else { momentum * a + g };
                w -= lr * if nesterov { g + momentum * a } else { a };
            }
            Optimizer::AdaGrad(_) => {
                a += g * g;
                w -= lr * g / (a.sqrt() + 1e-10);
            }
            Optimizer::RmsProp(_) => {
                a = 0.99 * a + (1.0 - 0.99) * g * g;
                w -= lr * g / (a.sqrt() + 1e-8);
            }
            Optimizer::Adam(AdamOptions { weight_decay, .. }) => {
                w -= lr * weight_decay * w;
                a = 0.9 * a + (1.0 - 0.9) * g;
                b = 0.999 * b + (1.0 - 0.999) * g * g;
                let (m, v) = (a / (1.0 - 0.9_f64.powi(t)), b / (1.0 - 0.999_f64.powi(t)));
                w -= lr * m / (v.sqrt() + 1e-8);
            }
            _ => w -= lr * g,
        }
    }
    w
}

#[test]
fn every_optimizer_steps_by_the_book() {
    let gradients = [0.5, -1.5, 0.25, 0.0, 2.0, -0.125, 1e-3];
    for optimizer in all() {
        let got = walk(&mut OptimizerState::new(optimizer), 0.75, &gradients);
        let want = by_the_book(&optimizer, 0.75, &gradients);
        assert!((got - want).abs() < 2e-6, "{optimizer:?}: {got}, not {want}");
    }
}

#[test]
fn every_optimizer_learns() {
    let (x, labels) = common::clusters(200, 6, 3, 7);
    for optimizer in all() {
        let mut model = Mlp::new(&Device::cpu(), &[6, 12, 3], 1).unwrap();
        let options = FitOptions { epochs: 25, batch: 20, optimizer, ..Default::default() };
        let history = model.fit(x.view(), &labels, &options).unwrap();
        let (first, last) = (history.epochs[0].loss, history.epochs[24].loss);
        assert!(last < 0.05 && last < first / 4.0, "{optimizer:?}: {first} to {last}");
        assert_eq!(model.score(x.view(), &labels).unwrap(), 1.0, "{optimizer:?}");
    }
}

#[test]
fn a_changed_learning_rate_counts_from_the_next_step() {
    for optimizer in all() {
        let mut state = OptimizerState::new(optimizer);
        let (mut w, dw) = (one(1.0), one(2.0));
        state.step([(&mut w, &dw)].into_iter()).unwrap();
        let before = w.to_array().unwrap();
        state.set_learning_rate(0.0);
        state.step([(&mut w, &dw)].into_iter()).unwrap();
        assert_eq!(w.to_array().unwrap(), before, "{optimizer:?}");
        assert_eq!(state.optimizer(), &optimizer.with_learning_rate(0.0));
    }
}

/// The notebook's definition, by differences of the loss.
#[test]
fn penalties_pull_as_their_loss_has_it() {
    let penalty = Penalty { l1_weights: 0.3, l2_weights: 0.2, l1_biases: 0.1, l2_biases: 0.4 };
    let layer = Parameters { weights: array![[0.5, -2.0], [1.5, 0.75]], biases: array![[-0.25, 3.0]] };
    let device = Device::cpu();
    let mut w = Matrix::from_array(&device, layer.weights.view()).unwrap();
    let mut b = Matrix::from_array(&device, layer.biases.view()).unwrap();
    let zeros = [Matrix::zeros(&device, 2, 2).unwrap(), Matrix::zeros(&device, 1, 2).unwrap()];
    let mut state = OptimizerState::new(Optimizer::sgd(1.0)).with_penalties(vec![penalty]);
    state.step([(&mut w, &zeros[0]), (&mut b, &zeros[1])].into_iter()).unwrap();
    // Powers of two, so that f32 holds the moved parameters.
    let step = 1.0 / 1024.0;
    let slope = |change: &dyn Fn(&mut Parameters, f32)| {
        let moved = |by| {
            let mut layer = layer.clone();
            change(&mut layer, by);
            penalty.loss(&layer)
        };
        (moved(step) - moved(-step)) / f64::from(2.0 * step)
    };
    let near = |got: f32, want: f64| assert!((f64::from(got) - want).abs() < 1e-6, "{got}, not {want}");
    for (at, after) in w.to_array().unwrap().indexed_iter() {
        near(layer.weights[at] - after, slope(&|layer, by| layer.weights[at] += by));
    }
    for (at, after) in b.to_array().unwrap().indexed_iter() {
        near(layer.biases[at] - after, slope(&|layer, by| layer.biases[at] += by));
    }
    // A penalty on 0 has gradient 0, and a parameter without a penalty is not changed, even if it is infinite.
    let mut w = Matrix::from_slice(&device, 1, 2, &[0.0, -0.0]).unwrap();
    let mut b = Matrix::from_slice(&device, 1, 2, &[f32::INFINITY, 1.0]).unwrap();
    let zero = Matrix::zeros(&device, 1, 2).unwrap();
    let l1 = Penalty { l1_weights: 1.0, ..Default::default() };
    let mut state = OptimizerState::new(Optimizer::sgd(1.0)).with_penalties(vec![l1]);
    state.step([(&mut w, &zero), (&mut b, &zero)].into_iter()).unwrap();
    assert_eq!(w.to_array().unwrap(), array![[0.0, 0.0]]);
    assert_eq!(b.to_array().unwrap(), array![[f32::INFINITY, 1.0]]);
    assert_eq!(l1.loss(&Parameters { weights: array![[2.0]], biases: array![[f32::INFINITY]] }), 2.0);
}

#[test]
fn clipping_is_by_the_norm_of_all_gradients_before_penalties() {
    let device = Device::cpu();
    let [mut w, mut b] = [one(1.0), one(1.0)];
    let (dw, db) = (one(30.0), one(-40.0));
    let l2 = Penalty { l2_weights: 0.5, ..Default::default() };
    let mut state = OptimizerState::new(Optimizer::sgd(1.0)).with_clip_norm(5.0).with_penalties(vec![l2]);
    state.step([(&mut w, &dw), (&mut b, &db)].into_iter()).unwrap();
    let got = [w, b].map(|x| x.to_array().unwrap()[[0, 0]]);
    assert!((got[0] - (1.0 - 3.0 - 1.0)).abs() < 1e-5 && (got[1] - (1.0 + 4.0)).abs() < 1e-5, "{got:?}");
    // A NaN makes everything NaN, so it cannot be overlooked.
    let (mut w, mut b) = (one(1.0), one(1.0));
    let nan = Matrix::from_slice(&device, 1, 1, &[f32::NAN]).unwrap();
    state.step([(&mut w, &dw), (&mut b, &nan)].into_iter()).unwrap();
    assert!([w, b].iter().all(|x| x.to_array().unwrap()[[0, 0]].is_nan()));
}

fn snapshots_of(optimizer: Optimizer, cut: usize) -> (Vec<Parameters>, OptimizerSnapshot) {
    let device = Device::cpu();
    let (x, labels) = common::clusters(40, 6, 3, 7);
    let (x, y) = (Matrix::from_array(&device, x.view()).unwrap(), Targets::classes(&device, &labels, 3).unwrap());
    let mut model = Mlp::new(&device, &[6, 12, 3], 1).unwrap();
    let shapes = [(6, 12), (1, 12), (12, 3), (1, 3)];
    let mut state = OptimizerState::new(optimizer);
    for step in 0..10 {
        if step == cut {
            let snapshot = state.export(&shapes).unwrap();
            state = OptimizerState::restore(optimizer, snapshot.clone()).unwrap();
            assert_eq!(state.export(&shapes).unwrap(), snapshot);
        }
        model.train_step(&x, &y, &mut state).unwrap();
    }
    (model.parameters().unwrap(), state.export(&shapes).unwrap())
}

#[test]
fn a_restored_state_goes_on_with_the_same_bits() {
    for optimizer in all() {
        let whole = snapshots_of(optimizer, 10);
        assert_eq!(whole.1.step, 10);
        assert!([0, 1, 5].into_iter().all(|cut| snapshots_of(optimizer, cut) == whole), "{optimizer:?}");
    }
}

#[test]
fn a_snapshot_serves_its_parameters() {
    let adam = Optimizer::adam(0.1);
    let mut state = OptimizerState::new(adam);
    state.step([(&mut one(1.0), &one(1.0))].into_iter()).unwrap();
    assert!(matches!(state.export(&[(1, 1), (1, 1)]), Err(Error::Shape { op: "export", .. })));
    assert!(matches!(state.export(&[(1, 2)]), Err(Error::Shape { .. })));
    let snapshot = state.export(&[(1, 1)]).unwrap();
    let refused = OptimizerState::restore(Optimizer::momentum(0.1, 0.9), snapshot.clone());
    assert!(matches!(refused, Err(Error::Option { op: "restore", option: "slots", .. })));
    let mut other = OptimizerState::restore(adam, snapshot).unwrap();
    let (mut w, dw) = (Matrix::zeros(&Device::cpu(), 2, 1).unwrap(), Matrix::zeros(&Device::cpu(), 2, 1).unwrap());
    assert!(matches!(other.step([(&mut w, &dw)].into_iter()), Err(Error::Shape { op: "adam", .. })));
}

#[test]
fn options_out_of_range_are_refused_before_anything_changes() {
    let refused = |mut state: OptimizerState, words: &str| {
        let (mut w, mut b) = (one(1.0), one(1.0));
        let error = state.step([(&mut w, &one(1.0)), (&mut b, &one(1.0))].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), words);
        assert_eq!((w.to_array().unwrap()[[0, 0]], b.to_array().unwrap()[[0, 0]]), (1.0, 1.0));
        assert_eq!(state.export(&[(1, 1), (1, 1)]).map(|snapshot| snapshot.step).unwrap(), 0);
    };
    let of = OptimizerState::new;
    let decay = "must be from 0 up to but not including 1; got";
    refused(of(Optimizer::momentum(0.1, 1.0)), &format!("momentum: momentum {decay} 1"));
    refused(of(Optimizer::nesterov(-1.0, 0.5)), "momentum: learning_rate must be at least 0 and finite; got -1");
    refused(of(Optimizer::adagrad(f64::NAN)), "adagrad: learning_rate must be at least 0 and finite; got NaN");
    let Optimizer::AdaGrad(mut adagrad) = Optimizer::adagrad(0.1) else { panic!() };
    adagrad.epsilon = 0.0;
    refused(of(Optimizer::AdaGrad(adagrad)), "adagrad: epsilon must be positive and finite; got 0");
    let Optimizer::RmsProp(mut rmsprop) = Optimizer::rmsprop(0.1) else { panic!() };
    rmsprop.decay = -0.5;
    refused(of(Optimizer::RmsProp(rmsprop)), &format!("rmsprop: decay {decay} -0.5"));
    refused(of(Optimizer::adamw(0.1, -0.5)), "adam: weight_decay must be at least 0 and finite; got -0.5");
    let sgd = || of(Optimizer::sgd(0.1));
    refused(sgd().with_clip_norm(0.0), "clip_scale: max_norm must be positive and finite; got 0");
    let normal = "must be from 1.2e-38 to 3.4e38, the normal numbers of f32; got";
    refused(sgd().with_clip_norm(1e39), &format!("clip_scale: max_norm {normal} 1e39"));
    refused(sgd().with_clip_norm(1e-40), &format!("clip_scale: max_norm {normal} 1e-40"));
    adagrad.epsilon = 1e-300;
    refused(of(Optimizer::AdaGrad(adagrad)), &format!("adagrad: epsilon {normal} 1e-300"));
    refused(of(Optimizer::sgd(1e39)), "sgd: learning_rate must be at most 3.4e38, the largest f32; got 1e39");
    let two = "optimizer: penalties must be one for the weights and biases of each layer; got 2";
    refused(sgd().with_penalties(vec![Penalty::default(); 2]), two);
    let negative = Penalty { l2_biases: -1.0, ..Default::default() };
    refused(sgd().with_penalties(vec![negative]), "penalty: l2_biases must be at least 0 and finite; got -1");
    let huge = Penalty { l1_weights: 2e38, ..Default::default() };
    let words = "penalty: l1_weights must be at most 1.7e38, half of the largest f32; got 2e38";
    refused(sgd().with_penalties(vec![huge]), words);
}

#[test]
fn an_export_before_the_first_step_is_all_zeros() {
    let snapshot = OptimizerState::new(Optimizer::adam(0.1)).export(&[(2, 3)]).unwrap();
    assert_eq!(snapshot, OptimizerSnapshot { slots: vec![vec![Array2::zeros((2, 3))]; 2], ..Default::default() });
}

/// A step that is refused changes nothing, not even the parameters before the one that does not fit.
#[test]
fn a_step_is_taken_whole_or_not_at_all() {
    let device = Device::cpu();
    let ones = |rows, cols| Matrix::from_array(&device, Array2::ones((rows, cols)).view()).unwrap();
    for optimizer in [Optimizer::sgd(0.5), Optimizer::momentum(0.5, 0.9), Optimizer::adam(0.5)] {
        let (mut first, mut second, good, wrong) = (ones(2, 3), ones(1, 3), ones(2, 3), ones(3, 1));
        let mut state = OptimizerState::new(optimizer);
        let error = state.step([(&mut first, &good), (&mut second, &wrong)].into_iter()).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
        let untouched = |matrix: &Matrix| matrix.to_array().unwrap().iter().all(|value| *value == 1.0);
        assert!(untouched(&first) && untouched(&second) && state.steps() == 0, "{optimizer:?}");
        // The next step, which fits, counts as the first.
        let (mut fresh, mut alone) = (OptimizerState::new(optimizer), [ones(2, 3), ones(1, 3)]);
        let [one, two] = &mut alone;
        fresh.step([(one, &good), (two, &ones(1, 3))].into_iter()).unwrap();
        state.step([(&mut first, &good), (&mut second, &ones(1, 3))].into_iter()).unwrap();
        assert_eq!(first.to_array().unwrap(), alone[0].to_array().unwrap());
        assert_eq!(second.to_array().unwrap(), alone[1].to_array().unwrap());
        let shapes = [(2, 3), (1, 3)];
        assert_eq!(state.export(&shapes).unwrap(), fresh.export(&shapes).unwrap());
    }
}

/// Parameters that are added later have their own slots, which begin with zeros; the slots of the others are kept.
#[test]
fn a_later_step_may_bring_more_parameters() {
    for optimizer in all() {
        let (mut state, mut alone) = (OptimizerState::new(optimizer), OptimizerState::new(optimizer));
        let (mut first, mut second, mut same) = (one(1.0), one(2.0), one(1.0));
        let (dw, db) = (one(0.5), one(-0.25));
        state.step([(&mut first, &dw)].into_iter()).unwrap();
        state.step([(&mut first, &dw), (&mut second, &db)].into_iter()).unwrap();
        state.step([(&mut first, &dw)].into_iter()).unwrap();
        (0..3).for_each(|_| alone.step([(&mut same, &dw)].into_iter()).unwrap());
        assert_eq!(first.to_array().unwrap(), same.to_array().unwrap(), "{optimizer:?}");
        assert!(second.to_array().unwrap()[[0, 0]] > 2.0, "{optimizer:?}");
        let snapshot = state.export(&[(1, 1), (1, 1)]).unwrap();
        assert_eq!(snapshot.slots.iter().map(Vec::len).collect::<Vec<_>>(), vec![2; optimizer.slots().len()]);
        // Its step is that of a separate state, also after a restoration: Adam knows that this parameter has had one step.
        assert_eq!((snapshot.step, &snapshot.steps[..]), (3, &[3, 1][..]));
        let (mut restored, mut own) =
            (OptimizerState::restore(optimizer, snapshot).unwrap(), OptimizerState::new(optimizer));
        let (mut copies, mut twin) = ([first.clone(), second.clone()], one(2.0));
        (0..2).for_each(|_| own.step([(&mut twin, &db)].into_iter()).unwrap());
        state.step([(&mut first, &dw), (&mut second, &db)].into_iter()).unwrap();
        restored.step(copies.iter_mut().zip([&dw, &db])).unwrap();
        for second in [&second, &copies[1]] {
            assert_eq!(second.to_array().unwrap(), twin.to_array().unwrap(), "{optimizer:?}");
        }
        assert_eq!(copies[0].to_array().unwrap(), first.to_array().unwrap(), "{optimizer:?}");
    }
}
