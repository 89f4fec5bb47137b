//! What goes wrong on a device is a typed error, the same as on the CPU path where both can have it, and the next call
//! works. Matrices travel unchanged, and a device that the caller handed over stays the caller's too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use ndarray::{Array2, ArrayView2, array, s};
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy, Head};
use wgpu_mlp::{Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Plan, Result, Targets, verify, wgpu};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    let small_bindings = || GpuOptions { max_binding_bytes: Some(1 << 16), ..Default::default() };
    let small_buffers = || GpuOptions { max_buffer_bytes: Some(1 << 16), ..Default::default() };
    let single = || GpuOptions { max_workgroups_per_dimension: Some(1), ..Default::default() };
    vec![
        common::trial("operands on two devices", plain(), other_devices),
        common::trial("matrices larger than a binding work", small_bindings(), larger_than_a_binding),
        common::trial("matrices too large for a buffer", small_buffers(), too_large_for_a_buffer),
        common::trial("buffers of odd and of hardly any size", plain(), odd_buffers),
        common::trial("grids too large to launch", single(), too_many_workgroups),
        common::trial("limits that leave nothing", plain(), silly_limits),
        common::trial("bad input is told as on the CPU path", plain(), told_as_on_the_cpu),
        common::trial("matrices come back as they went", plain(), round_trips),
        common::trial("a device of the caller's", plain(), handed_over),
        common::trial("devices too small for some kernel", plain(), too_small),
        common::trial("a device that is destroyed", plain(), destroyed),
        common::trial("a device that is destroyed at work", plain(), destroyed_at_work),
        common::trial("a model outlives its device", plain(), outlived),
    ]
}

fn ones(device: &Device, rows: usize, cols: usize) -> Matrix {
    Matrix::from_array(device, Array2::ones((rows, cols)).view()).unwrap()
}

