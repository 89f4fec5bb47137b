//! Matrices, buffers and grids that are too large for a device: they are an error, or are split.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use libtest_mimic::Failed;
use ndarray::{Array2, array};
use wgpu_mlp::ops::{self, CrossEntropy};
use wgpu_mlp::{
    DebugOptions, Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, OptimizerSnapshot, OptimizerState,
    Plan, Targets, wgpu,
};

use super::errors::{Call, ones, refused, still_works};
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    let small_bindings = || GpuOptions {
        debug: DebugOptions { max_binding_bytes: Some(1 << 16), ..Default::default() },
        ..Default::default()
    };
    let small_buffers = || GpuOptions {
        debug: DebugOptions { max_buffer_bytes: Some(1 << 16), ..Default::default() },
        ..Default::default()
    };
    let single = || GpuOptions {
        debug: DebugOptions { max_workgroups_per_dimension: Some(1), ..Default::default() },
        ..Default::default()
    };
    vec![
        common::trial("matrices larger than a binding work", small_bindings(), larger_than_a_binding),
        common::trial("matrices too large for a buffer", small_buffers(), too_large_for_a_buffer),
        common::trial("buffers of odd and of hardly any size", plain(), odd_buffers),
        common::trial("parameters that no one buffer holds", plain(), parameters_apart),
        common::trial("a restored state that finds no memory stays as it was", plain(), restored_without_memory),
        common::trial("grids too large to launch", single(), too_many_workgroups),
        common::trial("limits that leave nothing", plain(), silly_limits),
        common::trial("devices too small for some kernel", plain(), too_small),
    ]
}

fn larger_than_a_binding(device: &Device) -> Result<(), Failed> {
    assert_eq!(device.info().max_binding_bytes, 1 << 16);
    for (rows, cols) in [(1, 16_385), (16_385, 1), (129, 128), (200, 1000), (2, 40_000)] {
        let x = common::normal(rows, cols, 1);
        assert_eq!(ops::relu(&Matrix::from_array(device, x.view())?)?.to_array()?, x.mapv(|x| x.max(0.0)));
    }
    let column = ones(device, 200, 1);
    assert_eq!(ops::matmul_nt(&column, &column)?.to_array()?, Array2::<f32>::ones((200, 200)));
    assert!(Targets::classes(device, &[0u8; 16_385], 2)?.to_classes()?.iter().all(|class| *class == 0));
    still_works(device);
    Ok(())
}

fn too_large_for_a_buffer(device: &Device) -> Result<(), Failed> {
    assert_eq!(device.info().max_buffer_bytes, 1 << 16);
    let words = |op| format!("{op}: needs 65540 bytes in one buffer; the limit is 65536");
    let row = Array2::ones((1, 16_385));
    assert_eq!(refused(Matrix::from_array(device, row.view())).to_string(), words("matrix"));
    assert_eq!(refused(Matrix::zeros(device, 16_385, 1)).to_string(), words("matrix"));
    assert_eq!(refused(Targets::classes(device, &[0u8; 16_385], 2)).to_string(), words("targets"));
    assert!(matches!(refused(Targets::distributions(device, row.view())), Error::Limit { needed: 65_540, .. }));
    let column = ones(device, 200, 1);
    let error = refused(ops::matmul_nt(&column, &column));
    let expected = matches!(error, Error::Limit { op: "matmul_nt", needed: 160_000, allowed: 65_536, .. });
    assert!(expected, "{error:?}");
    assert!(matches!(refused(Mlp::new(device, &[200, 200, 2], 0)), Error::Limit { .. }));
    for (rows, cols) in [(1 << 40, 1 << 20), (usize::MAX, 2), (usize::MAX, usize::MAX)] {
        assert!(matches!(refused(Matrix::zeros(device, rows, cols)), Error::Limit { op: "matrix", .. }));
    }
    // A matrix that just fits is processed up to its last element.
    let full = ops::relu(&ones(device, 128, 128))?;
    assert_eq!(ops::column_sum(&full)?.to_array()?, Array2::from_elem((1, 128), 128.0));
    still_works(device);
    Ok(())
}

