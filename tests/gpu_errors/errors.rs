//! Bad operands on a device are typed errors, as on the CPU path; matrices are transferred unchanged, and the caller can still
//! use a device that was handed over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use libtest_mimic::Failed;
use ndarray::{Array2, ArrayView2, array, s};
use wgpu_mlp::layers::Dense;
use wgpu_mlp::ops::{self, Activation, AdamOptions, CrossEntropy};
use wgpu_mlp::{Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Result, Targets, wgpu};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    vec![
        common::trial("operands on two devices", plain(), other_devices),
        common::trial("a buffer of another device", plain(), buffer_of_another),
        common::trial("bad input is told as on the CPU path", plain(), told_as_on_the_cpu),
        common::trial("matrices come back as they went", plain(), round_trips),
        common::trial("a device of the caller's", plain(), handed_over),
        common::trial("an error of the caller's in the middle of a step", plain(), in_the_middle_of_a_step),
    ]
}

/// Makes an error that wgpu reports inside a poll of the device, after so many other polls.
fn fail_after(polls: u32, device: wgpu::Device, queue: wgpu::Queue) {
    let submits = queue.clone();
    queue.on_submitted_work_done(move || {
        if polls > 0 {
            return fail_after(polls - 1, device, submits);
        }
        let usage = wgpu::BufferUsages::empty();
        drop(device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false }));
    });
}

/// The error is about neither of the two matrices: a step that returns it has changed none of them.
fn in_the_middle_of_a_step(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let device = yours.share()?;
    let mut told = 0;
    // Matrices that joined at different steps are updated apart.
    for (polls, apart) in (0..4).flat_map(|polls| [(polls, false), (polls, true)]) {
        let (mut one, mut other) = (ones(&device, 2, 2), ones(&device, 3, 3));
        let gradients = [ones(&device, 2, 2), ones(&device, 3, 3)];
        let mut state = OptimizerState::new(Optimizer::sgd(1.0));
        if apart {
            state.step(std::iter::once((&mut one, &Matrix::zeros(&device, 2, 2)?)))?;
        }
        device.wait()?;
        fail_after(polls, yours.device.clone(), yours.queue.clone());
        let pairs = [(&mut one, &gradients[0]), (&mut other, &gradients[1])];
        let stepped = state.step(pairs.into_iter());
        // If the step did not return the error, one of these calls does.
        (0..4).for_each(|_| drop(device.wait()));
        let is_zero = |matrix: &Matrix| matrix.to_array().map(|values| values.iter().all(|value| *value == 0.0));
        match [is_zero(&one), is_zero(&other)] {
            [Ok(one), Ok(other)] => {
                assert_eq!([one, other], [stepped.is_ok(); 2], "after {polls} polls, {apart}: {stepped:?}");
            }
            // The error came in the submit of the step, whose commands then count as rejected: both matrices say so.
            [Err(Error::Unwritten { .. }), Err(Error::Unwritten { .. })] => (),
            other => panic!("after {polls} polls: {stepped:?}, {other:?}"),
        }
        assert!(matches!(stepped, Ok(()) | Err(Error::Device { .. })), "{stepped:?}");
        told += u32::from(stepped.is_err());
    }
    assert!(told > 0);
    Ok(())
}

pub(super) fn ones(device: &Device, rows: usize, cols: usize) -> Matrix {
    Matrix::from_array(device, Array2::ones((rows, cols)).view()).unwrap()
}

