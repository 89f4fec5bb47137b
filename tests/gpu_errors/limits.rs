//! Memory that runs out, features larger than the memory, and plans compared with real runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use libtest_mimic::Failed;
use ndarray::{Array2, s};
use wgpu_mlp::{
    ClassWeights, DebugOptions, Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Plan,
    Trainer, ops, verify, wgpu,
};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    let tiny = || GpuOptions {
        debug: DebugOptions { max_binding_bytes: Some(4096), ..Default::default() },
        ..Default::default()
    };
    let little = || GpuOptions { max_memory_bytes: Some(1 << 20), ..Default::default() };
    vec![
        common::trial("a plan is what happens", plain(), planned),
        common::trial("a plan is what happens, in windows", tiny(), planned),
        common::trial("a plan's memory is what a fit takes", plain(), planned_memory),
        common::trial("features larger than the memory", little(), larger_than_memory),
        common::trial("logits larger than the memory", little(), logits_larger_than_memory),
        common::trial("a step for which memory runs out", little(), half_a_step),
        common::trial("more bind groups than are kept, each with its own parameters", plain(), many_dispatches),
        common::trial("commands that no launch submits", plain(), many_commands),
        common::trial("a matrix as large as the device makes buffers", plain(), largest_buffer),
        common::trial("every op within the smallest limits that WebGPU allows", plain(), smallest),
    ]
}

/// Parameters that joined later are updated by a launch of their own, and here there is no memory for the copy that it needs.
fn half_a_step(device: &Device) -> Result<(), Failed> {
    let matrix = |side, seed| Matrix::from_array(device, common::normal(side, side, seed).view());
    let (mut small, small_gradient) = (matrix(8, 1)?, matrix(8, 2)?);
    let (mut large, large_gradient) = (matrix(256, 3)?, matrix(256, 4)?);
    let mut state = OptimizerState::new(Optimizer::sgd(0.1));
    state.step([(&mut small, &small_gradient)].into_iter())?;
    let before = [&small, &large].map(Matrix::to_array);
    let clones = (small.clone(), large.clone(), Matrix::zeros(device, 256, 256)?);
    let both = [(&mut small, &small_gradient), (&mut large, &large_gradient)];
    let error = state.step(both.into_iter()).expect_err("there is no memory");
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    for (matrix, before) in [&small, &large].into_iter().zip(before) {
        assert_eq!(matrix.to_array()?, before?, "as before the step");
    }
    assert_eq!(state.steps(), 1);
    drop(clones);
    state.step([(&mut small, &small_gradient), (&mut large, &large_gradient)].into_iter())?;
    assert_eq!(state.steps(), 2);
    Ok(())
}

fn planned(device: &Device) -> Result<(), Failed> {
    let (x, labels) = (common::normal(120, 9, 1), vec![1u8; 120]);
    for optimizer in [Optimizer::sgd(0.1), Optimizer::adam(0.01)] {
        let options = FitOptions { epochs: 1, batch: 40, optimizer, ..Default::default() };
        let before = device.counters();
        let plan = Plan::training_step(device, &[9, 24, 5], &options)?;
        assert_eq!(device.counters(), before, "planning touches no device");
        assert!(plan.fits() && plan.to_string().contains("parameters"), "{plan}");
        let mut model = Mlp::new(device, &[9, 24, 5], 1)?;
        let before = device.counters().dispatches;
        model.fit(x.view(), &labels, &options)?;
        // The check of the parameters and of the optimizer's state adds to this, once for the whole epoch.
        let look = 2 + optimizer.slots().len() as u64;
        assert_eq!(device.counters().dispatches - before, 3 * plan.dispatches as u64 + look, "{plan}");
        let careless = FitOptions { stop_on_non_finite: false, ..options };
        let before = device.counters().dispatches;
        model.fit(x.view(), &labels, &careless)?;
        assert_eq!(device.counters().dispatches - before, 3 * plan.dispatches as u64, "{plan}");
    }
    let plan = Plan::prediction(device, &[9, 24, 5], 120)?;
    let before = device.counters().dispatches;
    Mlp::new(device, &[9, 24, 5], 1)?.predict(x.view())?;
    assert_eq!(device.counters().dispatches - before, plan.dispatches as u64, "{plan}");
    Ok(())
}

