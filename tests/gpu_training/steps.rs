//! Training on the GPU: without waits, with the same bits every time, along the CPU path's losses.

use libtest_mimic::Failed;
use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, Activation, CrossEntropy};
use wgpu_mlp::{
    Device, DeviceKind, Error, FitOptions, GpuOptions, History, MatmulKernel, Matrix, Mlp, Optimizer, OptimizerState,
    Parameters, Penalty, Targets,
};

use crate::common::{self, Trial};

const CLASSES: usize = 4;
const FEATURES: usize = 12;

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("a training step waits for nothing", plain(), no_waits),
        common::trial("logits of a device's matrix wait for nothing and move nothing", plain(), logits_stay),
        common::trial("a training step is six launches", tiles(), six_launches),
        common::trial("a small training step is five launches on software drivers", plain(), five_launches),
        common::trial("deep models follow the CPU path", plain(), deep),
        common::trial("every optimizer follows the CPU path", plain(), every_optimizer),
        common::trial("every optimizer follows the CPU path, in windows", pieces(), every_optimizer),
        common::trial("parameters apart are clipped and pulled too", plain(), parameters_apart),
        common::trial("a NaN is not clipped away", plain(), not_clipped_away),
        common::trial("a restored state goes on with the same bits", plain(), restored),
        common::trial("a restored state goes on with the same bits, in windows", pieces(), restored),
        common::trial("clones keep their values", plain(), clones_keep_their_values),
        common::trial("an optimizer's state serves one model", plain(), one_state_one_model),
        common::trial("a training loop allocates nothing after its first steps", plain(), no_allocations),
        common::trial("the same seed gives the same bits", plain(), same_bits),
        common::trial("losses follow the CPU path", plain(), |device| follows_the_cpu(device, Optimizer::adam(3e-3))),
        common::trial("plain descent follows the CPU path", plain(), |device| {
            follows_the_cpu(device, Optimizer::sgd(0.1))
        }),
        common::trial("initial weights are the same on every device", plain(), same_weights),
        common::trial("threads share a device", plain(), threads),
    ]
}

fn pieces() -> GpuOptions {
    GpuOptions { max_binding_bytes: Some(256), guarded_buffers: true, ..Default::default() }
}

fn optimizers() -> [Optimizer; 7] {
    [
        Optimizer::sgd(0.1),
        Optimizer::momentum(0.03, 0.9),
        Optimizer::nesterov(0.03, 0.9),
        Optimizer::adagrad(0.05),
        Optimizer::rmsprop(3e-3),
        Optimizer::adam(1e-2),
        Optimizer::adamw(1e-2, 0.1),
    ]
}

/// Clusters round a centre for each class.
fn data(rows: usize) -> (Array2<f32>, Vec<u8>) {
    let mut rng = ChaCha12Rng::seed_from_u64(5);
    let mut draw = |rows| Array2::from_shape_simple_fn((rows, FEATURES), || StandardNormal.sample(&mut rng));
    let (centres, noise): (Array2<f32>, Array2<f32>) = (draw(CLASSES), draw(rows));
    let labels: Vec<u8> = (0..rows).map(|_| rng.random_range(0..CLASSES as u8)).collect();
    let x = Array2::from_shape_fn(noise.dim(), |(r, c)| centres[[labels[r].into(), c]] + noise[[r, c]]);
    (x, labels)
}

fn train(device: &Device, optimizer: Optimizer) -> Result<(History, Mlp), Failed> {
    let (x, labels) = data(500);
    let mut model = Mlp::new(device, &[FEATURES, 24, 16, CLASSES], 3)?;
    let options = FitOptions { epochs: 8, batch: 64, optimizer, ..Default::default() };
    Ok((model.fit(x.view(), &labels, &options)?, model))
}

