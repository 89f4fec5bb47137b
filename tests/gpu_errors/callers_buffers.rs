//! The caller's buffers: several matrices in one buffer, and one that is destroyed too early.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::Duration;

use libtest_mimic::Failed;
use ndarray::{Array2, s};
use wgpu_mlp::{DebugOptions, Device, Error, GpuOptions, Matrix, Targets, ops, wgpu};

use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    let plain = GpuOptions::default;
    let pieces = || GpuOptions {
        debug: DebugOptions { max_binding_bytes: Some(768), ..Default::default() },
        ..Default::default()
    };
    vec![
        common::trial("matrices in one buffer of the caller's", plain(), side_by_side),
        common::trial("matrices in one buffer of the caller's, in pieces", pieces(), side_by_side),
        common::trial("a buffer of the crate's own that outlives its matrix", plain(), outlives),
        common::trial("a callback of the caller's that drops a matrix", plain(), dropped_by_a_callback),
        common::trial("a recording that the device rejects", plain(), rejected),
        common::trial("a recording that is rejected meanwhile", plain(), rejected_meanwhile),
    ]
}

/// A device opened by the caller, with the limits of this one.
pub(super) fn shared(like: &Device) -> Result<(common::Yours, Device), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    let limit = Some(like.info().max_binding_bytes);
    let options = GpuOptions {
        debug: DebugOptions { max_binding_bytes: limit, guarded_buffers: true, ..Default::default() },
        ..Default::default()
    };
    let device = Device::from_wgpu_with(&yours.adapter, yours.device.clone(), yours.queue.clone(), &options)?;
    Ok((yours, device))
}

pub(super) const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// Features, class ids and a second matrix one after the other in one buffer, with marks in the gaps.
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
    let matrix = |offset, rows, cols| device.wrap_matrix(buffer.clone(), offset, rows, cols);
    let (on_device, mut weights) = (matrix(at_x, 37, 5)?, matrix(at_w, 5, 70)?);
    assert_eq!((on_device.to_array()?, weights.to_array()?), (x.clone(), w.clone()));
    let targets = device.wrap_classes(buffer.clone(), at_ids, 37, 70)?;
    assert_eq!(targets.to_classes()?, ids);
    // They are read like separate copies.
    let copied = |array: &Array2<f32>| Matrix::from_array(&device, array.view());
    let logits = ops::matmul(&on_device, &weights)?;
    assert_eq!(logits.to_array()?, ops::matmul(&copied(&x)?, &copied(&w)?)?.to_array()?);
    let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
    let own = Targets::classes(&device, &ids, 70)?;
    let wanted = ops::softmax_cross_entropy(&logits, &own, &Default::default())?;
    assert_eq!(head.dlogits().to_array()?, wanted.dlogits().to_array()?);
    // An op in place writes only between the marks.
    ops::sgd(&mut weights, &copied(&w)?, 1.0)?;
    assert_eq!(weights.wgpu_buffer(), Some((buffer.clone(), at_w)));
    let all = device.wrap_matrix(buffer.clone(), 0, 1, 1000)?.to_array()?;
    let zeroed = |word: usize| (320..320 + 350).contains(&word);
    let kept = |(word, value): (usize, &f32)| value.to_bits() == if zeroed(word) { 0 } else { words[word] };
    assert!(all.iter().enumerate().all(kept));

    let odd = matrix(64, 1, 1).map(drop);
    assert_eq!(odd.unwrap_err().to_string(), "matrix: offset must be a multiple of 256 bytes; got 64");
    let beyond = device.wrap_classes(buffer.clone(), 3840, 41, 2).map(drop);
    assert!(matches!(beyond, Err(Error::Limit { op: "targets", needed: 4004, allowed: 4000, .. })));
    assert!(matches!(matrix(u64::MAX - 255, 1, 1), Err(Error::Limit { .. })));
    one_memory_under_two_names(&device, &x, matrix)
}

