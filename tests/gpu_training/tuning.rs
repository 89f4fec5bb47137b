//! Tuning: it runs only when it is called, results are right whichever kernel wins, and the choice is kept.

use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use wgpu_mlp::{DebugOptions, Device, Error, FitOptions, GpuOptions, Matrix, Mlp, ops};

use crate::common::{self, Trial};

const SHAPES: [[usize; 3]; 3] = [[130, 70, 20], [33, 65, 17], [120, 48, 90]];

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("winners are right, and kept for the next time", plain(), kept),
        common::trial("nothing is tuned unless asked for", plain(), untuned),
        common::trial("a tuned model learns", plain(), learns),
        common::trial("shapes that there is no room for are refused", plain(), no_room),
    ]
}

fn folder() -> Result<tempfile::TempDir, Failed> {
    tempfile::tempdir().map_err(|error| error.to_string().into())
}

fn no_room(device: &Device) -> Result<(), Failed> {
    for shape in [[usize::MAX, 1, 1], [1, usize::MAX, 1], [1 << 40, 1, 1], [1 << 20, 1, 1 << 20]] {
        let tuned = device.tune(&[[8, 8, 8], shape]);
        assert!(matches!(tuned, Err(Error::Limit { .. } | Error::HostMemory { .. })), "{shape:?}: {tuned:?}");
    }
    Ok(())
}

fn kept(_: &Device) -> Result<(), Failed> {
    let folder = folder()?;
    let options = GpuOptions {
        tuning: Some(folder.path().into()),
        debug: DebugOptions { guarded_buffers: true, ..Default::default() },
        ..Default::default()
    };
    let open = || common::device(&options);
    let products = |device: &Device| -> Result<Vec<_>, Failed> {
        let product = |[m, k, n]: [usize; 3]| {
            let (a, b) = (common::normal(m, k, 1), common::normal(k, n, 2));
            let got = ops::matmul(&Matrix::from_array(device, a.view())?, &Matrix::from_array(device, b.view())?)?;
            let (a, b) = (a.mapv(f64::from), b.mapv(f64::from));
            let bound = a.mapv(f64::abs).dot(&b.mapv(f64::abs)) * ((k as f64 / 2.0 + 2.0) * f64::from(f32::EPSILON));
            let got = got.to_array()?;
            common::within(&got, &a.dot(&b), &bound).map(|()| got).map_err(Failed::from)
        };
        SHAPES.map(product).into_iter().collect()
    };
    let device = open()?;
    let start = Instant::now();
    let found = device.tune(&SHAPES)?;
    let elapsed = start.elapsed();
    assert_eq!(found.len(), SHAPES.len());
    for (tuned, shape) in found.iter().zip(SHAPES) {
        assert_eq!(tuned.shape, shape);
        assert!((2..=8).contains(&tuned.candidates.len()) && tuned.winner.is_some(), "{tuned}");
        // This holds for any clock.
        let times = tuned.candidates.iter().filter_map(|(_, time)| *time);
        assert!(times.clone().all(|time| time > Duration::ZERO) && times.sum::<Duration>() < elapsed, "{tuned}");
        let fastest = tuned.candidates.iter().filter(|(_, time)| time.is_some()).min_by_key(|(_, time)| *time);
        assert_eq!(fastest.map(|(kernel, _)| *kernel), tuned.winner, "{tuned}");
    }
    let first = products(&device)?;
    assert_eq!(std::fs::read_dir(folder.path()).map_err(|error| error.to_string())?.count(), 1);

    // Another device reads what the first one wrote: the same kernels, so the same bits.
    let again = open()?;
    assert!(common::same_bits(&products(&again)?, &first));
    let compiled = again.counters().pipelines;
    assert!(compiled <= 2 * SHAPES.len() as u64, "{compiled} kernels for products that are known");

    // A damaged file is ignored and replaced.
    const DAMAGED: &str = "{ \"version\": 7";
    let mut entries = std::fs::read_dir(folder.path())?;
    let path = entries.next().ok_or("no file")??.path();
    std::fs::write(&path, DAMAGED)?;
    let damaged = open()?;
    products(&damaged)?;
    damaged.tune(&SHAPES[..1])?;
    assert_ne!(std::fs::read_to_string(&path)?, DAMAGED);
    products(&open()?)?;
    Ok(())
}

fn untuned(device: &Device) -> Result<(), Failed> {
    let other = common::device(&GpuOptions::default())?;
    let product = |device: &Device| -> Result<_, Failed> {
        let a = Matrix::from_array(device, common::normal(130, 70, 1).view())?;
        let b = Matrix::from_array(device, common::normal(70, 20, 2).view())?;
        Ok(ops::matmul(&a, &b)?.to_array()?)
    };
    let (before, waits) = (product(device)?, device.counters().waits);
    assert!(common::same_bits(std::slice::from_ref(&before), &[product(device)?]));
    assert_eq!(device.counters().waits, waits + 1);
    // The tuning of one device does not affect the other.
    other.tune(&SHAPES[..1])?;
    assert!(common::same_bits(&[before], &[product(device)?]));
    Ok(())
}

fn learns(device: &Device) -> Result<(), Failed> {
    let (x, labels) = common::clusters(300, 12, 5, 1);
    let mut model = Mlp::new(device, &[12, 16, 5], 1)?;
    device.tune(&model.tuning_shapes(100)[..2])?;
    model.fit(x.view(), &labels, &FitOptions { epochs: 30, batch: 100, ..Default::default() })?;
    assert!(model.score(x.view(), &labels)? > 0.98);
    Ok(())
}
