//! A lost device: every call reports it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use ndarray::{Array2, array};
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy, Head};
use wgpu_mlp::{
    DebugOptions, Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Plan, Result, Targets,
    verify, wgpu,
};

use super::errors::ones;
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("a device that is destroyed", plain(), destroyed),
        common::trial("a device that is destroyed at work", plain(), destroyed_at_work),
        common::trial("work that is left out and counts as done", plain(), left_out),
    ]
}

/// Objects that were made before the device was lost.
struct Belongings {
    x: Matrix,
    targets: Targets,
    head: Head,
    model: Mlp,
    dense: Dense,
    /// The state of an optimizer after a step that updated a parameter of the shape of `x`.
    state: OptimizerState,
    file: tempfile::NamedTempFile,
}

fn belongings(device: &Device) -> Result<Belongings, Failed> {
    let x = ones(device, 4, 4);
    let targets = Targets::classes(device, &[0u8, 1, 2, 3], 4)?;
    let head = ops::softmax_cross_entropy(&x, &targets, &CrossEntropy::default())?;
    let model = Mlp::new(device, &[4, 5, 4], 0)?;
    let file = tempfile::NamedTempFile::new()?;
    model.save(file.path())?;
    let mut dense = Dense::from_parameters(ones(device, 4, 4), ones(device, 1, 4))?;
    dense.forward(&x)?;
    let mut state = OptimizerState::new(Optimizer::adam(0.1));
    state.step([(&mut x.clone(), &x)].into_iter())?;
    Ok(Belongings { x, targets, head, model, dense, state, file })
}

/// A call after the device is lost.
type LateCall = fn(&mut Belongings) -> Result<()>;