/// Operands of one call in the same buffer: an operand that is only read is copied, and two that are written are refused.
fn one_memory_under_two_names(
    device: &Device,
    x: &Array2<f32>,
    matrix: impl Fn(u64, usize, usize) -> wgpu_mlp::Result<Matrix>,
) -> Result<(), Failed> {
    let (at_x, at_ids) = (256, 1024);
    let copied = |array: &Array2<f32>| Matrix::from_array(device, array.view());
    // wgpu lets no dispatch read and write the same buffer, even in different parts. The crate notices the common buffer and
    // copies the operand that is read.
    let (mut first, second) = (matrix(at_x, 1, 4)?, matrix(at_ids, 1, 4)?);
    let other = second.to_array()?;
    ops::sgd(&mut first, &second, 1.0)?;
    assert_eq!(first.to_array()?, x.slice(s![..1, ..4]).to_owned() - other);
    // A matrix that is both operands, under two names, is copied too.
    let (mut one, again) = (matrix(at_x, 37, 5)?, matrix(at_x, 37, 5)?);
    let before = one.to_array()?;
    ops::sgd(&mut one, &again, 0.5)?;
    assert_eq!(again.to_array()?, before.mapv(|x| 0.5f32.mul_add(-x, x)));
    // Two operands that are written to the same memory.
    let mut twice = [matrix(at_x, 1, 4)?, matrix(at_x, 1, 4)?];
    let [w, velocity] = &mut twice;
    let refused = ops::momentum(w, &copied(&x.slice(s![..1, ..4]).to_owned())?, velocity, &Default::default());
    assert!(matches!(refused, Err(Error::Combination { op: "momentum", .. })), "{refused:?}");
    // A buffer that the crate allocated and the caller wrapped also counts as the same buffer.
    let mut own = copied(x)?;
    let (buffer, offset) = own.wgpu_buffer().expect("a GPU's");
    let alias = device.wrap_matrix(buffer, offset, 37, 5)?;
    ops::sgd(&mut own, &alias, 1.0)?;
    assert_eq!(own.to_array()?, Array2::<f32>::zeros((37, 5)));
    Ok(())
}

/// If a matrix wraps a buffer that the crate allocated, the buffer is not reused for others, whichever of the two handles is
/// dropped first.
fn outlives(device: &Device) -> Result<(), Failed> {
    let filled = |value: f32| Matrix::from_slice(device, 1, 64, &[value; 64]);
    let whole = |matrix: &Matrix, value: f32| -> Result<bool, Error> {
        Ok(matrix.to_array()?.iter().all(|found| *found == value))
    };
    for dropped_first in [false, true] {
        let own = filled(1.0)?;
        let (buffer, offset) = own.wgpu_buffer().expect("a GPU's");
        let mut own = Some(own);
        if dropped_first {
            drop(own.take());
        }
        let wrapped = device.wrap_matrix(buffer, offset, 1, 64)?;
        drop(own);
        let others = [filled(2.0)?, filled(3.0)?];
        assert!(whole(&wrapped, 1.0)? && whole(&others[0], 2.0)? && whole(&others[1], 3.0)?);
        drop(wrapped);
        // Now the buffer is reused again.
        let before = device.counters().allocations;
        assert!(whole(&filled(4.0)?, 4.0)?);
        assert_eq!(device.counters().allocations, before);
    }
    Ok(())
}

/// wgpu calls this callback inside the crate's next submit.
fn dropped_by_a_callback(like: &Device) -> Result<(), Failed> {
    let (yours, device) = shared(like)?;
    let x = Matrix::from_array(&device, common::normal(8, 16, 1).view())?;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 512, usage: USAGE, mapped_at_creation: false };
    let wrapped = device.wrap_matrix(yours.device.create_buffer(&descriptor), 0, 8, 16)?;
    device.wait()?;
    let result = ops::relu(&x)?;
    yours.queue.on_submitted_work_done(move || drop(wrapped));
    let ((sender, receiver), submits) = (mpsc::channel(), device.clone());
    std::thread::spawn(move || sender.send(submits.flush().and_then(|()| result.to_array())));
    let read = receiver.recv_timeout(Duration::from_secs(60)).map_err(|_| "the submit waits for itself")?;
    assert_eq!(read?, x.to_array()?.mapv(|x| x.max(0.0)));
    Ok(())
}

/// A buffer that its caller destroys before the device has read it: wgpu rejects all commands that were recorded beside those
/// which read it. Every use of a result that is lost because of this returns an error, at any later time, and no other call
/// does.
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
        let foreign = device.wrap_matrix(yours_alone.clone(), 0, 8, 16)?;
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
        // Earlier content is still there, and the device can be used.
        assert_eq!(earlier.to_array()?, wanted);
        assert_eq!(ops::relu(&on_device)?.to_array()?, wanted);
        parameters = on_device.clone();
        // The buffer is already destroyed when it is bound for the first time: this is an error at once, and no result is lost.
        let (mine, refused) = (ops::relu(&on_device)?, ops::softmax(&foreign));
        assert!(matches!(refused, Err(Error::Device { .. })), "{refused:?}");
        assert_eq!(mine.to_array()?, wanted);
    }
    Ok(())
}

