//! Copies of a model on the host: they can still be used when the device is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use wgpu_mlp::{Device, Epoch, Error, FitOptions, GpuOptions, Mlp, Trainer, wgpu};

use super::errors::refused;
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("a model outlives its device", plain(), outlived),
        common::trial("a copy outlives a device that is lost in a long fit", plain(), lost_in_a_long_fit),
    ]
}

fn outlived(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let device = yours.share()?;
    let (x, labels) = common::clusters(200, 6, 3, 2);
    let mut model = Mlp::new(&device, &[6, 8, 3], 1)?;
    assert_eq!(model.last_copy(), model.parameters()?);
    let untrained = model.last_copy().to_vec();
    model.fit(x.view(), &labels, &FitOptions { epochs: 5, batch: 32, ..Default::default() })?;
    let trained = model.parameters()?;
    assert_eq!(model.last_copy(), trained);
    assert_ne!(model.last_copy(), untrained);
    let (classes, probs) = (model.predict(x.view())?, model.predict_proba(x.view())?);
    let second = common::device(&GpuOptions::default())?;
    // Before the device is lost, and after.
    for lost in [false, true] {
        if lost {
            yours.device.destroy();
            assert!(matches!(refused(model.predict(x.view())), Error::DeviceLost { .. }));
            assert!(matches!(refused(model.parameters()), Error::DeviceLost { .. }));
            assert_eq!(model.last_copy(), trained);
        }
        let on_cpu = model.to_device(&Device::cpu())?;
        assert_eq!(on_cpu.parameters()?, trained);
        let (logits, errors) = common::exact_logits(&x, &trained);
        let (want, bound) = common::exact_softmax(&logits, &errors);
        common::within(&on_cpu.predict_proba(x.view())?, &want, &bound)?;
        common::within(&probs, &want, &bound)?;
        assert_eq!(on_cpu.predict(x.view())?, classes);
        let mut moved = model.to_device(&second)?;
        assert!(common::same_bits(&[moved.predict_proba(x.view())?], std::slice::from_ref(&probs)));
        let history = moved.fit(x.view(), &labels, &FitOptions { epochs: 3, ..Default::default() })?;
        assert!(history.epochs[2].loss < history.epochs[0].loss);
    }
    Ok(())
}

/// A fit that has lasted for more than a second when its device is lost. The model keeps the copy that was made after an epoch.
fn lost_in_a_long_fit(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let (x, labels) = common::clusters(64, 4, 3, 5);
    let mut model = Mlp::new(&yours.share()?, &[4, 5, 3], 0)?;
    let untrained = model.last_copy().to_vec();
    let mut kept = Vec::new();
    let mut watch = |model: &Mlp, epoch: &Epoch| {
        if epoch.index == 0 {
            // The copy after the next epoch is at least a second younger than the last one.
            thread::sleep(Duration::from_millis(1001));
        } else {
            kept = model.parameters()?;
            yours.device.destroy();
        }
        Ok(ControlFlow::Continue(()))
    };
    let options = FitOptions { epochs: 9, batch: 16, ..Default::default() };
    let trained = Trainer::new(&options).callback(&mut watch).fit(&mut model, x.view(), &labels);
    assert!(matches!(trained, Err(Error::DeviceLost { .. })), "{trained:?}");
    assert_eq!(model.last_copy(), kept);
    assert_ne!(kept, untrained);
    assert_eq!(model.to_device(&Device::cpu())?.parameters()?, kept);
    Ok(())
}