/// Every call that uses the device, whether it waits for the device or only records.
const AFTER_THE_END: &[(&str, LateCall)] = &[
    ("from_array", |b| Matrix::from_array(b.x.device(), array![[1.0, 2.0]].view()).map(drop)),
    ("from_slice", |b| Matrix::from_slice(b.x.device(), 1, 2, &[1.0, 2.0]).map(drop)),
    ("from_slice, pooled", |b| Matrix::from_slice(b.x.device(), 4, 4, &[1.0; 16]).map(drop)),
    ("zeros", |b| Matrix::zeros(b.x.device(), 3, 3).map(drop)),
    ("to_array", |b| b.x.to_array().map(drop)),
    ("read_into", |b| b.x.read_into(Array2::zeros((4, 4)).view_mut())),
    ("classes", |b| Targets::classes(b.x.device(), &[0u8], 2).map(drop)),
    ("distributions", |b| Targets::distributions(b.x.device(), array![[1.0]].view()).map(drop)),
    ("to_classes", |b| b.targets.to_classes().map(drop)),
    ("stats", |b| b.head.stats().map(drop)),
    ("losses", |b| b.head.losses().to_array().map(drop)),
    ("matmul", |b| ops::matmul(&b.x, &b.x).map(drop)),
    ("matmul_tn", |b| ops::matmul_tn(&b.x, &b.x).map(drop)),
    ("matmul_nt", |b| ops::matmul_nt(&b.x, &b.x).map(drop)),
    ("linear", |b| ops::linear(&b.x, &b.x, b.dense.biases(), Activation::Relu).map(drop)),
    ("bias_add", |b| ops::bias_add(&b.x, b.dense.biases()).map(drop)),
    ("linear_backward", |b| ops::linear_backward(&b.x, &b.x, &b.x).map(drop)),
    ("linear_gradients", |b| ops::linear_gradients(&b.x, &b.x).map(drop)),
    ("dense_backward", |b| ops::dense_backward(&b.x, &b.x, &b.x).map(drop)),
    ("linear_cross_entropy", |b| {
        ops::linear_cross_entropy(&b.x, &b.x, b.dense.biases(), &b.targets, &CrossEntropy::default()).map(drop)
    }),
    ("dropout", |b| ops::dropout(&b.x, 0.5, 1, 0).map(drop)),
    ("dropout_rows", |b| ops::dropout_rows(&b.x, &[3, 2, 1, 0], 0.5, 1, 0).map(drop)),
    ("column_sum", |b| ops::column_sum(&b.x).map(drop)),
    ("relu", |b| ops::relu(&b.x).map(drop)),
    ("relu_mask", |b| ops::relu_mask(&b.x).map(drop)),
    ("relu_backward", |b| ops::relu_backward(&b.x, &b.x).map(drop)),
    ("softmax", |b| ops::softmax(&b.x).map(drop)),
    ("log_softmax", |b| ops::log_softmax(&b.x).map(drop)),
    ("softmax_backward", |b| ops::softmax_backward(&b.x, &b.x).map(drop)),
    ("nll", |b| ops::nll(&b.x, &b.targets).map(drop)),
    ("nll_backward", |b| ops::nll_backward(&b.x, &b.targets).map(drop)),
    ("head", |b| ops::softmax_cross_entropy(&b.x, &b.targets, &CrossEntropy::default()).map(drop)),
    ("argmax", |b| ops::argmax(&b.x).map(drop)),
    ("accuracy", |b| ops::accuracy(&b.x, &b.targets).map(drop)),
    ("sgd", |b| ops::sgd(&mut b.x.clone(), &b.x, 0.1)),
    ("sgd in place", |b| {
        let dw = b.dense.weights().clone();
        ops::sgd(&mut b.x, &dw, 0.1)
    }),
    ("adam", |b| {
        let clone = || b.x.clone();
        ops::adam(&mut clone(), &b.x, &mut clone(), &mut clone(), &AdamOptions::default(), 1)
    }),
    ("momentum", |b| ops::momentum(&mut b.x.clone(), &b.x, &mut b.x.clone(), &Default::default())),
    ("adagrad", |b| ops::adagrad(&mut b.x.clone(), &b.x, &mut b.x.clone(), &Default::default())),
    ("rmsprop", |b| ops::rmsprop(&mut b.x.clone(), &b.x, &mut b.x.clone(), &Default::default())),
    ("clip_scale", |b| ops::clip_scale(&[&b.x], 1.0).map(drop)),
    ("optimizer's step", |b| b.state.step([(&mut b.x.clone(), &b.x)].into_iter())),
    ("optimizer's export", |b| b.state.export(&[(4, 4)]).map(drop)),
    ("tune", |b| b.x.device().tune(&[[8, 8, 8]]).map(drop)),
    ("dense forward", |b| b.dense.forward(&b.x).map(drop)),
    ("dense backward", |b| b.dense.backward(&b.x).map(drop)),
    ("wait", |b| b.x.device().wait()),
    ("flush", |b| b.x.device().flush()),
    ("wrap_matrix", |b| {
        let (buffer, _) = b.x.wgpu_buffer().expect("a buffer");
        b.x.device().wrap_matrix(buffer, 0, 4, 4).map(drop)
    }),
    ("new model", |b| Mlp::new(b.x.device(), &[2, 2], 0).map(drop)),
    ("parameters", |b| b.model.parameters().map(drop)),
    ("predict", |b| b.model.predict(Array2::ones((3, 4)).view()).map(drop)),
    ("predict_proba", |b| b.model.predict_proba(Array2::ones((3, 4)).view()).map(drop)),
    ("predict_log_proba", |b| b.model.predict_log_proba(Array2::ones((3, 4)).view()).map(drop)),
    ("logits", |b| b.model.logits(&b.x).map(drop)),
    ("score", |b| b.model.score(Array2::ones((3, 4)).view(), &[0u8; 3]).map(drop)),
    ("score_top_k", |b| b.model.score_top_k(Array2::ones((3, 4)).view(), &[0u8; 3], 2).map(drop)),
    ("evaluate", |b| b.model.evaluate(Array2::ones((3, 4)).view(), &[0u8; 3]).map(drop)),
    ("evaluate_weighted", |b| b.model.evaluate_weighted(Array2::ones((3, 4)).view(), &[0u8; 3], &[1.0; 3]).map(drop)),
    ("confusion_matrix", |b| b.model.confusion_matrix(Array2::ones((3, 4)).view(), &[0u8; 3]).map(drop)),
    ("fit", |b| b.model.fit(Array2::ones((3, 4)).view(), &[0u8; 3], &FitOptions::default()).map(drop)),
    ("partial_fit", |b| b.model.partial_fit(Array2::ones((3, 4)).view(), &[0u8; 3], &FitOptions::default()).map(drop)),
    ("train_step", |b| {
        let mut state = OptimizerState::new(Optimizer::sgd(0.1));
        b.model.train_step(&b.x, &b.targets, &mut state).map(drop)
    }),
    ("save", |b| b.model.save(b.file.path().with_extension("never"))),
    ("to_bytes", |b| b.model.to_bytes().map(drop)),
    ("load", |b| Mlp::load(b.x.device(), b.file.path()).map(drop)),
    ("to_device", |b| b.model.to_device(&b.x.device().clone()).map(drop)),
    ("verify", |b| verify::cases()[0].verify(b.x.device(), 0).map(drop)),
];

