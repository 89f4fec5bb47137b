//! Memory that runs out, features larger than it, plans against what really happens, and class ids from the device.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use libtest_mimic::Failed;
use ndarray::{Array2, s};
use wgpu_mlp::ops;
use wgpu_mlp::{
    ClassWeights, Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, Plan, Targets, Trainer, wgpu,
};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    let tiny = || GpuOptions { max_binding_bytes: Some(4096), ..Default::default() };
    let pieces = || GpuOptions { max_binding_bytes: Some(768), ..Default::default() };
    let little = || GpuOptions { max_memory_bytes: Some(1 << 20), ..Default::default() };
    vec![
        common::trial("a plan is what happens", plain(), planned),
        common::trial("a plan is what happens, in windows", tiny(), planned),
        common::trial("a plan's memory is what a fit takes", plain(), planned_memory),
        common::trial("features larger than the memory", little(), larger_than_memory),
        common::trial("class ids from the device", plain(), device_made),
        common::trial("class ids from the device, in pieces", pieces(), device_made),
        common::trial("more bind groups than are kept, each with its own parameters", plain(), many_dispatches),
        common::trial("matrices in one buffer of the caller's", plain(), side_by_side),
        common::trial("matrices in one buffer of the caller's, in pieces", pieces(), side_by_side),
        common::trial("a recording that the device rejects", plain(), rejected),
        common::trial("a recording that is rejected meanwhile", plain(), rejected_meanwhile),
    ]
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
        // The look at the parameters, and at what the optimizer keeps, comes on top, once for the whole epoch.
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

/// Many matrices, each with a rate of its own, then all once more with others: nothing waits in between.
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

/// The memory that fits take on a device of their own, with everything that takes some.
fn planned_memory(_: &Device) -> Result<(), Failed> {
    let widths = [24, 200, 100, 7];
    let x = common::normal(120, 24, 1);
    let labels: Vec<u32> = (0..120).map(|row| row % 7).collect();
    let plain = FitOptions { epochs: 3, batch: 120, stop_on_non_finite: false, ..Default::default() };
    let guarded = FitOptions { stop_on_non_finite: true, ..plain.clone() };
    let rich = FitOptions {
        dropout: 0.5,
        class_weights: ClassWeights::Balanced,
        ignore_class: Some(3),
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
    // Wide enough that software drivers choose the last layer's kernel by whether they have subgroups.
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
    // Weights, biases and Adam's two moments once more.
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
    assert!(device.counters().peak_memory_bytes <= 1 << 20);
    let plan = Plan::prediction(device, &[64, 8, 2], 20_000)?;
    assert!(!plan.fits() && plan.to_string().contains("does not fit"), "{plan}");
    Ok(())
}

/// A device opened by the caller, with the limits of this one.
fn shared(like: &Device) -> Result<(common::Yours, Device), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let limit = Some(like.info().max_binding_bytes);
    let options = GpuOptions { max_binding_bytes: limit, guarded_buffers: true, ..Default::default() };
    let device = Device::from_wgpu_with(&yours.adapter, yours.device.clone(), yours.queue.clone(), &options)?;
    Ok((yours, device))
}

