//! The cost of a training step on the device, from counters: launches, bytes, waits and allocations.

use libtest_mimic::Failed;
use wgpu_mlp::{
    DebugOptions, Device, DeviceKind, Error, GpuOptions, MatmulKernel, Matrix, Mlp, Optimizer, OptimizerState, Targets,
    ops,
};

use super::steps::{CLASSES, FEATURES, batch, data, network, optimizers, penalties, step};
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("a training step waits for nothing", plain(), no_waits),
        common::trial("logits of a device's matrix wait for nothing and move nothing", plain(), logits_stay),
        common::trial("a training step is six launches", tiles(), six_launches),
        common::trial("a small training step is five launches on software drivers", plain(), five_launches),
        common::trial("a training loop allocates nothing after its first steps", plain(), no_allocations),
    ]
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

/// Forward passes on features that are on the device: one launch for each layer, and the bits of the predictions.
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
    GpuOptions {
        debug: DebugOptions { matmul_kernel: Some(MatmulKernel::Medium), ..Default::default() },
        ..Default::default()
    }
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
        // The norm takes two more launches.
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
        // The update overwrites what it has read: those words are counted once, and twice in the schedule. The optimizer's
        // state is added, with each word read and written.
        let in_place = 4 * parameters;
        let kept = 4 * optimizer.slots().len() * parameters;
        // The gradients come in slices of 128 rows, so that a GPU has enough workgroups: all but the first cost a write and a read.
        let sliced = 4 * 2 * (batch / 128 - 1) * parameters;
        let bytes = (after.bytes - before.bytes) as usize + in_place - kept - sliced;
        assert!(bytes as f64 <= 1.1 * least as f64, "{bytes} bytes, {least} at least");
    }
    Ok(())
}

/// On devices where launches are the main cost, one launch computes all results of a small layer's backward pass.
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
