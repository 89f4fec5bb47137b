//! Optimizers on the device follow those on the CPU path, with clipping, penalties and snapshots.

use libtest_mimic::Failed;
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, CrossEntropy};
use wgpu_mlp::{DebugOptions, Device, Error, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Parameters, Targets};

use super::steps::{CLASSES, FEATURES, batch, data, network, optimizers, penalties};
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("deep models follow the CPU path", plain(), deep),
        common::trial("every optimizer follows the CPU path", plain(), every_optimizer),
        common::trial("every optimizer follows the CPU path, in windows", pieces(), every_optimizer),
        common::trial("parameters apart are clipped and pulled too", plain(), parameters_apart),
        common::trial("a NaN is not clipped away", plain(), not_clipped_away),
        common::trial("a norm beyond f32 moves nothing", plain(), norm_beyond_f32),
        common::trial("a restored state goes on with the same bits", plain(), restored),
        common::trial("a restored state goes on with the same bits, in windows", pieces(), restored),
        common::trial("an optimizer's state serves one model", plain(), one_state_one_model),
    ]
}

fn pieces() -> GpuOptions {
    GpuOptions {
        debug: DebugOptions { max_binding_bytes: Some(256), guarded_buffers: true, ..Default::default() },
        ..Default::default()
    }
}

/// More layers than one launch of an update can process.
fn deep(device: &Device) -> Result<(), Failed> {
    let widths: Vec<usize> = [vec![FEATURES], (0..16).map(|i| 8 + i % 3).collect(), vec![CLASSES]].concat();
    let plain = OptimizerState::new;
    let clipped = plain(Optimizer::momentum(0.1, 0.5)).with_clip_norm(0.1).with_penalties(penalties(17));
    for state in [plain(Optimizer::sgd(0.1)), plain(Optimizer::adam(1e-2)), clipped] {
        let mut losses = Vec::new();
        for device in [device, &Device::cpu()] {
            let mut model = Mlp::new(device, &widths, 3)?;
            let mut state = state.clone();
            let (x, y) = batch(device)?;
            let step = |_| Ok(model.train_step(&x, &y, &mut state)?.read()?.mean_loss());
            losses.push((0..8).map(step).collect::<Result<Vec<f64>, Failed>>()?);
        }
        assert!(losses[1][7] < losses[1][0], "it learns: {:?}", losses[1]);
        let close = losses[0].iter().zip(&losses[1]).all(|(got, want)| (got - want).abs() < 1e-4 * want);
        assert!(close, "{:?}: {losses:?}", state.optimizer());
    }
    Ok(())
}

fn near(got: &[Parameters], want: &[Parameters], what: &str) {
    for (got, want) in got.iter().zip(want) {
        for (got, want) in [(&got.weights, &want.weights), (&got.biases, &want.biases)] {
            let close = got.iter().zip(want).all(|(got, want)| (got - want).abs() <= 1e-4);
            assert!(close, "{what}: {got} and {want}");
        }
    }
}

/// Five steps of each optimizer, without and with clipping and penalties.
fn every_optimizer(device: &Device) -> Result<(), Failed> {
    for optimizer in optimizers() {
        let plain = OptimizerState::new(optimizer);
        let changed = plain.clone().with_clip_norm(0.5).with_penalties(penalties(2));
        for state in [plain, changed] {
            let trained = |device: &Device| -> Result<_, Failed> {
                let (mut model, mut state) = (Mlp::new(device, &[FEATURES, 10, CLASSES], 3)?, state.clone());
                let (x, y) = batch(device)?;
                for _ in 0..5 {
                    model.train_step(&x, &y, &mut state)?;
                }
                Ok(model.parameters()?)
            };
            near(&trained(device)?, &trained(&Device::cpu())?, &format!("{state:?}"));
        }
    }
    Ok(())
}

/// Layers that the user combines, whose parameters and gradients are separate buffers.
fn parameters_apart(device: &Device) -> Result<(), Failed> {
    for optimizer in optimizers() {
        let trained = |device: &Device| -> Result<_, Failed> {
            let ([mut first, mut second], x, y) = network(device)?;
            let mut state = OptimizerState::new(optimizer).with_clip_norm(0.05).with_penalties(penalties(2));
            for _ in 0..5 {
                let logits = second.forward(&first.forward(&x)?)?;
                let head = ops::softmax_cross_entropy(&logits, &y, &CrossEntropy::default())?;
                first.backward(&second.backward(head.dlogits())?)?;
                state.step(first.parameters_mut().chain(second.parameters_mut()))?;
            }
            let host = |layer: &Dense| -> Result<_, Failed> {
                Ok(Parameters { weights: layer.weights().to_array()?, biases: layer.biases().to_array()? })
            };
            Ok([host(&first)?, host(&second)?])
        };
        near(&trained(device)?, &trained(&Device::cpu())?, &format!("{optimizer:?}"));
    }
    Ok(())
}