fn step(dense: &mut [Dense; 2], x: &Matrix, y: &Targets) -> Result<(), Failed> {
    let hidden = dense[0].forward(x)?;
    let head = ops::softmax_cross_entropy(&dense[1].forward(&hidden)?, y, &CrossEntropy::default())?;
    let dhidden = dense[1].backward(head.dlogits())?;
    dense[0].backward(&dhidden)?;
    for layer in dense.iter() {
        for (parameter, gradient) in [(layer.weights(), layer.dweights()), (layer.biases(), layer.dbiases())] {
            let gradient = gradient.ok_or("no gradient")?;
            ops::sgd(&mut parameter.clone(), gradient, 0.1)?;
        }
    }
    Ok(())
}

fn network(device: &Device) -> Result<([Dense; 2], Matrix, Targets), Failed> {
    let (x, labels) = data(100);
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let first = Dense::new(device, FEATURES, 24, &mut rng)?.with_activation(Activation::Relu);
    let second = Dense::new(device, 24, CLASSES, &mut rng)?;
    Ok(([first, second], Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, CLASSES)?))
}

fn no_waits(device: &Device) -> Result<(), Failed> {
    let (mut dense, x, y) = network(device)?;
    let before = device.counters();
    for _ in 0..3 {
        step(&mut dense, &x, &y)?;
    }
    let after = device.counters();
    device.wait()?;
    if after.waits != before.waits || after.dispatches == before.dispatches {
        return Err(format!("{} waits in three steps", after.waits - before.waits).into());
    }
    Ok(())
}

/// Forward passes on features that are on the device: a launch a layer, and the bits of the predictions.
fn logits_stay(device: &Device) -> Result<(), Failed> {
    let (x, _) = data(100);
    let (model, on_device) =
        (Mlp::new(device, &[FEATURES, 24, 16, CLASSES], 3)?, Matrix::from_array(device, x.view())?);
    drop(ops::softmax(&model.logits(&on_device)?)?); // compiles
    device.wait()?;
    let before = device.counters();
    let logits = model.logits(&on_device)?;
    let (probs, classes) = (ops::softmax(&logits)?, ops::argmax(&logits)?);
    let after = device.counters();
    assert_eq!([after.waits - before.waits, after.submits - before.submits], [0; 2]);
    assert_eq!(logits.shape(), (100, CLASSES));
    assert_eq!(probs.to_array()?, model.predict_proba(x.view())?);
    assert_eq!(classes.to_classes()?, model.predict(x.view())?);
    let narrow = Matrix::zeros(device, 2, FEATURES - 1)?;
    assert!(matches!(model.logits(&narrow), Err(Error::Shape { .. })));
    let elsewhere = Matrix::zeros(&Device::cpu(), 2, FEATURES)?;
    assert!(matches!(model.logits(&elsewhere), Err(Error::OtherDevice { .. })));
    Ok(())
}

/// Products as GPUs compute them, on every device.
fn tiles() -> GpuOptions {
    GpuOptions { matmul_kernel: Some(MatmulKernel::Medium), ..Default::default() }
}