/// Many matrices, each with its own rate, then all again with other rates, without a wait in between.
fn many_dispatches(device: &Device) -> Result<(), Failed> {
    let gradient = Matrix::from_slice(device, 1, 4, &[1.0; 4])?;
    let mut matrices = (0..1100).map(|_| Matrix::zeros(device, 1, 4)).collect::<Result<Vec<_>, _>>()?;
    for scale in [1.0, 0.25, 0.25] {
        for (number, matrix) in matrices.iter_mut().enumerate() {
            ops::sgd(matrix, &gradient, scale * number as f64)?;
            ops::sgd(matrix, &gradient, 1.0)?;
        }
    }
    for (number, matrix) in matrices.iter().enumerate() {
        let want = -1.5 * number as f32 - 3.0;
        let got = matrix.to_array()?;
        assert!(got.iter().all(|got| *got == want), "matrix {number}: {got}, {want} wanted");
    }
    Ok(())
}

/// Zeros and small uploads, which take host memory until they are submitted.
fn many_commands(device: &Device) -> Result<(), Failed> {
    type Make = fn(&Device) -> wgpu_mlp::Result<Matrix>;
    let makes: [(&str, Make); 2] = [
        ("zeros", |device| Matrix::zeros(device, 1, 1)),
        ("uploads", |device| Matrix::from_slice(device, 1, 1, &[7.0])),
    ];
    for (name, make) in makes {
        device.flush()?;
        let before = device.counters().submits;
        (0..5000).try_for_each(|_| make(device).map(drop))?;
        assert_eq!(device.counters().submits - before, 1, "5,000 {name}");
    }
    Ok(())
}

/// The size of this buffer is no power of two, and the staging buffers for it must not be larger.
fn largest_buffer(like: &Device) -> Result<(), Failed> {
    const MOST: u64 = 3 << 20;
    let limits = |adapter: &wgpu::Adapter| {
        let limits = adapter.limits();
        let max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(MOST);
        wgpu::Limits { max_buffer_size: MOST, max_storage_buffer_binding_size, ..limits }
    };
    let device = common::yours(like, limits).share()?;
    assert_eq!(device.info().max_buffer_bytes, MOST);
    let x = common::normal(768, 1024, 1);
    let on_device = Matrix::from_array(&device, x.view())?;
    assert_eq!(on_device.to_array()?, x);
    assert_eq!(ops::relu(&on_device)?.to_array()?, x.mapv(|x| x.max(0.0)));
    assert!(matches!(Matrix::zeros(&device, 769, 1024), Err(Error::Limit { allowed: MOST, .. })));
    Ok(())
}

/// The memory of fits on a device of their own, with every option that needs memory.
fn planned_memory(_: &Device) -> Result<(), Failed> {
    let widths = [24, 200, 100, 7];
    let x = common::normal(120, 24, 1);
    let labels: Vec<u32> = (0..120).map(|row| row % 7).collect();
    let plain = FitOptions { epochs: 3, batch: 120, stop_on_non_finite: false, ..Default::default() };
    let guarded = FitOptions { stop_on_non_finite: true, ..plain.clone() };
    let rich = FitOptions {
        dropout: 0.5,
        class_weights: ClassWeights::Balanced,
        ignore_index: Some(3),
        clip_norm: Some(1.0),
        ..guarded.clone()
    };
    let row_weights: Vec<f32> = (0..120).map(|row| 0.5 + (row % 3) as f32).collect();
    let mut peaks = Vec::new();
    for (options, weighted) in [(&plain, false), (&guarded, false), (&rich, false), (&plain, true), (&rich, true)] {
        let device = common::device(&GpuOptions::default())?;
        let trainer = || if weighted { Trainer::new(options).row_weights(&row_weights) } else { Trainer::new(options) };
        let mut model = Mlp::new(&device, &widths, 1)?;
        let plan = trainer().plan(&model)?;
        let plain = Plan::training_step(&device, &widths, options)?;
        assert!(if weighted { plan.peak_bytes > plain.peak_bytes } else { plan.peak_bytes == plain.peak_bytes });
        trainer().fit(&mut model, x.view(), &labels)?;
        let peak = device.counters().peak_memory_bytes;
        assert_eq!(plan.peak_bytes, peak, "{plan}");
        peaks.push(peak);
    }
    // So wide that the choice of the last layer's kernel on software drivers depends on whether they have subgroups.
    let wide = [24, 512, 10];
    let device = common::device(&GpuOptions::default())?;
    let mut model = Mlp::new(&device, &wide, 1)?;
    let plan = Plan::training_step(&device, &wide, &plain)?;
    let before = device.counters().dispatches;
    model.fit(x.view(), &labels, &FitOptions { epochs: 1, ..plain.clone() })?;
    let counters = device.counters();
    assert_eq!(
        (plan.peak_bytes, plan.dispatches as u64),
        (counters.peak_memory_bytes, counters.dispatches - before),
        "{plan}"
    );
    // Weights, biases and Adam's two moments, a second time.
    let copies = 3 * 4 * (24 * 200 + 200 * 100 + 100 * 7);
    assert!(peaks[1] >= peaks[0] + copies && peaks[2] > peaks[1], "{peaks:?}");
    Ok(())
}

