//! Async forms on the CPU path: the same results, pauses for other tasks, and futures that can move to another thread.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;
use std::pin::pin;

use wgpu_mlp::layers::{CategoricalCrossEntropy, SoftmaxCrossEntropy};
use wgpu_mlp::{Device, Epoch, FitOptions, Matrix, Mlp, Optimizer, OptimizerState, Targets, Trainer, ops, verify};

use crate::awaiting;

#[test]
fn awaited_fits_give_the_bits_of_blocking_ones() {
    awaiting::same_bits(&Device::cpu()).unwrap();
}

#[test]
fn awaited_trainings_give_the_bits_of_blocking_ones() {
    awaiting::same_trainings(&Device::cpu()).unwrap();
}

#[test]
fn a_dropped_training_goes_on_from_its_checkpoint() {
    awaiting::checkpoints(&Device::cpu()).unwrap();
}

#[test]
fn a_dropped_fit_leaves_the_model_behind_a_whole_step() {
    awaiting::dropped(&Device::cpu()).unwrap();
}

#[test]
fn what_turns_into_nan_is_named_and_undone() {
    awaiting::non_finite(&Device::cpu()).unwrap();
}

#[test]
fn files_and_exports_are_the_same() {
    awaiting::same_exports(&Device::cpu()).unwrap();
}

#[test]
fn each_step_is_a_turn() {
    let (mut model, x) = (Mlp::new(&Device::cpu(), &[2, 3], 0).unwrap(), ndarray::Array2::zeros((10, 2)));
    let options = FitOptions { epochs: 3, batch: 2, ..Default::default() };
    let (_, pending) = awaiting::poll_up_to(usize::MAX, pin!(model.fit_async(x.view(), &[0u8; 10], &options)));
    assert_eq!(pending, 15);
    let (classes, pending) = awaiting::poll_up_to(usize::MAX, pin!(model.predict_async(x.view())));
    assert_eq!((classes.unwrap().unwrap().len(), pending), (10, 1));
}

#[test]
fn futures_can_go_to_another_thread() {
    fn can_move<T: Send>(_: T) {}
    let (device, options, x) = (Device::cpu(), FitOptions::default(), ndarray::Array2::zeros((2, 2)));
    let (mut model, labels, x) = (Mlp::new(&device, &[2, 3], 0).unwrap(), [0u8, 1], x.view());
    can_move(model.fit_async(x, &labels, &options));
    can_move(model.partial_fit_async(x, &labels, &options));
    let mut go_on = |_: &Mlp, _: &Epoch| Ok(ControlFlow::Continue(()));
    let trainer = Trainer::new(&options).validation_set(x, &labels).callback(&mut go_on);
    can_move(trainer.fit_async(&mut model, x, &labels));
    can_move(model.predict_async(x));
    can_move(model.predict_proba_async(x));
    can_move(model.predict_log_proba_async(x));
    can_move(model.score_async(x, &labels));
    can_move(model.evaluate_async(x, &labels));
    can_move(model.evaluate_weighted_async(x, &labels, &[1.0, 2.0]));
    can_move(model.score_top_k_async(x, &labels, 2));
    can_move(model.confusion_matrix_async(x, &labels));
    can_move(model.parameters_async());
    can_move(model.save_async("never"));
    can_move(model.to_device_async(&device));
    can_move(OptimizerState::new(Optimizer::sgd(0.1)).export_async(&[]));
    let (logits, targets) = (Matrix::zeros(&device, 2, 3).unwrap(), Targets::classes(&device, &labels, 3).unwrap());
    can_move(Matrix::from_array_async(&device, x));
    can_move(logits.to_array_async());
    can_move(targets.to_classes_async());
    can_move(ops::accuracy_async(&logits, &targets));
    can_move(CategoricalCrossEntropy::new().calculate_async(&logits, &targets));
    can_move(SoftmaxCrossEntropy::new().forward_async(&logits, &targets));
    can_move(SoftmaxCrossEntropy::new().stats_async());
    can_move(device.wait_async());
    can_move(device.ready_async());
    can_move(device.tune_async(&[]));
    can_move(Device::auto_async());
    can_move(Device::gpu_async());
    can_move(verify::run_async(&device));
    let case = &verify::cases()[0];
    can_move(case.run_async(&device, &case.inputs(0)));
    can_move(case.verify_async(&device, 0));
}
