//! What goes wrong on a device is a typed error, the same as on the CPU path where both can have it, and the next call
//! works. Matrices travel unchanged, and a device that the caller handed over stays the caller's too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use ndarray::{Array2, ArrayView2, array, s};
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy};
use wgpu_mlp::{Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Result, Targets, wgpu};

fn main() -> ExitCode {
    let plain = GpuOptions::default;
    let small = || GpuOptions { max_binding_bytes: Some(1 << 16), ..Default::default() };
    let single = || GpuOptions { max_workgroups_per_dimension: Some(1), ..Default::default() };
    common::run(vec![
        common::trial("operands on two devices", plain(), other_devices),
        common::trial("matrices too large to bind", small(), too_large_to_bind),
        common::trial("grids too large to launch", single(), too_many_workgroups),
        common::trial("limits that leave nothing", plain(), silly_limits),
        common::trial("bad input is told as on the CPU path", plain(), told_as_on_the_cpu),
        common::trial("matrices come back as they went", plain(), round_trips),
        common::trial("a device of the caller's", plain(), handed_over),
        common::trial("a device that is destroyed", plain(), destroyed),
    ])
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

fn too_large_to_bind(device: &Device) -> Result<(), Failed> {
    let allowed = device.info().max_binding_bytes;
    assert_eq!(allowed, 1 << 16);
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
    assert!(matches!(refused(Matrix::zeros(device, 1 << 40, 1 << 20)), Error::Limit { .. } | Error::HostMemory { .. }));
    // What just fits is worked on to its last element.
    let full = ops::relu(&ones(device, 128, 128))?;
    assert_eq!(ops::column_sum(&full)?.to_array()?, Array2::from_elem((1, 128), 128.0));
    still_works(device);
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
    for bytes in [0, 1] {
        let options = GpuOptions { max_binding_bytes: Some(bytes), ..Default::default() };
        let words = format!("device: max_binding_bytes must be at least the device's offset alignment; got {bytes}");
        assert_eq!(refused(Device::gpu_with(&options)).to_string(), words);
    }
    let options = GpuOptions { max_workgroups_per_dimension: Some(0), ..Default::default() };
    let words = "device: max_workgroups_per_dimension must be at least 1; got 0";
    assert_eq!(refused(Device::gpu_with(&options)).to_string(), words);
    // Limits above the device's own change nothing.
    let (bytes, groups) = (Some(u64::MAX), Some(u32::MAX));
    let options = GpuOptions { max_binding_bytes: bytes, max_workgroups_per_dimension: groups, ..Default::default() };
    let open = common::device(&options)?;
    assert_eq!(open.info().max_binding_bytes, device.info().max_binding_bytes);
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
        |d| ops::nll(&ones(d, 2, 3), &Targets::classes(d, &[0u8; 3], 3)?).map(drop),
        |d| ops::accuracy(&ones(d, 2, 3), &shares(d)).map(drop),
        |d| Targets::classes(d, &[0i16, 7, -1], 7).map(drop),
        |d| Targets::distributions(d, array![[0.0, f32::NAN]].view()).map(drop),
        |d| Matrix::from_slice(d, usize::MAX, 2, &[0.0]).map(drop),
        |d| Matrix::from_array(d, Array2::zeros((0, 3)).view()).map(drop),
        |d| Matrix::zeros(d, usize::MAX, 2).map(drop),
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

/// A device opened by the caller, as the device under test is, but for its limits.
fn yours(like: &Device, limits: fn(&wgpu::Adapter) -> wgpu::Limits) -> (wgpu::Adapter, wgpu::Device, wgpu::Queue) {
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle().with_env();
    let backends = descriptor.backends;
    let adapters = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
    let same = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        info.name == like.info().name && info.backend.to_string() == like.info().backend
    };
    let adapter = adapters.into_iter().find(same).expect("the adapter is still there");
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits(&adapter), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("a device");
    (adapter, device, queue)
}

fn handed_over(like: &Device) -> Result<(), Failed> {
    let (adapter, raw, queue) = yours(like, wgpu::Adapter::limits);
    let device = Device::from_wgpu(&adapter, raw.clone(), queue.clone())?;
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

    let (adapter, raw, queue) = yours(like, |_| wgpu::Limits::downlevel_defaults());
    let error = refused(Device::from_wgpu(&adapter, raw, queue));
    assert_eq!(error.to_string(), "device: needs 7 storage buffers a stage; the device allows 4");
    Ok(())
}

/// A call on a matrix.
type LateCall = fn(&Matrix) -> Result<()>;

/// Calls on a matrix made before its device went, and whether they wait for the device: those must notice.
const AFTER_THE_END: &[(&str, bool, LateCall)] = &[
    ("to_array", true, |x| x.to_array().map(drop)),
    ("argmax", true, |x| ops::argmax(x)?.to_classes().map(drop)),
    ("wait", true, |x| x.device().wait()),
    ("predict", true, |x| Mlp::new(x.device(), &[2, 2], 0)?.predict(array![[0.0, 1.0]].view()).map(drop)),
    ("from_slice", false, |x| Matrix::from_slice(x.device(), 1, 2, &[1.0, 2.0]).map(drop)),
    ("from_slice, pooled", false, |x| Matrix::from_slice(x.device(), 4, 4, &[1.0; 16]).map(drop)),
    ("relu", false, |x| ops::relu(x).map(drop)),
    ("matmul", false, |x| ops::matmul(x, x).map(drop)),
    ("sgd", false, |x| ops::sgd(&mut x.clone(), x, 0.1)),
    ("targets", false, |x| Targets::classes(x.device(), &[0u8], 2).map(drop)),
];

fn destroyed(like: &Device) -> Result<(), Failed> {
    for (name, waits, call) in AFTER_THE_END {
        let (adapter, raw, queue) = yours(like, wgpu::Adapter::limits);
        let device = Device::from_wgpu(&adapter, raw.clone(), queue)?;
        let x = ones(&device, 4, 4);
        ops::relu(&x)?; // recorded, and its result is back in the pool
        raw.destroy();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // Nobody listens any more once the time below is up.
            let _ = sender.send([call(&x), call(&x), x.to_array().map(drop)]);
        });
        let outcomes = receiver.recv_timeout(Duration::from_secs(60));
        for (index, outcome) in outcomes.map_err(|_| format!("{name} hangs or panics"))?.into_iter().enumerate() {
            match outcome {
                Err(Error::DeviceLost { .. }) => {}
                // What only records may go on for a while.
                Ok(()) if index < 2 && !waits => {}
                other => return Err(format!("{name}, call {index}: {other:?}").into()),
            }
        }
    }
    Ok(())
}