/// For every limit of the buffer size, a call works or reports that the limit is too small.
fn odd_buffers(_: &Device) -> Result<(), Failed> {
    for bytes in [0, 1, 4, 7, 24, 63, 100, 256, 999, 1000, 4097] {
        for guarded_buffers in [false, true] {
            let limit = Some(bytes);
            let options = GpuOptions {
                debug: DebugOptions { max_buffer_bytes: limit, guarded_buffers, ..Default::default() },
                ..Default::default()
            };
            let device = common::device(&options)?;
            let calls: [(&str, Call); 7] = [
                ("relu", |d, _| ops::relu(&Matrix::from_slice(d, 3, 5, &[1.0; 15])?)?.to_array().map(drop)),
                ("zeros", |d, _| Matrix::zeros(d, 1, 1)?.to_array().map(drop)),
                ("softmax", |d, _| ops::softmax(&Matrix::from_slice(d, 2, 50, &[1.0; 100])?)?.to_array().map(drop)),
                ("matmul", |d, _| {
                    let a = Matrix::from_slice(d, 1, 1, &[2.0])?;
                    assert_eq!(ops::matmul(&a, &a)?.to_array()?, array![[4.0]]);
                    Ok(())
                }),
                ("column_sum", |d, _| ops::column_sum(&Matrix::from_slice(d, 9, 7, &[1.0; 63])?)?.to_array().map(drop)),
                ("head", |d, _| {
                    let logits = Matrix::from_slice(d, 2, 2, &[1.0; 4])?;
                    let targets = Targets::classes(d, &[0u8, 1], 2)?;
                    ops::softmax_cross_entropy(&logits, &targets, &CrossEntropy::default())?.stats().map(drop)
                }),
                ("fit", |d, _| {
                    let mut model = Mlp::new(d, &[1, 2], 0)?;
                    model.fit(array![[0.0], [1.0]].view(), &[0u8, 1], &FitOptions::default()).map(drop)
                }),
            ];
            for (name, call) in calls {
                match call(&device, &device) {
                    Ok(()) | Err(Error::Limit { .. }) => {}
                    Err(error) => return Err(format!("{name} with buffers of {bytes} bytes: {error:?}").into()),
                }
            }
            // The largest of them has 400 bytes.
            let enough = if guarded_buffers { 400 + 256 } else { 400 };
            if bytes >= enough {
                calls.iter().take(6).try_for_each(|(_, call)| call(&device, &device))?;
            }
            Plan::training_step(&device, &[3, 2], &FitOptions::default())?;
            Plan::prediction(&device, &[3, 2], 100)?;
        }
    }
    Ok(())
}

fn too_many_workgroups(device: &Device) -> Result<(), Failed> {
    let error = refused(ops::relu(&ones(device, 100, 100)));
    let Error::Limit { op: "relu", what: "workgroups", needed, allowed: 1 } = error else { panic!("{error:?}") };
    assert!(needed > 1);
    assert_eq!(error.to_string(), format!("relu: needs {needed} workgroups; the limit is 1"));
    assert!(matches!(refused(ops::softmax(&ones(device, 999, 99))), Error::Limit { op: "softmax", .. }));
    assert!(matches!(refused(ops::matmul(&ones(device, 300, 1), &ones(device, 1, 300))), Error::Limit { .. }));
    assert_eq!(ops::relu(&ones(device, 7, 9))?.to_array()?, Array2::<f32>::ones((7, 9)));
    still_works(device);
    Ok(())
}

fn silly_limits(device: &Device) -> Result<(), Failed> {
    for bytes in [0, 1, 255] {
        let options = GpuOptions {
            debug: DebugOptions { max_binding_bytes: Some(bytes), ..Default::default() },
            ..Default::default()
        };
        let rule = "at least 256 and the device's offset alignment";
        let words = format!("device: max_binding_bytes must be {rule}; got {bytes}");
        assert_eq!(refused(Device::gpu_with(&options)).to_string(), words);
    }
    let options = GpuOptions {
        debug: DebugOptions { max_workgroups_per_dimension: Some(0), ..Default::default() },
        ..Default::default()
    };
    let words = "device: max_workgroups_per_dimension must be at least 1; got 0";
    assert_eq!(refused(Device::gpu_with(&options)).to_string(), words);
    let least =
        GpuOptions { debug: DebugOptions { max_binding_bytes: Some(256), ..Default::default() }, ..Default::default() };
    still_works(&common::device(&least)?);
    // Limits above the device's own change nothing.
    let (bytes, groups) = (Some(u64::MAX), Some(u32::MAX));
    let options = GpuOptions {
        max_memory_bytes: bytes,
        debug: DebugOptions {
            max_binding_bytes: bytes,
            max_buffer_bytes: bytes,
            max_workgroups_per_dimension: groups,
            ..Default::default()
        },
        ..Default::default()
    };
    let open = common::device(&options)?;
    assert_eq!(open.info().max_binding_bytes, device.info().max_binding_bytes);
    assert_eq!(open.info().max_buffer_bytes, device.info().max_buffer_bytes);
    still_works(&open);
    Ok(())
}