/// Every call, made twice, must return that the device is lost, within five minutes.
fn all_say_lost(mut belongings: Belongings) -> Result<(), Failed> {
    let (sender, receiver) = mpsc::channel();
    let calls = thread::spawn(move || {
        for (name, call) in AFTER_THE_END {
            // After the time below nobody receives this message.
            let _ = sender.send((*name, [call(&mut belongings), call(&mut belongings)]));
        }
    });
    for (name, _) in AFTER_THE_END {
        let outcomes = receiver.recv_timeout(Duration::from_secs(300));
        let (_, outcomes) = outcomes.map_err(|_| format!("{name} hangs or panics"))?;
        if !outcomes.iter().all(|outcome| matches!(outcome, Err(Error::DeviceLost { .. }))) {
            return Err(format!("{name}: {outcomes:?}").into());
        }
    }
    calls.join().map_err(|_| "dropping what is left panics".into())
}

/// A driver that ends work without reporting it: no read returns old content, and the device counts as lost.
fn left_out(_: &Device) -> Result<(), Failed> {
    let (x, labels) = common::clusters(64, 4, 3, 5);
    for submit in 1..=8 {
        let debug = DebugOptions { left_out_submit: Some(submit), ..Default::default() };
        let device = Device::gpu_with(&GpuOptions { debug, ..Default::default() })?;
        let read = |round: u16| -> Result<()> {
            let value = f32::from(round);
            let doubled = ops::relu(&Matrix::from_slice(&device, 1, 3, &[value, -value, 2.0 * value])?)?;
            if round.is_multiple_of(3) {
                device.flush()?; // so that what is read and its receipt are in two submits
            }
            assert_eq!(doubled.to_array()?, array![[value, 0.0, 2.0 * value]], "submit {submit} was left out");
            Ok(())
        };
        let outcomes: Vec<_> = (1..=9).map(read).collect();
        let lost = outcomes.iter().position(Result::is_err).ok_or("nobody was told")?;
        let rest = &outcomes[lost..];
        assert!(rest.iter().all(|outcome| matches!(outcome, Err(Error::DeviceLost { .. }))), "{rest:?}");
        // Every third round has two submits.
        let submits = |rounds: usize| (rounds + rounds / 3) as u64;
        assert!(submits(lost) < submit && submits(lost + 1) >= submit, "told in round {lost} of submit {submit}");
    }
    let debug = DebugOptions { left_out_submit: Some(5), ..Default::default() };
    let device = Device::gpu_with(&GpuOptions { debug, ..Default::default() })?;
    let mut model = Mlp::new(&device, &[4, 5, 3], 0)?;
    let trained = model.fit(x.view(), &labels, &FitOptions { epochs: 50, batch: 16, ..Default::default() });
    assert!(matches!(trained, Err(Error::DeviceLost { .. })), "{trained:?}");
    let moved = model.to_device(&Device::cpu())?;
    assert_eq!(moved.parameters()?, model.last_copy());
    Ok(())
}

fn destroyed(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let device = yours.share()?;
    let belongings = belongings(&device)?;
    device.wait()?;
    yours.device.destroy();
    let plan = Plan::training_step(&device, &[4, 3], &FitOptions::default())?;
    assert!(plan.fits(), "a plan touches no device: {plan}");
    assert_eq!(belongings.model.last_copy().len(), 2);
    all_say_lost(belongings)
}

/// A device that is destroyed while it is busy. wgpu reports the loss when the submitted work has ended. Until then a call may
/// still succeed, but it must not fail in any other way.
fn destroyed_at_work(like: &Device) -> Result<(), Failed> {
    let busy = if common::full_cases() { 700 } else { 200 };
    if !common::full() {
        common::say("skipped: four of five calls on a device that is destroyed at work, which take --full");
    }
    for (first, (name, call)) in AFTER_THE_END.iter().enumerate() {
        if !common::full() && first % 5 != 0 {
            continue;
        }
        let yours = common::yours(like, wgpu::Adapter::limits);
        let device = yours.share()?;
        let mut belongings = belongings(&device)?;
        let x = Matrix::from_array(&device, common::normal(busy, busy, 1).view())?;
        let products = (0..4).map(|_| ops::matmul(&x, &x)).collect::<Result<Vec<_>>>()?;
        device.flush()?;
        ops::matmul(&x, &x)?; // recorded, not handed over
        yours.device.destroy();
        match call(&mut belongings) {
            Ok(()) | Err(Error::DeviceLost { .. }) => {}
            other => return Err(format!("{name} right after the end: {other:?}").into()),
        }
        drop(products);
        yours.device.poll(wgpu::PollType::wait_indefinitely())?;
        match call(&mut belongings) {
            Err(Error::DeviceLost { .. }) => {}
            other => return Err(format!("{name} once the work has ended: {other:?}").into()),
        }
        if first == 0 {
            all_say_lost(belongings)?;
        }
    }
    Ok(())
}
