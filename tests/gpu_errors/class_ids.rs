//! Class ids that the device made, in a buffer of the caller: ids that are no class make the results of their rows NaN.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use libtest_mimic::Failed;
use ndarray::Array2;
use wgpu_mlp::{DebugOptions, Device, Error, GpuOptions, Matrix, ops, wgpu};

use super::callers_buffers::{USAGE, shared};
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let pieces =
        GpuOptions { debug: DebugOptions { max_binding_bytes: Some(768), ..Default::default() }, ..Default::default() };
    vec![
        common::trial("class ids from the device", GpuOptions::default(), device_made),
        common::trial("class ids from the device, in pieces", pieces, device_made),
    ]
}

fn device_made(like: &Device) -> Result<(), Failed> {
    let (yours, device) = shared(like)?;
    let (rows, classes, usage) = (7, 150, USAGE);
    let buffer = |bytes, usage| {
        yours.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    };
    let (ids, labels) = (buffer(28, usage), [3u32, 149, 150, 0, u32::MAX, 77, 1]);
    yours.queue.write_buffer(&ids, 0, bytemuck::cast_slice(&labels));
    let targets = device.wrap_classes(ids, 0, rows, classes)?;
    let mut x = common::normal(rows, classes, 1);
    (x[[0, 3]], x[[5, 77]]) = (20.0, 20.0); // two rows are right
    let logits = Matrix::from_array(&device, x.view())?;
    let bad = [2, 4];
    let spoiled = |result: &Array2<f32>| {
        let nan = |row: usize| result.row(row).iter().all(|x| x.is_nan());
        let clean = |row: usize| result.row(row).iter().all(|x| x.is_finite());
        (0..rows).all(|row| if bad.contains(&row) { nan(row) } else { clean(row) })
    };
    let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
    let stats = head.stats()?;
    assert_eq!((stats.rows, stats.non_finite_rows, stats.first_bad_row), (7, 2, Some(2)));
    assert!(spoiled(&head.losses().to_array()?) && spoiled(&head.dlogits().to_array()?));
    let probs = ops::softmax(&logits)?;
    assert!(spoiled(&ops::nll(&probs, &targets)?.to_array()?));
    assert!(spoiled(&ops::nll_backward(&probs, &targets)?.to_array()?));
    let hit =
        |row: &usize| (0..classes).all(|c| labels[*row] < 150 && x[[*row, c]] <= x[[*row, labels[*row] as usize]]);
    let hits = (0..rows).filter(hit).count();
    assert!(hits >= 2 && stats.correct == hits as u64, "{hits} and {stats:?}");
    assert_eq!(ops::accuracy(&logits, &targets)?, hits as f64 / 7.0);

    let short = device.wrap_classes(buffer(24, usage), 0, rows, classes);
    assert!(matches!(short, Err(Error::Limit { needed: 28, allowed: 24, .. })));
    let useless = device.wrap_matrix(buffer(28, wgpu::BufferUsages::STORAGE), 0, 7, 1);
    assert!(matches!(useless, Err(Error::Combination { .. })));
    // An op in place changes the caller's own buffer.
    let own = buffer(8, usage);
    yours.queue.write_buffer(&own, 0, bytemuck::cast_slice(&[1.0f32, 2.0]));
    let mut w = device.wrap_matrix(own.clone(), 0, 1, 2)?;
    ops::sgd(&mut w, &Matrix::from_slice(&device, 1, 2, &[2.0, 2.0])?, 0.5)?;
    assert_eq!(w.wgpu_buffer(), Some((own, 0)));
    assert_eq!(w.to_array()?, ndarray::array![[0.0, 1.0]]);
    Ok(())
}