fn not_clipped_away(device: &Device) -> Result<(), Failed> {
    let (x, labels) = data(64);
    let mut spoiled = x.clone();
    spoiled[[5, 5]] = f32::NAN;
    let y = Targets::classes(device, &labels, CLASSES)?;
    let mut state = OptimizerState::new(Optimizer::sgd(0.1)).with_clip_norm(1.0);
    let mut model = Mlp::new(device, &[FEATURES, 16, CLASSES], 3)?;
    model.train_step(&Matrix::from_array(device, spoiled.view())?, &y, &mut state)?;
    let all_nan = |layer: &Parameters| layer.weights.iter().chain(&layer.biases).all(|w| w.is_nan());
    assert!(model.parameters()?.iter().all(all_nan));
    Ok(())
}

/// A norm whose square is beyond f32 counts as infinite: the step is one with gradients of 0.
fn norm_beyond_f32(device: &Device) -> Result<(), Failed> {
    let of = |values: &[f32]| Matrix::from_slice(device, 1, values.len(), values);
    let (huge, sum, right) = (of(&[1.0, 1e20])?, of(&[1.5e19, 1.5e19])?, of(&[1.5e19, 0.0])?);
    let scale =
        |gradient: &Matrix| -> Result<f32, Failed> { Ok(ops::clip_scale(&[gradient], 1.0)?.to_array()?[[0, 0]]) };
    assert_eq!((scale(&huge)?, scale(&sum)?), (0.0, 0.0));
    assert!(scale(&right)? > 0.0);
    let mut w = of(&[3.0, -2.0])?;
    let mut state = OptimizerState::new(Optimizer::sgd(1.0)).with_clip_norm(1.0);
    state.step([(&mut w, &huge)].into_iter())?;
    assert_eq!((w.to_array()?, state.steps()), (ndarray::array![[3.0, -2.0]], 1));
    Ok(())
}

/// Three steps, a snapshot, three more: on the device the result has the bits of six steps without a snapshot; on the CPU path
/// it is close to them.
fn restored(device: &Device) -> Result<(), Failed> {
    let shapes = [(FEATURES, 10), (1, 10), (10, CLASSES), (1, CLASSES)];
    for optimizer in optimizers() {
        let steps = |model: &mut Mlp, state: &mut OptimizerState, count| -> Result<(), Failed> {
            let (x, y) = batch(model.device())?;
            (0..count).try_for_each(|_| model.train_step(&x, &y, state).map(drop))?;
            Ok(())
        };
        let begin =
            || Ok::<_, Failed>((Mlp::new(device, &[FEATURES, 10, CLASSES], 3)?, OptimizerState::new(optimizer)));
        let (mut whole, mut state) = begin()?;
        steps(&mut whole, &mut state, 6)?;
        let (whole, last) = (whole.parameters()?, state.export(&shapes)?);
        let (mut half, mut state) = begin()?;
        steps(&mut half, &mut state, 3)?;
        let snapshot = state.export(&shapes)?;
        assert_eq!(snapshot.step, 3);
        for target in [device, &Device::cpu()] {
            let (mut model, mut state) =
                (half.to_device(target)?, OptimizerState::restore(optimizer, snapshot.clone())?);
            steps(&mut model, &mut state, 3)?;
            near(&model.parameters()?, &whole, &format!("{optimizer:?}"));
            if target.info().kind == device.info().kind {
                assert_eq!((model.parameters()?, state.export(&shapes)?), (whole.clone(), last.clone()));
            }
        }
    }
    Ok(())
}

fn one_state_one_model(device: &Device) -> Result<(), Failed> {
    let (x, y) = batch(device)?;
    let mut state = OptimizerState::new(Optimizer::adam(1e-2));
    Mlp::new(device, &[FEATURES, 8, CLASSES], 3)?.train_step(&x, &y, &mut state)?;
    let error = Mlp::new(device, &[FEATURES, 300, CLASSES], 3)?.train_step(&x, &y, &mut state).err();
    assert!(matches!(error, Some(Error::Shape { op: "adam", .. })), "{error:?}");
    Ok(())
}