/// A recording that is rejected in the middle of an op, after the op has checked its operands; and a rejection that another
/// thread notices first.
fn rejected_meanwhile(like: &Device) -> Result<(), Failed> {
    let yours = common::yours(like, wgpu::Adapter::limits);
    // This runs without guards, which would write the buffer of each result a second time, and earlier.
    let device = yours.share()?;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 4 * 8 * 16, usage: USAGE, mapped_at_creation: false };
    // Each input has values of its own, so that the old content of a buffer is never the result that is wanted.
    let input = |seed| -> Result<_, Error> {
        let x = common::normal(8, 16, seed);
        Ok((Matrix::from_array(&device, x.view())?, x.mapv(|x| x.max(0.0))))
    };
    let inputs = (0..200).map(input).collect::<Result<Vec<_>, _>>()?;
    let [(first, _), (second, wanted)] = &inputs[..2] else { return Err("two inputs".into()) };
    let spoil = || -> Result<(), Error> {
        let foreign = yours.device.create_buffer(&descriptor);
        let wrapped = device.wrap_matrix(foreign.clone(), 0, 8, 16)?;
        ops::relu(&wrapped)?;
        foreign.destroy();
        Ok(())
    };
    device.wait()?;
    // A read of a lost result returns the error, and the next call is not affected.
    let lost = ops::relu(first)?;
    spoil()?;
    assert!(matches!(lost.to_array(), Err(Error::Unwritten { .. })));
    assert_eq!(ops::relu(second)?.to_array()?, *wanted);
    // The recording becomes so long that one of these ops hands it over. Earlier ops are recorded, and this one is told.
    let lost = ops::relu(first)?;
    spoil()?;
    let results: Vec<_> = (0..300).map(|_| ops::relu(&lost)).collect();
    let recorded = results.iter().take_while(|result| result.is_ok()).count();
    assert!((1..300).contains(&recorded), "{recorded} ops were recorded before one was told");
    for result in results.into_iter().flatten() {
        let values = result.to_array();
        assert!(matches!(values, Err(Error::Unwritten { .. })), "made of what was never written: {values:?}");
    }
    // Another thread hands the recording over and is told. This thread is told only where it uses what is lost.
    let lost = ops::relu(first)?;
    spoil()?;
    let told = std::thread::scope(|scope| scope.spawn(|| device.flush()).join()).expect("no panic");
    assert!(matches!(told, Err(Error::Unwritten { .. })), "{told:?}");
    assert_eq!(ops::relu(second)?.to_array()?, *wanted);
    assert!(matches!(lost.to_array(), Err(Error::Unwritten { .. })));
    assert!(matches!(ops::softmax(&lost), Err(Error::Unwritten { .. })));
    raced(&device, &inputs, spoil)
}

/// Rejections that another thread may notice at any time: a read gives the right values or the error, and never old content.
fn raced(
    device: &Device,
    inputs: &[(Matrix, Array2<f32>)],
    spoil: impl Fn() -> Result<(), Error>,
) -> Result<(), Failed> {
    let read = |result: Result<Matrix, Error>| result.and_then(|result| result.to_array());
    let round = |pair: &[(Matrix, Array2<f32>)]| -> Result<(), Failed> {
        let good = ops::relu(&pair[0].0);
        // Each of these calls may be told of a rejection of this round, or of an earlier one that nobody has been told of.
        let spoiled = spoil();
        let outcomes = [read(good), read(ops::relu(&pair[1].0))];
        if !matches!(spoiled, Ok(()) | Err(Error::Unwritten { .. })) {
            return Err(format!("{spoiled:?}").into());
        }
        for (outcome, (_, wanted)) in outcomes.into_iter().zip(pair) {
            match outcome {
                Ok(values) if values == *wanted => {}
                Err(Error::Unwritten { .. }) => {}
                other => return Err(format!("{other:?} instead of {wanted}").into()),
            }
        }
        Ok(())
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let listening = scope.spawn(|| {
            while !done.load(Relaxed) {
                let _ = device.flush();
            }
        });
        // A panic here would leave the other thread running, so rounds return their errors.
        let outcome = inputs.chunks_exact(2).try_for_each(round);
        done.store(true, Relaxed);
        listening.join().map_err(|_| "the other thread panicked")?;
        outcome
    })
}