/// Two layers: forward, head, two gradients, one backward, one update; and hardly more bytes than these must read and write.
fn six_launches(device: &Device) -> Result<(), Failed> {
    let [batch, inputs, hidden, classes] = [512, 96, 128, 10];
    let mut model = Mlp::new(device, &[inputs, hidden, classes], 1)?;
    let x = Matrix::from_array(device, common::normal(batch, inputs, 1).view())?;
    let labels: Vec<u32> = (0..batch as u32).map(|row| row % classes as u32).collect();
    let y = Targets::classes(device, &labels, classes)?;
    for (optimizer, clips) in optimizers().into_iter().flat_map(|optimizer| [(optimizer, false), (optimizer, true)]) {
        let mut state = OptimizerState::new(optimizer).with_penalties(penalties(2));
        if clips {
            state = state.with_clip_norm(1.0);
        }
        let mut step = || model.train_step(&x, &y, &mut state);
        let first: Vec<_> = (0..3).map(|_| step()).collect::<Result<_, _>>()?;
        drop(first);
        let before = device.counters();
        let statistics = step()?;
        let after = device.counters();
        // The norm takes two more.
        assert_eq!(after.dispatches - before.dispatches, if clips { 8 } else { 6 }, "{optimizer:?}");
        let others =
            [after.submits - before.submits, after.waits - before.waits, after.allocations - before.allocations];
        assert_eq!(others, [0; 3], "submits, waits, allocations");
        assert!(statistics.read()?.mean_loss() > 0.0);
        if clips {
            continue;
        }

        let parameters = inputs * hidden + hidden + hidden * classes + classes;
        let [b, d, h, c] = [batch, inputs, hidden, classes];
        let least = 4 * (2 * b * d + 6 * b * h + 3 * b * c + b + d * h + 2 * h * c + 4 * parameters);
        // The update overwrites what it has read: those words are counted once, and twice in the schedule. What the
        // optimizer keeps comes on top, each word read and written.
        let in_place = 4 * parameters;
        let kept = 4 * optimizer.slots().len() * parameters;
        // The gradients come in slices of 128 rows, so that a GPU has enough workgroups: all but the first cost a write and a read.
        let sliced = 4 * 2 * (batch / 128 - 1) * parameters;
        let bytes = (after.bytes - before.bytes) as usize + in_place - kept - sliced;
        assert!(bytes as f64 <= 1.1 * least as f64, "{bytes} bytes, {least} at least");
    }
    Ok(())
}

/// What a small layer's way back gives comes from one launch, where launches are what costs.
fn five_launches(device: &Device) -> Result<(), Failed> {
    let software = device.info().kind == DeviceKind::SoftwareDriver;
    let (x, y) = batch(device)?;
    let mut model = Mlp::new(device, &[FEATURES, 16, CLASSES], 1)?;
    let mut state = OptimizerState::new(Optimizer::sgd(0.1));
    let before = device.counters().dispatches;
    model.train_step(&x, &y, &mut state)?;
    assert_eq!(device.counters().dispatches - before, if software { 5 } else { 6 });
    Ok(())
}

/// A batch for models of `FEATURES` inputs and `CLASSES` classes, on the device.
fn batch(device: &Device) -> Result<(Matrix, Targets), Failed> {
    let (x, labels) = data(64);
    Ok((Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, CLASSES)?))
}

/// More layers than one launch of an update takes.
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

/// A little of everything, on so many layers.
fn penalties(layers: usize) -> Vec<Penalty> {
    let penalty = |i| {
        let share = 1e-3 * (i % 3) as f64;
        Penalty { l1_weights: share, l2_weights: 2.0 * share, l1_biases: 1e-3, l2_biases: share }
    };
    (0..layers).map(penalty).collect()
}

fn near(got: &[Parameters], want: &[Parameters], what: &str) {
    for (got, want) in got.iter().zip(want) {
        for (got, want) in [(&got.weights, &want.weights), (&got.biases, &want.biases)] {
            let close = got.iter().zip(want).all(|(got, want)| (got - want).abs() <= 1e-4);
            assert!(close, "{what}: {got} and {want}");
        }
    }
}

/// Five steps of each optimizer, as it is and with clipping and penalties.
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

/// Layers of the user's own, whose parameters and gradients are buffers of their own.
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

/// Three steps, a snapshot, three more: on the device the bits of six at once, on the CPU path near them.
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

