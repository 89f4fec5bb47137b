//! Training on the GPU: without waits, with the same bits every time, and with losses close to those of the CPU path.

use libtest_mimic::Failed;
use ndarray::Array2;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, Activation, CrossEntropy};
use wgpu_mlp::{
    Device, FitOptions, GpuOptions, History, Matrix, Mlp, Optimizer, OptimizerState, Parameters, Penalty, Targets,
};

use crate::common::{self, Trial};

pub(super) const CLASSES: usize = 4;
pub(super) const FEATURES: usize = 12;

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("clones keep their values", plain(), clones_keep_their_values),
        common::trial("the same seed gives the same bits", plain(), same_bits),
        common::trial("losses follow the CPU path", plain(), |device| follows_the_cpu(device, Optimizer::adam(3e-3))),
        common::trial("plain descent follows the CPU path", plain(), |device| {
            follows_the_cpu(device, Optimizer::sgd(0.1))
        }),
        common::trial("initial weights are the same on every device", plain(), same_weights),
        common::trial("threads share a device", plain(), threads),
    ]
}

pub(super) fn optimizers() -> [Optimizer; 7] {
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

/// Clusters around a centre for each class.
pub(super) fn data(rows: usize) -> (Array2<f32>, Vec<u8>) {
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

pub(super) fn step(dense: &mut [Dense; 2], x: &Matrix, y: &Targets) -> Result<(), Failed> {
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

pub(super) fn network(device: &Device) -> Result<([Dense; 2], Matrix, Targets), Failed> {
    let (x, labels) = data(100);
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let first = Dense::new(device, FEATURES, 24, &mut rng)?.with_activation(Activation::Relu);
    let second = Dense::new(device, 24, CLASSES, &mut rng)?;
    Ok(([first, second], Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, CLASSES)?))
}

/// A batch for models of `FEATURES` inputs and `CLASSES` classes, on the device.
pub(super) fn batch(device: &Device) -> Result<(Matrix, Targets), Failed> {
    let (x, labels) = data(64);
    Ok((Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, CLASSES)?))
}

/// Options of all kinds, for a network of so many layers.
pub(super) fn penalties(layers: usize) -> Vec<Penalty> {
    let penalty = |i| {
        let share = 1e-3 * (i % 3) as f64;
        Penalty { l1_weights: share, l2_weights: 2.0 * share, l1_biases: 1e-3, l2_biases: share }
    };
    (0..layers).map(penalty).collect()
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
