//! The kernels that are compiled before the first step of a training are exactly those that the training launches.

use std::collections::BTreeSet;

use libtest_mimic::Failed;
use wgpu_mlp::ops::CrossEntropy;
use wgpu_mlp::{
    ClassWeights, Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Parameters,
    StepOptions, Targets,
};

use crate::common::{self, Trial};

const BATCH: usize = 64;
/// Two batches, and a shorter one.
const ROWS: usize = 2 * BATCH + 17;
const WIDTHS: [usize; 4] = [12, 24, 16, 4];
const CLASSES: usize = WIDTHS[WIDTHS.len() - 1];

pub fn trials() -> Vec<Trial> {
    let plain = FitOptions { epochs: 1, batch: BATCH, optimizer: Optimizer::sgd(0.1), ..Default::default() };
    let clipped = FitOptions { clip_norm: Some(1.0), optimizer: Optimizer::adam(1e-3), ..plain.clone() };
    let weights = ClassWeights::Each(vec![0.5; CLASSES]);
    let kinds = [
        ("plain", plain.clone()),
        ("with dropout", FitOptions { dropout: 0.5, optimizer: Optimizer::momentum(0.1, 0.9), ..plain.clone() }),
        ("clipped", clipped.clone()),
        ("clipped, with dropout", FitOptions { dropout: 0.5, ..clipped }),
        ("without a look", FitOptions { stop_on_non_finite: false, ..plain.clone() }),
        ("with weights of classes", FitOptions { class_weights: weights, ..plain.clone() }),
        ("smoothed", FitOptions { label_smoothing: 0.1, ignore_index: Some(1), ..plain }),
    ];
    kinds.into_iter().flat_map(|(name, options)| trials_of(name, options)).collect()
}

fn trials_of(name: &str, options: FitOptions) -> [Trial; 2] {
    let (step, fit) = (options.clone(), options);
    [
        common::trial(format!("a step {name} finds its kernels"), GpuOptions::default(), move |device| {
            finds_its_kernels(device, &step)
        }),
        common::trial(
            format!("nothing too many is compiled for a training {name}"),
            GpuOptions::default(),
            move |device| nothing_too_many(device, &fit),
        ),
    ]
}

/// Through OpenGL each kernel is compiled when it is launched.
fn compiles_ahead(device: &Device) -> bool {
    let ahead = device.info().backend != "gl";
    if !ahead {
        common::say(
            "skipped: kernels ahead of their steps, which OpenGL's one thread at a time keeps from being compiled",
        );
    }
    ahead
}

/// The kernels that were compiled, without the name of the op that compiled each first, which depends on chance.
fn compiled(device: &Device) -> BTreeSet<String> {
    device
        .kernels()
        .into_iter()
        .map(|kernel| format!("{:?} {:?} {}", kernel.form, kernel.constants, kernel.wgsl))
        .collect()
}

/// Names of the kernels that one of the devices has compiled and the other has not.
fn differing(left: &Device, right: &Device) -> Vec<String> {
    let (of_left, of_right) = (compiled(left), compiled(right));
    let first_line = |kernel: &String| kernel.lines().next().unwrap_or_default().to_owned();
    of_left.symmetric_difference(&of_right).map(first_line).collect()
}

fn step_options(device: &Device, options: &FitOptions) -> Result<StepOptions, Failed> {
    let class_weights = match &options.class_weights {
        ClassWeights::Each(weights) => Some(Matrix::from_slice(device, 1, CLASSES, weights)?),
        _ => None,
    };
    let FitOptions { label_smoothing, dropout, .. } = *options;
    let loss = CrossEntropy { class_weights, label_smoothing, ..Default::default() };
    Ok(StepOptions { loss, dropout, seed: 1 })
}

/// A step that is refused because its features are on another device has compiled its kernels by then. The next step, which is
/// accepted, compiles none.
fn finds_its_kernels(device: &Device, options: &FitOptions) -> Result<(), Failed> {
    if !compiles_ahead(device) {
        return Ok(());
    }
    let mut model = Mlp::new(device, &WIDTHS, 1)?;
    let mut state = OptimizerState::new(options.optimizer);
    if let Some(norm) = options.clip_norm {
        state = state.with_clip_norm(norm);
    }
    let step = step_options(device, options)?;
    let labels: Vec<u8> = (0..BATCH).map(|row| (row % CLASSES) as u8).collect();
    let targets = Targets::classes(device, &labels, CLASSES)?;
    let elsewhere = Matrix::zeros(&Device::cpu(), BATCH, WIDTHS[0])?;
    let refused = model.train_step_with(&elsewhere, &targets, &step, &mut state);
    assert!(matches!(refused, Err(Error::OtherDevice { .. })));
    let ahead = device.counters().pipelines;
    assert!(ahead > 2, "{ahead} kernels are compiled ahead of a step");
    let x = Matrix::from_array(device, common::normal(BATCH, WIDTHS[0], 2).view())?;
    model.train_step_with(&x, &targets, &step, &mut state)?.read()?;
    assert_eq!(device.counters().pipelines - ahead, 0, "kernels that a step misses");
    Ok(())
}

/// An awaited training compiles each kernel when it needs it: the same kernels as a blocking training.
fn nothing_too_many(device: &Device, options: &FitOptions) -> Result<(), Failed> {
    if !compiles_ahead(device) {
        return Ok(());
    }
    let other = common::device(&GpuOptions::default())?;
    let (x, labels) = common::clusters(ROWS, WIDTHS[0], CLASSES, 3);
    let (mut model, mut slow) = (Mlp::new(device, &WIDTHS, 1)?, Mlp::new(&other, &WIDTHS, 1)?);
    model.fit(x.view(), &labels, options)?;
    pollster::block_on(slow.fit_async(x.view(), &labels, options))?;
    assert_eq!(differing(device, &other), Vec::<String>::new());
    let parameters = [model.parameters()?, slow.parameters()?];
    let [all, alike] = parameters.map(arrays);
    assert!(common::same_bits(&all, &alike), "the parameters differ");
    Ok(())
}

fn arrays(layers: Vec<Parameters>) -> Vec<ndarray::Array2<f32>> {
    layers.into_iter().flat_map(|layer| [layer.weights, layer.biases]).collect()
}