/// An update changes the model that trains, and neither its clones nor matrices that were taken from it.
fn clones_keep_their_values(device: &Device) -> Result<(), Failed> {
    let (x, y) = batch(device)?;
    let mut model = Mlp::new(device, &[FEATURES, 16, CLASSES], 3)?;
    let mut state = OptimizerState::new(Optimizer::adam(1e-2));
    model.train_step(&x, &y, &mut state)?;
    let (clone, biases) = (model.clone(), model.layers()[1].biases().clone());
    let before = clone.parameters()?;
    model.train_step(&x, &y, &mut state)?;
    assert_eq!(clone.parameters()?, before);
    assert_eq!(biases.to_array()?, before[1].biases);
    let changed =
        |(after, before): (&Parameters, &Parameters)| after.weights != before.weights && after.biases != before.biases;
    assert!(model.parameters()?.iter().zip(&before).all(changed));
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

fn no_allocations(device: &Device) -> Result<(), Failed> {
    let (mut dense, x, y) = network(device)?;
    for _ in 0..20 {
        step(&mut dense, &x, &y)?;
    }
    let before = device.counters();
    for _ in 0..200 {
        step(&mut dense, &x, &y)?;
    }
    let after = device.counters();
    device.wait()?;
    if (after.allocations, after.pipelines) != (before.allocations, before.pipelines) {
        return Err(format!("{} allocations in 200 steps", after.allocations - before.allocations).into());
    }
    Ok(())
}

fn same_bits(device: &Device) -> Result<(), Failed> {
    let parameters = |model: &Mlp| -> Result<Vec<Array2<f32>>, Failed> {
        let layers = model.layers().iter();
        Ok(layers
            .flat_map(|layer| [layer.weights(), layer.biases()])
            .map(Matrix::to_array)
            .collect::<Result<_, _>>()?)
    };
    let ((first, one), (second, two)) = (train(device, Optimizer::default())?, train(device, Optimizer::default())?);
    let losses = |history: &History| history.epochs.iter().map(|epoch| epoch.loss.to_bits()).collect::<Vec<_>>();
    if losses(&first) != losses(&second) || !common::same_bits(&parameters(&one)?, &parameters(&two)?) {
        return Err("two runs with one seed differ".into());
    }
    Ok(())
}

fn follows_the_cpu(device: &Device, optimizer: Optimizer) -> Result<(), Failed> {
    let ((gpu, model), (cpu, twin)) = (train(device, optimizer)?, train(&Device::cpu(), optimizer)?);
    for (gpu, cpu) in gpu.epochs.iter().zip(&cpu.epochs) {
        if (gpu.loss - cpu.loss).abs() > 1e-3 || (gpu.accuracy - cpu.accuracy).abs() > 0.01 {
            return Err(format!("{gpu:?} strays from {cpu:?}").into());
        }
    }
    let (first, last) = (&cpu.epochs[0], &cpu.epochs[cpu.epochs.len() - 1]);
    if last.loss > 0.5 * first.loss || gpu.epochs.len() != cpu.epochs.len() {
        return Err(format!("nothing learnt: {first:?} to {last:?}").into());
    }
    let (x, labels) = data(500);
    let scores = (model.score(x.view(), &labels)?, twin.score(x.view(), &labels)?);
    if (scores.0 - scores.1).abs() > 0.01 {
        return Err(format!("the scores differ: {scores:?}").into());
    }
    Ok(())
}

fn same_weights(device: &Device) -> Result<(), Failed> {
    let weights = |device| -> Result<_, Failed> {
        Ok(Mlp::new(device, &[FEATURES, CLASSES], 9)?.layers()[0].weights().to_array()?)
    };
    if weights(device)? == weights(&Device::cpu())? { Ok(()) } else { Err("the weights differ".into()) }
}

fn threads(device: &Device) -> Result<(), Failed> {
    let outcomes: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let cases = wgpu_mlp::verify::cases();
            for case in cases.iter().filter(|case| case.op == "softmax" && !case.large) {
                let worst = case.verify(device, thread).map_err(|error| error.to_string())?;
                if !worst.passed() {
                    return Err(format!("{case}: {worst}"));
                }
            }
            Ok(())
        };
        let handles: Vec<_> = (0..8).map(|thread| scope.spawn(move || work(thread))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect()
    });
    outcomes.into_iter().collect::<Result<(), String>>().map_err(Failed::from)
}