/// A product that must be right, whatever went wrong before.
fn still_works(device: &Device) {
    let a = Matrix::from_slice(device, 2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let product = ops::matmul_nt(&a, &a).unwrap().to_array().unwrap();
    assert_eq!(product, array![[14.0, 32.0], [32.0, 77.0]]);
}

/// Fails unless the call fails; gives its error.
#[track_caller]
fn refused<T>(outcome: Result<T>) -> Error {
    outcome.err().expect("an error")
}

type Call = fn(&Device, &Device) -> Result<()>;

/// Calls with an operand on each device: an op's name, and the op.
const MIXED: &[(&str, Call)] = &[
    ("matmul", |a, b| ops::matmul(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("matmul_tn", |a, b| ops::matmul_tn(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("matmul_nt", |a, b| ops::matmul_nt(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("linear", |a, b| ops::linear(&ones(a, 2, 2), &ones(b, 2, 2), &ones(a, 1, 2), Activation::None).map(drop)),
    ("linear", |a, b| ops::linear(&ones(a, 2, 2), &ones(a, 2, 2), &ones(b, 1, 2), Activation::None).map(drop)),
    ("bias_add", |a, b| ops::bias_add(&ones(a, 2, 2), &ones(b, 1, 2)).map(drop)),
    ("relu_backward", |a, b| ops::relu_backward(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("softmax_backward", |a, b| ops::softmax_backward(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("sgd", |a, b| ops::sgd(&mut ones(a, 2, 2), &ones(b, 2, 2), 0.1)),
    ("adam", |a, b| {
        let (mut w, mut m, mut v) = (ones(a, 1, 1), ones(a, 1, 1), ones(b, 1, 1));
        ops::adam(&mut w, &ones(a, 1, 1), &mut m, &mut v, &AdamOptions::default(), 1)
    }),
    ("momentum", |a, b| ops::momentum(&mut ones(a, 1, 1), &ones(a, 1, 1), &mut ones(b, 1, 1), &Default::default())),
    ("adagrad", |a, b| ops::adagrad(&mut ones(a, 1, 1), &ones(b, 1, 1), &mut ones(a, 1, 1), &Default::default())),
    ("rmsprop", |a, b| ops::rmsprop(&mut ones(a, 1, 1), &ones(b, 1, 1), &mut ones(b, 1, 1), &Default::default())),
    ("clip_scale", |a, b| ops::clip_scale(&[&ones(a, 1, 1), &ones(b, 1, 1)], 1.0).map(drop)),
    ("nll", |a, b| ops::nll(&ones(a, 2, 2), &Targets::classes(b, &[0u8, 1], 2)?).map(drop)),
    ("nll_backward", |a, b| ops::nll_backward(&ones(a, 1, 1), &shares(b)).map(drop)),
    ("accuracy", |a, b| ops::accuracy(&ones(a, 1, 1), &shares(b)).map(drop)),
    ("softmax_cross_entropy", |a, b| {
        ops::softmax_cross_entropy(&ones(a, 1, 1), &shares(b), &CrossEntropy::default()).map(drop)
    }),
    ("softmax_cross_entropy", |a, b| {
        let options = CrossEntropy { class_weights: Some(ones(b, 1, 1)), ..Default::default() };
        ops::softmax_cross_entropy(&ones(a, 1, 1), &shares(a), &options).map(drop)
    }),
    ("dense", |a, b| Dense::from_parameters(ones(a, 2, 2), ones(b, 1, 2)).map(drop)),
];

fn shares(device: &Device) -> Targets {
    Targets::distributions(device, array![[1.0]].view()).unwrap()
}

fn other_devices(device: &Device) -> Result<(), Failed> {
    let second = common::device(&GpuOptions::default())?;
    let cpu = Device::cpu();
    for (left, right) in [(device, &cpu), (&cpu, device), (device, &second)] {
        for (name, call) in MIXED {
            let error = refused(call(left, right));
            assert!(matches!(error, Error::OtherDevice { op, .. } if op == *name), "{name}: {error:?}");
            let (left, right) = (&left.info().name, &right.info().name);
            let words = format!("{name}: both operands must live on one device; got one on {left} and one on {right}");
            assert_eq!(error.to_string(), words);
        }
        still_works(device);
    }
    MIXED.iter().for_each(|(name, call)| call(device, &device.clone()).expect(name));
    Ok(())
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
    let words = |op| format!("{op}: needs 65540 bytes in one buffer; the device allows 65536");
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
    // What just fits is worked on to its last element.
    let full = ops::relu(&ones(device, 128, 128))?;
    assert_eq!(ops::column_sum(&full)?.to_array()?, Array2::from_elem((1, 128), 128.0));
    still_works(device);
    Ok(())
}

/// Whatever the largest buffer, a call works or says that it is too small.
fn odd_buffers(_: &Device) -> Result<(), Failed> {
    for bytes in [0, 1, 4, 7, 24, 63, 100, 256, 999, 1000, 4097] {
        for guarded_buffers in [false, true] {
            let limit = Some(bytes);
            let options = GpuOptions { max_buffer_bytes: limit, guarded_buffers, ..Default::default() };
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
    assert_eq!(error.to_string(), format!("relu: needs {needed} workgroups; the device allows 1"));
    assert!(matches!(refused(ops::softmax(&ones(device, 999, 99))), Error::Limit { op: "softmax", .. }));
    assert!(matches!(refused(ops::matmul(&ones(device, 300, 1), &ones(device, 1, 300))), Error::Limit { .. }));
    assert_eq!(ops::relu(&ones(device, 7, 9))?.to_array()?, Array2::<f32>::ones((7, 9)));
    still_works(device);
    Ok(())
}

fn silly_limits(device: &Device) -> Result<(), Failed> {
    for bytes in [0, 1, 255] {
        let options = GpuOptions { max_binding_bytes: Some(bytes), ..Default::default() };
        let rule = "at least 256 and the device's offset alignment";
        let words = format!("device: max_binding_bytes must be {rule}; got {bytes}");
        assert_eq!(refused(Device::gpu_with(&options)).to_string(), words);
    }
    let options = GpuOptions { max_workgroups_per_dimension: Some(0), ..Default::default() };
    let words = "device: max_workgroups_per_dimension must be at least 1; got 0";
    assert_eq!(refused(Device::gpu_with(&options)).to_string(), words);
    let least = GpuOptions { max_binding_bytes: Some(256), ..Default::default() };
    still_works(&common::device(&least)?);
    // Limits above the device's own change nothing.
    let (bytes, groups) = (Some(u64::MAX), Some(u32::MAX));
    let options = GpuOptions {
        max_binding_bytes: bytes,
        max_buffer_bytes: bytes,
        max_memory_bytes: bytes,
        max_workgroups_per_dimension: groups,
        ..Default::default()
    };
    let open = common::device(&options)?;
    assert_eq!(open.info().max_binding_bytes, device.info().max_binding_bytes);
    assert_eq!(open.info().max_buffer_bytes, device.info().max_buffer_bytes);
    still_works(&open);
    Ok(())
}

fn told_as_on_the_cpu(device: &Device) -> Result<(), Failed> {
    let calls: &[fn(&Device) -> Result<()>] = &[
        |d| ops::matmul(&ones(d, 2, 3), &ones(d, 2, 3)).map(drop),
        |d| ops::linear(&ones(d, 2, 3), &ones(d, 3, 4), &ones(d, 1, 5), Activation::Relu).map(drop),
        |d| ops::bias_add(&ones(d, 2, 3), &ones(d, 2, 3)).map(drop),
        |d| ops::softmax_backward(&ones(d, 2, 3), &ones(d, 3, 2)).map(drop),
        |d| ops::sgd(&mut ones(d, 2, 3), &ones(d, 2, 3), f64::NAN),
        |d| ops::momentum(&mut ones(d, 2, 3), &ones(d, 2, 3), &mut ones(d, 3, 2), &Default::default()),
        |d| ops::clip_scale(&[&ones(d, 2, 3)], -1.0).map(drop),
        |d| ops::nll(&ones(d, 2, 3), &Targets::classes(d, &[0u8; 3], 3)?).map(drop),
        |d| ops::accuracy(&ones(d, 2, 3), &shares(d)).map(drop),
        |d| Targets::classes(d, &[0i16, 7, -1], 7).map(drop),
        |d| Targets::distributions(d, array![[0.0, f32::NAN]].view()).map(drop),
        |d| Matrix::from_slice(d, usize::MAX, 2, &[0.0]).map(drop),
        |d| Matrix::from_array(d, Array2::zeros((0, 3)).view()).map(drop),
        |d| Mlp::new(d, &[usize::MAX, 3], 0).map(drop),
        |d| Mlp::new(d, &[2, 3], 0)?.predict(Array2::zeros((1, 3)).view()).map(drop),
        |d| Mlp::new(d, &[1, 2], 0)?.fit(array![[0.0]].view(), &[2u8], &FitOptions::default()).map(drop),
    ];
    for call in calls {
        assert_eq!(refused(call(device)).to_string(), refused(call(&Device::cpu())).to_string());
        still_works(device);
    }
    Ok(())
}

fn round_trips(device: &Device) -> Result<(), Failed> {
    let specials = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-45, -1e-39, f32::MAX, 0.1];
    let check = |array: ArrayView2<'_, f32>| -> Result<(), Failed> {
        let back = Matrix::from_array(device, array)?.to_array()?;
        assert!(common::same_bits(&[back], &[array.to_owned()]), "{:?} came back changed", array.dim());
        Ok(())
    };
    for (rows, cols) in [(1, 1), (1, 3), (3, 1), (5, 7), (63, 65), (64, 64), (257, 31), (1, 100_003), (100_003, 1)] {
        let array = Array2::from_shape_fn((rows, cols), |(r, c)| match (r * cols + c) % 17 {
            i if i < specials.len() => specials[i],
            i => (r * 31 + c + i) as f32,
        });
        check(array.view())?;
        check(array.t())?;
        check(array.slice(s![..;-1, ..;2]))?;
        check(array.slice(s![..1, ..]).broadcast((9, cols)).unwrap())?;
    }
    if common::full_cases() {
        check(Array2::from_shape_fn((4099, 4097), |(r, c)| (r ^ c) as f32).view())?; // more than one staging buffer
    }
    Ok(())
}

fn handed_over(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let (device, raw, queue) = (yours.share()?, &yours.device, &yours.queue);
    assert_eq!((&device.info().name, device.info().kind), (&like.info().name, like.info().kind));
    assert_eq!(device.info().reason, "handed over by the caller");
    still_works(&device);
    // The caller works with the device too, while an op is recorded but not yet done.
    let waiting = ops::relu(&ones(&device, 3, 5))?;
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let describe = |usage| wgpu::BufferDescriptor { label: None, size: 8, usage, mapped_at_creation: false };
    let buffer = raw.create_buffer(&describe(usage));
    queue.write_buffer(&buffer, 0, &[1, 2, 3, 4, 5, 6, 7, 8]);
    queue.submit([]);
    buffer.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("mapped"));
    raw.poll(wgpu::PollType::wait_indefinitely())?;
    assert_eq!(buffer.get_mapped_range(..)?[..], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(waiting.to_array()?, Array2::<f32>::ones((3, 5)));
    // An error of the caller's that nobody catches comes back from the next call, once.
    let _ = raw.create_buffer(&describe(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE));
    assert!(matches!(refused(Matrix::zeros(&device, 1, 1)), Error::Device { .. }));
    still_works(&device);

    let yours = common::yours(like, |_| wgpu::Limits::downlevel_defaults());
    let error = refused(yours.share());
    assert_eq!(error.to_string(), "device: needs 8 storage buffers a stage; the device allows 4");
    Ok(())
}

/// A device whose limits are below what some kernels need: told when it is handed over, not by the op that comes to it first.
fn too_small(like: &Device) -> Result<(), Failed> {
    type Lower = fn(wgpu::Limits) -> wgpu::Limits;
    let lowered: [(&str, Lower); 2] = [
        ("needs 256 threads a workgroup; the device allows 128", |limits| wgpu::Limits {
            max_compute_invocations_per_workgroup: 128,
            ..limits
        }),
        ("needs 9472 bytes of workgroup memory; the device allows 8192", |limits| wgpu::Limits {
            max_compute_workgroup_storage_size: 8 << 10,
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

/// What was made while the device was there.
struct Belongings {
    x: Matrix,
    targets: Targets,
    head: Head,
    model: Mlp,
    dense: Dense,
    file: tempfile::NamedTempFile,
}

fn belongings(device: &Device) -> Result<Belongings, Failed> {
    let x = ones(device, 4, 4);
    let targets = Targets::classes(device, &[0u8, 1, 2, 3], 4)?;
    let head = ops::softmax_cross_entropy(&x, &targets, &CrossEntropy::default())?;
    let model = Mlp::new(device, &[4, 5, 4], 0)?;
    let file = tempfile::NamedTempFile::new()?;
    model.save(file.path())?;
    let mut dense = Dense::from_parameters(ones(device, 4, 4), ones(device, 1, 4))?;
    dense.forward(&x)?;
    Ok(Belongings { x, targets, head, model, dense, file })
}

/// A call after the device has gone.
type LateCall = fn(&mut Belongings) -> Result<()>;

/// Every call that has to do with the device, whether it waits for it or only records.
const AFTER_THE_END: &[(&str, LateCall)] = &[
    ("from_array", |b| Matrix::from_array(b.x.device(), array![[1.0, 2.0]].view()).map(drop)),
    ("from_slice", |b| Matrix::from_slice(b.x.device(), 1, 2, &[1.0, 2.0]).map(drop)),
    ("from_slice, pooled", |b| Matrix::from_slice(b.x.device(), 4, 4, &[1.0; 16]).map(drop)),
    ("zeros", |b| Matrix::zeros(b.x.device(), 3, 3).map(drop)),
    ("to_array", |b| b.x.to_array().map(drop)),
    ("classes", |b| Targets::classes(b.x.device(), &[0u8], 2).map(drop)),
    ("distributions", |b| Targets::distributions(b.x.device(), array![[1.0]].view()).map(drop)),
    ("to_classes", |b| b.targets.to_classes().map(drop)),
    ("stats", |b| b.head.stats().map(drop)),
    ("losses", |b| b.head.losses().to_array().map(drop)),
    ("matmul", |b| ops::matmul(&b.x, &b.x).map(drop)),
    ("matmul_tn", |b| ops::matmul_tn(&b.x, &b.x).map(drop)),
    ("matmul_nt", |b| ops::matmul_nt(&b.x, &b.x).map(drop)),
    ("linear", |b| ops::linear(&b.x, &b.x, b.dense.biases(), Activation::Relu).map(drop)),
    ("bias_add", |b| ops::bias_add(&b.x, b.dense.biases()).map(drop)),
    ("column_sum", |b| ops::column_sum(&b.x).map(drop)),
    ("relu", |b| ops::relu(&b.x).map(drop)),
    ("relu_mask", |b| ops::relu_mask(&b.x).map(drop)),
    ("relu_backward", |b| ops::relu_backward(&b.x, &b.x).map(drop)),
    ("softmax", |b| ops::softmax(&b.x).map(drop)),
    ("log_softmax", |b| ops::log_softmax(&b.x).map(drop)),
    ("softmax_backward", |b| ops::softmax_backward(&b.x, &b.x).map(drop)),
    ("nll", |b| ops::nll(&b.x, &b.targets).map(drop)),
    ("nll_backward", |b| ops::nll_backward(&b.x, &b.targets).map(drop)),
    ("head", |b| ops::softmax_cross_entropy(&b.x, &b.targets, &CrossEntropy::default()).map(drop)),
    ("argmax", |b| ops::argmax(&b.x).map(drop)),
    ("accuracy", |b| ops::accuracy(&b.x, &b.targets).map(drop)),
    ("sgd", |b| ops::sgd(&mut b.x.clone(), &b.x, 0.1)),
    ("sgd in place", |b| {
        let dw = b.dense.weights().clone();
        ops::sgd(&mut b.x, &dw, 0.1)
    }),
    ("adam", |b| {
        let clone = || b.x.clone();
        ops::adam(&mut clone(), &b.x, &mut clone(), &mut clone(), &AdamOptions::default(), 1)
    }),
    ("momentum", |b| ops::momentum(&mut b.x.clone(), &b.x, &mut b.x.clone(), &Default::default())),
    ("adagrad", |b| ops::adagrad(&mut b.x.clone(), &b.x, &mut b.x.clone(), &Default::default())),
    ("rmsprop", |b| ops::rmsprop(&mut b.x.clone(), &b.x, &mut b.x.clone(), &Default::default())),
    ("clip_scale", |b| ops::clip_scale(&[&b.x], 1.0).map(drop)),
    ("dense forward", |b| b.dense.forward(&b.x).map(drop)),
    ("dense backward", |b| b.dense.backward(&b.x).map(drop)),
    ("wait", |b| b.x.device().wait()),
    ("flush", |b| b.x.device().flush()),
    ("wrap_matrix", |b| {
        let (buffer, _) = Device::buffer_of(&b.x).expect("a buffer");
        b.x.device().wrap_matrix(buffer, 4, 4).map(drop)
    }),
    ("new model", |b| Mlp::new(b.x.device(), &[2, 2], 0).map(drop)),
    ("parameters", |b| b.model.parameters().map(drop)),
    ("predict", |b| b.model.predict(Array2::ones((3, 4)).view()).map(drop)),
    ("predict_proba", |b| b.model.predict_proba(Array2::ones((3, 4)).view()).map(drop)),
    ("score", |b| b.model.score(Array2::ones((3, 4)).view(), &[0u8; 3]).map(drop)),
    ("fit", |b| b.model.fit(Array2::ones((3, 4)).view(), &[0u8; 3], &FitOptions::default()).map(drop)),
    ("save", |b| b.model.save(b.file.path().with_extension("never"))),
    ("load", |b| Mlp::load(b.x.device(), b.file.path()).map(drop)),
    ("to_device", |b| b.model.to_device(&b.x.device().clone()).map(drop)),
    ("verify", |b| verify::cases()[0].verify(b.x.device(), 0).map(drop)),
];

/// Every call, twice, must say that the device is lost, within a minute.
fn all_say_lost(mut belongings: Belongings) -> Result<(), Failed> {
    let (sender, receiver) = mpsc::channel();
    let calls = thread::spawn(move || {
        for (name, call) in AFTER_THE_END {
            // Nobody listens any more once the time below is up.
            let _ = sender.send((*name, [call(&mut belongings), call(&mut belongings)]));
        }
    });
    for (name, _) in AFTER_THE_END {
        let outcomes = receiver.recv_timeout(Duration::from_secs(60));
        let (_, outcomes) = outcomes.map_err(|_| format!("{name} hangs or panics"))?;
        if !outcomes.iter().all(|outcome| matches!(outcome, Err(Error::DeviceLost { .. }))) {
            return Err(format!("{name}: {outcomes:?}").into());
        }
    }
    calls.join().map_err(|_| "dropping what is left panics".into())
}

fn destroyed(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let device = yours.share()?;
    let belongings = belongings(&device)?;
    device.wait()?;
    yours.device.destroy();
    let plan = Plan::training_step(&device, &[4, 3], &FitOptions::default())?;
    assert!(plan.fits(), "a plan touches no device: {plan}");
    assert_eq!(belongings.model.last_copy().len(), 2);
    all_say_lost(belongings)
}

/// The same while the device is busy. wgpu tells of the loss when the work in flight has ended, so until then a call may
/// still go through; it must not fail in any other way.
fn destroyed_at_work(like: &Device) -> Result<(), Failed> {
    let busy = if common::full_cases() { 700 } else { 200 };
    for (first, (name, call)) in AFTER_THE_END.iter().enumerate() {
        if !common::full() && first % 5 != 0 {
            continue;
        }
        let yours = common::yours(like, wgpu::Adapter::limits);
        let device = yours.share()?;
        let mut belongings = belongings(&device)?;
        let x = Matrix::from_array(&device, common::normal(busy, busy, 1).view())?;
        let products = (0..4).map(|_| ops::matmul(&x, &x)).collect::<Result<Vec<_>>>()?;
        device.flush()?;
        ops::matmul(&x, &x)?; // recorded, not handed over
        yours.device.destroy();
        match call(&mut belongings) {
            Ok(()) | Err(Error::DeviceLost { .. }) => {}
            other => return Err(format!("{name} right after the end: {other:?}").into()),
        }
        drop(products);
        yours.device.poll(wgpu::PollType::wait_indefinitely())?;
        match call(&mut belongings) {
            Err(Error::DeviceLost { .. }) => {}
            other => return Err(format!("{name} once the work has ended: {other:?}").into()),
        }
        if first == 0 {
            all_say_lost(belongings)?;
        }
    }
    Ok(())
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
    // While the device is there, and after.
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