const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// Features, class ids and a second matrix in one buffer, each behind the one before it, with marks in the gaps.
fn side_by_side(like: &Device) -> Result<(), Failed> {
    const MARK: u32 = 0x7fc0_1234;
    let (yours, device) = shared(like)?;
    let (x, w) = (common::normal(37, 5, 1), common::normal(5, 70, 2));
    let ids: Vec<u32> = (0..37).collect();
    let (at_x, at_ids, at_w) = (256, 1024, 1280); // 37 x 5 floats are 740 bytes, the ids 148
    let mut words = vec![MARK; 1000];
    words[64..64 + 185].copy_from_slice(bytemuck::cast_slice(x.as_slice().expect("one run")));
    words[256..256 + 37].copy_from_slice(&ids);
    words[320..320 + 350].copy_from_slice(bytemuck::cast_slice(w.as_slice().expect("one run")));
    let descriptor = wgpu::BufferDescriptor { label: None, size: 4000, usage: USAGE, mapped_at_creation: false };
    let buffer = yours.device.create_buffer(&descriptor);
    yours.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
    let matrix = |offset, rows, cols| device.wrap_matrix_at(buffer.clone(), offset, rows, cols);
    let (on_device, mut weights) = (matrix(at_x, 37, 5)?, matrix(at_w, 5, 70)?);
    assert_eq!((on_device.to_array()?, weights.to_array()?), (x.clone(), w.clone()));
    let targets = device.wrap_classes_at(buffer.clone(), at_ids, 37, 70)?;
    assert_eq!(targets.to_classes()?, ids);
    // Read side by side, as copies of their own would be.
    let copied = |array: &Array2<f32>| Matrix::from_array(&device, array.view());
    let logits = ops::matmul(&on_device, &weights)?;
    assert_eq!(logits.to_array()?, ops::matmul(&copied(&x)?, &copied(&w)?)?.to_array()?);
    let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
    let own = Targets::classes(&device, &ids, 70)?;
    let wanted = ops::softmax_cross_entropy(&logits, &own, &Default::default())?;
    assert_eq!(head.dlogits().to_array()?, wanted.dlogits().to_array()?);
    // In place, between the marks.
    ops::sgd(&mut weights, &copied(&w)?, 1.0)?;
    assert_eq!(Device::buffer_of(&weights), Some((buffer.clone(), at_w)));
    let all = device.wrap_matrix(buffer.clone(), 1, 1000)?.to_array()?;
    let zeroed = |word: usize| (320..320 + 350).contains(&word);
    let kept = |(word, value): (usize, &f32)| value.to_bits() == if zeroed(word) { 0 } else { words[word] };
    assert!(all.iter().enumerate().all(kept));

    let odd = matrix(64, 1, 1).map(drop);
    assert_eq!(odd.unwrap_err().to_string(), "matrix: offset must be a multiple of 256 bytes; got 64");
    let beyond = device.wrap_classes_at(buffer.clone(), 3840, 41, 2).map(drop);
    assert!(matches!(beyond, Err(Error::Limit { op: "targets", needed: 4004, allowed: 4000, .. })));
    assert!(matches!(matrix(u64::MAX - 255, 1, 1), Err(Error::Limit { .. })));
    // wgpu lets no dispatch read and write one buffer, whatever its parts: the crate knows it as one, and copies what is read.
    let (mut first, second) = (matrix(at_x, 1, 4)?, matrix(at_ids, 1, 4)?);
    let other = second.to_array()?;
    ops::sgd(&mut first, &second, 1.0)?;
    assert_eq!(first.to_array()?, x.slice(s![..1, ..4]).to_owned() - other);
    // Itself too, under two names.
    let (mut one, again) = (matrix(at_x, 37, 5)?, matrix(at_x, 37, 5)?);
    let before = one.to_array()?;
    ops::sgd(&mut one, &again, 0.5)?;
    assert_eq!(again.to_array()?, before.mapv(|x| 0.5f32.mul_add(-x, x)));
    // Two that are written on the same memory.
    let mut twice = [matrix(at_x, 1, 4)?, matrix(at_x, 1, 4)?];
    let [w, velocity] = &mut twice;
    let refused = ops::momentum(w, &copied(&x.slice(s![..1, ..4]).to_owned())?, velocity, &Default::default());
    assert!(matches!(refused, Err(Error::Combination { op: "momentum", .. })), "{refused:?}");
    // A buffer of the crate's own that comes back as the caller's is the same buffer, too.
    let mut own = copied(&x)?;
    let (buffer, offset) = Device::buffer_of(&own).expect("a GPU's");
    let alias = device.wrap_matrix_at(buffer, offset, 37, 5)?;
    ops::sgd(&mut own, &alias, 1.0)?;
    assert_eq!(own.to_array()?, Array2::<f32>::zeros((37, 5)));
    Ok(())
}

/// A buffer that its caller destroys before the device has read it: wgpu rejects all commands that were recorded beside those
/// which read it. Everybody whose results are lost by that is told, whenever they ask, and nobody else.
fn rejected(like: &Device) -> Result<(), Failed> {
    let (yours, device) = shared(like)?;
    let (x, bytes) = (common::normal(8, 16, 1), 4 * 8 * 16);
    let descriptor = wgpu::BufferDescriptor { label: None, size: bytes, usage: USAGE, mapped_at_creation: false };
    let (on_device, wanted) = (Matrix::from_array(&device, x.view())?, x.mapv(|x| x.max(0.0)));
    let mut parameters = on_device.clone();
    ops::sgd(&mut parameters, &on_device, 0.5)?;
    let earlier = ops::relu(&on_device)?;
    assert_eq!(earlier.to_array()?, wanted);
    for round in 0..3 {
        let yours_alone = yours.device.create_buffer(&descriptor);
        let foreign = device.wrap_matrix(yours_alone.clone(), 8, 16)?;
        let mine = std::thread::scope(|scope| scope.spawn(|| ops::relu(&on_device)).join().expect("no panic"))?;
        let theirs = ops::relu(&foreign)?;
        ops::sgd(&mut parameters, &on_device, 0.5)?;
        yours_alone.destroy();
        let told = device.flush();
        assert!(matches!(told, Err(Error::Unwritten { .. })), "{told:?}");
        for lost in [&mine, &theirs, &parameters] {
            for _ in 0..2 {
                let error = lost.to_array().expect_err("a result that was never made");
                assert!(error.to_string().starts_with("the commands that should have written this were rejected: "));
            }
            assert!(matches!(ops::softmax(lost), Err(Error::Unwritten { .. })), "{round}");
        }
        // What was there before is there, and the device goes on.
        assert_eq!(earlier.to_array()?, wanted);
        assert_eq!(ops::relu(&on_device)?.to_array()?, wanted);
        parameters = on_device.clone();
        // Bound for the first time when it is no longer there: told at once, and nobody loses anything.
        let (mine, refused) = (ops::relu(&on_device)?, ops::softmax(&foreign));
        assert!(matches!(refused, Err(Error::Device { .. })), "{refused:?}");
        assert_eq!(mine.to_array()?, wanted);
    }
    Ok(())
}