/// A device whose limits are lower than some kernels need: this is an error when the device is handed over, not in the first op
/// that needs more.
fn too_small(like: &Device) -> Result<(), Failed> {
    type Lower = fn(wgpu::Limits) -> wgpu::Limits;
    let lowered: [(&str, Lower); 3] = [
        ("needs 256 threads a workgroup; the limit is 128", |limits| wgpu::Limits {
            max_compute_invocations_per_workgroup: 128,
            ..limits
        }),
        ("needs 9472 bytes of workgroup memory; the limit is 8192", |limits| wgpu::Limits {
            max_compute_workgroup_storage_size: 8 << 10,
            ..limits
        }),
        ("needs 1048576 bytes in one buffer; the limit is 1048572", |limits| wgpu::Limits {
            max_buffer_size: (1 << 20) - 4,
            ..limits
        }),
    ];
    for (words, lower) in lowered {
        let error = refused(common::yours(like, |adapter| lower(adapter.limits())).share());
        assert!(matches!(error, Error::Limit { op: "device", .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("device: {words}"));
    }
    Ok(())
}

/// Parameters that each fit into a buffer but do not fit together: each has its own buffer, their gradients come from other
/// kernels, and training gives the result of one common buffer, except for rounding.
fn parameters_apart(device: &Device) -> Result<(), Failed> {
    const WIDTHS: [usize; 3] = [16, 32, 8];
    let trained = |device: &Device| -> Result<_, Failed> {
        let mut model = Mlp::new(device, &WIDTHS, 3)?;
        let x = Matrix::from_array(device, common::normal(8, WIDTHS[0], 5).view())?;
        let y = Targets::classes(device, &[0u8, 1, 2, 3, 4, 5, 6, 7], WIDTHS[2])?;
        let mut state = OptimizerState::new(Optimizer::momentum(0.1, 0.9)).with_clip_norm(0.5);
        for _ in 0..3 {
            model.train_step(&x, &y, &mut state)?;
        }
        Ok((model.parameters()?, model.layers()[0].weights().wgpu_buffer().expect("a GPU's").0.size()))
    };
    // The largest has 2,048 bytes, and all have 3,584 with their padding.
    let debug = DebugOptions { max_buffer_bytes: Some(3072), ..Default::default() };
    let (apart, alone) = trained(&common::device(&GpuOptions { debug, ..Default::default() })?)?;
    let (joined, shared) = trained(device)?;
    assert!(alone < 3072 && shared >= 3584, "buffers of {alone} and {shared} bytes");
    // Three steps of at most 0.1 times the norm: roundings are some 2^-24 of that, and a gradient left out is more than 1e-3.
    for (apart, joined) in apart.iter().zip(&joined) {
        for (one, other) in [(&apart.weights, &joined.weights), (&apart.biases, &joined.biases)] {
            let furthest = (one - other).fold(0f32, |most, error| most.max(error.abs()));
            assert!(furthest < 1e-6, "parameters {furthest} apart");
        }
    }
    Ok(())
}

/// No part of the snapshot is lost, whichever of Adam's slots is the first that finds no memory.
fn restored_without_memory(_: &Device) -> Result<(), Failed> {
    let adam = Optimizer::adam(0.1);
    let slot = |value| vec![Array2::from_elem((1, 64), value)];
    let snapshot = OptimizerSnapshot { step: 3, slots: vec![slot(0.5), slot(0.25)], ..Default::default() };
    let (mut failed, mut went) = (0, 0);
    for buffers in 2..12 {
        let options = GpuOptions { max_memory_bytes: Some(256 * buffers), ..Default::default() };
        let device = common::device(&options)?;
        let (mut w, dw) = (ones(&device, 1, 64), ones(&device, 1, 64));
        let mut state = OptimizerState::restore(adam, snapshot.clone())?;
        match state.step([(&mut w, &dw)].into_iter()) {
            Err(Error::OutOfMemory { .. }) => {
                assert_eq!(state.export(&[(1, 64)])?, snapshot, "{buffers} buffers");
                failed += 1;
            }
            outcome => {
                outcome?;
                assert_eq!(state.steps(), 4);
                went += 1;
            }
        }
    }
    assert!(failed >= 2 && went >= 2, "{failed} steps without memory, {went} with it");
    Ok(())
}