fn larger_than_memory(device: &Device) -> Result<(), Failed> {
    let x = common::normal(20_000, 64, 1); // 5 MB; the device may take one
    let error = Matrix::from_array(device, x.view()).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { bytes: 5_120_000, .. }), "{error:?}");
    let labels: Vec<u32> = x.rows().into_iter().map(|row| u32::from(row[0] > 0.0)).collect();
    let mut model = Mlp::new(device, &[64, 8, 2], 1)?;
    let options = FitOptions { epochs: 2, ..Default::default() };
    model.fit(x.view(), &labels, &options)?;
    let cpu = model.to_device(&Device::cpu())?;
    let (got, want) = (model.predict_proba(x.view())?, cpu.predict_proba(x.view())?);
    assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-5));
    let classes = model.predict(x.view())?;
    let of = |probs: &Array2<f32>, r: usize| u32::from(probs[[r, 1]] > probs[[r, 0]]);
    assert!(classes.iter().enumerate().all(|(r, class)| *class == of(&got, r)));
    let hits = classes.iter().zip(&labels).filter(|(class, label)| class == label).count();
    assert_eq!(model.score(x.view(), &labels)?, hits as f64 / 20_000.0);
    assert!(hits > 16_000, "{hits}");
    // Batches of a validation become half as long, whether or not they were planned to be read ahead.
    let validated = |workers| {
        let options = FitOptions { workers, ..options.clone() };
        let trainer = Trainer::new(&options).validation_set(x.view(), &labels);
        let history = trainer.fit(&mut Mlp::new(device, &[64, 8, 2], 1)?, x.view(), &labels)?;
        Ok::<_, Error>(history.epochs.into_iter().map(|epoch| epoch.validation_loss).collect::<Vec<_>>())
    };
    let losses = validated(0)?;
    assert_eq!(losses, validated(2)?);
    let wanted = cpu.evaluate(x.view(), &labels)?.mean_loss();
    assert!(losses[1].is_some_and(|loss| (loss - wanted).abs() < 1e-5), "{losses:?} and {wanted}");
    assert!(device.counters().peak_memory_bytes <= 1 << 20);
    let plan = Plan::prediction(device, &[64, 8, 2], 20_000)?;
    assert!(!plan.fits() && plan.to_string().contains("does not fit"), "{plan}");
    Ok(())
}

/// All rows at once, of which the hidden layer's outputs alone take 2 MB; the device may take one.
fn logits_larger_than_memory(device: &Device) -> Result<(), Failed> {
    let (x, model) = (common::normal(1000, 4, 1), Mlp::new(device, &[4, 512, 3], 1)?);
    let (all, few) = (Matrix::from_array(device, x.view())?, x.slice(s![..10, ..]));
    for _ in 0..2 {
        let refused = model.logits(&all).map(drop);
        assert!(matches!(refused, Err(Error::OutOfMemory { .. })), "{refused:?}");
        // The device can still be used, and predictions go on with fewer rows at a time.
        let logits = model.logits(&Matrix::from_array(device, few)?)?;
        assert_eq!(ops::argmax(&logits)?.to_classes()?, model.predict(few)?);
        assert_eq!(model.predict(x.view())?[..10], model.predict(few)?);
    }
    assert!(device.counters().peak_memory_bytes <= 1 << 20);
    Ok(())
}

/// Bindings of 128 MiB, 16 KiB of workgroup memory, 256 threads and 8 storage buffers, as browsers promise them everywhere.
fn smallest(like: &Device) -> Result<(), Failed> {
    if common::is_slow() && !common::full() {
        common::say("skipped: every op within the smallest limits, which takes --full on a slow stack");
        return Ok(());
    }
    let least = |adapter: &wgpu::Adapter| wgpu::Limits::default().or_worse_values_from(&adapter.limits());
    let device = common::yours(like, least).share()?;
    let report = verify::run_with(&device, &verify::Options { full: false, ..Default::default() })?;
    assert!(report.passed(), "{report}");
    let (ran, possible) = report.variants();
    assert_eq!(ran.len(), possible, "{report}");
    Ok(())
}