/// The same where the recording is handed over in the middle of an op, which has looked at its operands before; and where another
/// thread hears of it first.
fn rejected_meanwhile(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    // Without guards, which would write each result's buffer once more, and earlier.
    let device = yours.share()?;
    let (x, bytes) = (common::normal(8, 16, 1), 4 * 8 * 16);
    let descriptor = wgpu::BufferDescriptor { label: None, size: bytes, usage: USAGE, mapped_at_creation: false };
    let (on_device, wanted) = (Matrix::from_array(&device, x.view())?, x.mapv(|x| x.max(0.0)));
    let spoil = || -> Result<(), Failed> {
        let foreign = yours.device.create_buffer(&descriptor);
        let wrapped = device.wrap_matrix(foreign.clone(), 8, 16)?;
        ops::relu(&wrapped)?;
        foreign.destroy();
        Ok(())
    };
    device.wait()?;
    let lost = ops::relu(&on_device)?;
    spoil()?;
    let results: Vec<_> = (0..300).map(|_| ops::relu(&lost)).collect();
    assert!(results.iter().any(Result::is_err), "the recording was never handed over");
    for result in results.into_iter().flatten() {
        let values = result.to_array();
        assert!(matches!(values, Err(Error::Unwritten { .. })), "made of what was never written: {values:?}");
    }

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| {
            while !done.load(Relaxed) {
                let _ = device.flush();
            }
        });
        for _ in 0..100 {
            let good = ops::relu(&on_device);
            spoil()?;
            // Its own copy may have been rejected with the rest: then that is what it says.
            for values in
                [good.and_then(|good| good.to_array()), ops::relu(&on_device).and_then(|good| good.to_array())]
            {
                match values {
                    Ok(values) => assert_eq!(values, wanted),
                    Err(Error::Unwritten { .. }) => {}
                    Err(error) => {
                        done.store(true, Relaxed);
                        return Err(format!("{error:?}").into());
                    }
                }
            }
        }
        done.store(true, Relaxed);
        listening.join().expect("no panic");
        Ok(())
    })
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
    let ids = buffer(28, usage);
    yours.queue.write_buffer(&ids, 0, bytemuck::cast_slice(&[3u32, 149, 150, 0, u32::MAX, 77, 1]));
    let targets = device.wrap_classes(ids, rows, classes)?;
    let x = common::normal(rows, classes, 1);
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
    assert!(ops::accuracy(&logits, &targets)? <= 5.0 / 7.0);

    let short = device.wrap_classes(buffer(24, usage), rows, classes);
    assert!(matches!(short, Err(Error::Limit { needed: 28, allowed: 24, .. })));
    let useless = device.wrap_matrix(buffer(28, wgpu::BufferUsages::STORAGE), 7, 1);
    assert!(matches!(useless, Err(Error::Combination { .. })));
    // In place is in place: the caller's own buffer changes.
    let own = buffer(8, usage);
    yours.queue.write_buffer(&own, 0, bytemuck::cast_slice(&[1.0f32, 2.0]));
    let mut w = device.wrap_matrix(own.clone(), 1, 2)?;
    ops::sgd(&mut w, &Matrix::from_slice(&device, 1, 2, &[2.0, 2.0])?, 0.5)?;
    assert_eq!(Device::buffer_of(&w), Some((own, 0)));
    assert_eq!(w.to_array()?, ndarray::array![[0.0, 1.0]]);
    Ok(())
}