/// A product that must be right, regardless of earlier errors.
pub(super) fn still_works(device: &Device) {
    let a = Matrix::from_slice(device, 2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let product = ops::matmul_nt(&a, &a).unwrap().to_array().unwrap();
    assert_eq!(product, array![[14.0, 32.0], [32.0, 77.0]]);
}

/// Fails unless the call fails. Returns the call's error.
#[track_caller]
pub(super) fn refused<T>(outcome: Result<T>) -> Error {
    outcome.err().expect("an error")
}

pub(super) type Call = fn(&Device, &Device) -> Result<()>;

/// Calls with an operand on each device: an op's name, and the op.
const MIXED: &[(&str, Call)] = &[
    ("matmul", |a, b| ops::matmul(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("matmul_tn", |a, b| ops::matmul_tn(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("matmul_nt", |a, b| ops::matmul_nt(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("linear", |a, b| ops::linear(&ones(a, 2, 2), &ones(b, 2, 2), &ones(a, 1, 2), Activation::None).map(drop)),
    ("linear", |a, b| ops::linear(&ones(a, 2, 2), &ones(a, 2, 2), &ones(b, 1, 2), Activation::None).map(drop)),
    ("linear_backward", |a, b| ops::linear_backward(&ones(a, 2, 2), &ones(b, 2, 2), &ones(a, 2, 2)).map(drop)),
    ("linear_backward", |a, b| ops::linear_backward(&ones(a, 2, 2), &ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("linear_gradients", |a, b| ops::linear_gradients(&ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("linear_gradients", |a, b| ops::dense_backward(&ones(a, 2, 2), &ones(a, 2, 2), &ones(b, 2, 2)).map(drop)),
    ("linear_cross_entropy", |a, b| {
        let targets = Targets::classes(a, &[0u8, 1], 2)?;
        let (x, w, bias) = (ones(a, 2, 2), ones(a, 2, 2), ones(b, 1, 2));
        ops::linear_cross_entropy(&x, &w, &bias, &targets, &CrossEntropy::default()).map(drop)
    }),
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
    ("nll", |a, b| {
        let options = CrossEntropy { sample_weights: Some(ones(b, 1, 1)), ..Default::default() };
        ops::nll_with(&ones(a, 1, 1), &shares(a), &options).map(drop)
    }),
    ("linear", |a, b| Mlp::new(b, &[2, 3], 0)?.logits(&ones(a, 2, 2)).map(drop)),
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

/// Such a buffer is refused when it is wrapped: in a recording, it would spoil the results of other commands.
fn buffer_of_another(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let device = yours.share()?;
    let (other, _queue) = pollster::block_on(yours.adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 1024, usage, mapped_at_creation: false };
    let mine = ops::relu(&ones(&device, 4, 4))?;
    let wrapped = device.wrap_matrix(other.create_buffer(&descriptor), 0, 16, 16);
    assert!(matches!(wrapped, Err(Error::Device { .. })), "{wrapped:?}");
    assert_eq!(mine.to_array()?, Array2::<f32>::ones((4, 4)));
    // A buffer of the device itself is accepted at any size.
    let own = device.wrap_matrix(yours.device.create_buffer(&descriptor), 0, 16, 16)?;
    assert_eq!(own.to_array()?, Array2::<f32>::zeros((16, 16)));
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
        let matrix = Matrix::from_array(device, array)?;
        let (rows, cols) = matrix.shape();
        let mut kept = Array2::from_elem((rows, cols), 7.0);
        matrix.read_into(kept.view_mut())?;
        let all = [matrix.to_array()?, kept];
        assert!(common::same_bits(&all, &[array.to_owned(), array.to_owned()]), "{:?} came back changed", array.dim());
        if array.len() > 1 << 20 {
            return Ok(());
        }
        // Reads into every other column of a wider array, and leaves the columns between them unchanged.
        let mut wide = Array2::from_elem((rows, 2 * cols), 7.0);
        matrix.read_into(wide.slice_mut(s![.., ..;2]))?;
        assert!(common::same_bits(&[wide.slice(s![.., ..;2]).to_owned()], &[array.to_owned()]), "{rows}x{cols}");
        assert!(wide.slice(s![.., 1..;2]).iter().all(|other| *other == 7.0), "{rows}x{cols}");
        let refused = matrix.read_into(Array2::zeros((rows + 1, cols)).view_mut());
        assert!(matches!(refused, Err(Error::Shape { op: "read_into", .. })), "{refused:?}");
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
    // An error in the caller's own work that nobody catches is returned by the next call, once.
    let _ = raw.create_buffer(&describe(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE));
    assert!(matches!(refused(Matrix::zeros(&device, 1, 1)), Error::Device { .. }));
    still_works(&device);

    let yours = common::yours(like, |_| wgpu::Limits::downlevel_defaults());
    let error = refused(yours.share());
    assert_eq!(error.to_string(), "device: needs 8 storage buffers a stage; the limit is 4");
    Ok(())
}
