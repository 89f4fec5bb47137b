//! Async forms: the same results without blocking a thread, on an executor that knows nothing of this crate.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use libtest_mimic::Failed;
use ndarray::Array2;
use wgpu_mlp::layers::{CategoricalCrossEntropy, SoftmaxCrossEntropy};
use wgpu_mlp::ops::{CrossEntropy, Reduction};
use wgpu_mlp::{
    Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Optimizer, OptimizerState, Result, Targets, ops, verify,
};

use crate::awaiting;
use crate::common::{self, Trial};

pub fn trials() -> Vec<Trial> {
    type Test = fn(&Device) -> Result<(), Failed>;
    let tests: [(&str, Test); 17] = [
        ("async forms give what blocking ones give", same_results),
        ("async scores add up over batches and refuse what blocking ones refuse", scores),
        ("many reads at once", many_at_once),
        ("a future dropped half way leaves nothing behind", dropped),
        ("a future can be awaited on another thread", elsewhere),
        ("a lost device wakes who waits", lost),
        ("awaited fits give the bits of blocking ones, and give way", awaiting::same_bits),
        ("awaited trainings give the bits of blocking ones", awaiting::same_trainings),
        ("a dropped training goes on from its checkpoint", awaiting::checkpoints),
        ("a dropped fit leaves the model behind a whole step", awaiting::dropped),
        ("what turns into NaN is named and undone", awaiting::non_finite),
        ("files and exports are the same", awaiting::same_exports),
        ("losses of the layers are the same", losses),
        ("a device that is ready takes a step at once", ready),
        ("tuning finds what is right, and forces nothing beyond that", tuned),
        ("every op's case gives the same bits", cases),
        ("a fit on a lost device ends", lost_fit),
    ];
    let trial = |(name, test): (&'static str, Test)| common::trial(name, GpuOptions::default(), test);
    tests.into_iter().map(trial).collect()
}

fn same_results(device: &Device) -> Result<(), Failed> {
    let (x, labels) = common::clusters(257, 12, 5, 1);
    let mut model = Mlp::new(device, &[12, 16, 5], 1)?;
    model.fit(x.view(), &labels, &FitOptions::default())?;
    pollster::block_on(async {
        assert_eq!(model.predict_async(x.view()).await?, model.predict(x.view())?);
        assert_eq!(model.predict_proba_async(x.view()).await?, model.predict_proba(x.view())?);
        assert_eq!(model.score_async(x.view(), &labels).await?, model.score(x.view(), &labels)?);
        assert_eq!(model.predict_log_proba_async(x.view()).await?, model.predict_log_proba(x.view())?);
        assert_eq!(model.evaluate_async(x.view(), &labels).await?, model.evaluate(x.view(), &labels)?);
        let matrix = model.confusion_matrix(x.view(), &labels)?;
        assert_eq!(model.confusion_matrix_async(x.view(), &labels).await?, matrix);
        for k in [1, 3, 5] {
            assert_eq!(model.score_top_k_async(x.view(), &labels, k).await?, model.score_top_k(x.view(), &labels, k)?);
        }
        assert_eq!(model.parameters_async().await?, model.parameters()?);
        let logits = Matrix::from_array(device, common::normal(300, 5, 2).view())?;
        let targets = Targets::classes(device, &vec![2u8; 300], 5)?;
        let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
        assert_eq!(head.stats_async().await?, head.stats()?);
        assert_eq!(ops::accuracy_async(&logits, &targets).await?, ops::accuracy(&logits, &targets)?);
        assert_eq!(targets.to_classes_async().await?, targets.to_classes()?);
        // More bytes than one staging buffer holds.
        let array = common::normal(4200, 4097, 3);
        let large = Matrix::from_array_async(device, array.view()).await?;
        assert_eq!(large.to_array_async().await?, array);
        assert_eq!(large.to_array()?, array);
        device.wait_async().await?;
        Ok(())
    })
}

/// Rows for several batches, some without a label.
fn scores(device: &Device) -> Result<(), Failed> {
    let model = Mlp::new(device, &[2, 8192, 3], 1)?;
    let x = common::normal(1300, 2, 1);
    let labels: Vec<i64> = (0..1300).map(|row| if row % 7 == 0 { -100 } else { row % 3 }).collect();
    pollster::block_on(async {
        assert_eq!(model.evaluate_async(x.view(), &labels).await?, model.evaluate(x.view(), &labels)?);
        let (weights, x) = ([0.5, 2.0].repeat(650), x.view());
        let weighted = model.evaluate_weighted(x, &labels, &weights)?;
        assert_eq!(model.evaluate_weighted_async(x, &labels, &weights).await?, weighted);
        assert_eq!(model.score_top_k_async(x.view(), &labels, 2).await?, model.score_top_k(x.view(), &labels, 2)?);
        let few = &labels[1..];
        for error in [
            model.evaluate_async(x.view(), few).await.err(),
            model.score_top_k_async(x.view(), few, 1).await.err(),
            model.confusion_matrix_async(x.view(), few).await.err(),
        ] {
            assert!(matches!(error, Some(Error::Shape { .. })), "{error:?}");
        }
        let narrow = x.slice(ndarray::s![.., ..1]);
        assert!(matches!(model.predict_log_proba_async(narrow).await, Err(Error::Shape { .. })));
        assert!(matches!(model.score_top_k_async(x.view(), &labels, 0).await, Err(Error::Option { option: "k", .. })));
        Ok(())
    })
}

/// Awaits all of them, as a join does: each is polled whenever one of them wakes the task.
async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<Pin<Box<_>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |task| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(task)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(done.drain(..).flatten().collect()) } else { Poll::Pending }
    })
    .await
}

fn many_at_once(device: &Device) -> Result<(), Failed> {
    let arrays: Vec<_> = (0..40).map(|seed| common::normal(31, 17, seed)).collect();
    let matrices: Result<Vec<_>> = arrays.iter().map(|array| Matrix::from_array(device, array.view())).collect();
    let matrices = matrices?;
    let read = pollster::block_on(all(matrices.iter().map(Matrix::to_array_async).collect()));
    for (read, array) in read.into_iter().zip(&arrays) {
        assert_eq!(&read?, array);
    }
    Ok(())
}

fn dropped(device: &Device) -> Result<(), Failed> {
    let array = common::normal(100, 100, 1);
    let matrix = Matrix::from_array(device, array.view())?;
    // Executors with several threads require this of a future.
    fn can_move<T: Send>(_: &T) {}
    can_move(&matrix.to_array_async());
    can_move(&device.wait_async());
    can_move(&device.ready_async());
    let before = device.counters().memory_bytes;
    for _ in 0..50 {
        let mut future = pin!(matrix.to_array_async());
        // Polled once, so that the copy has started.
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    assert_eq!(matrix.to_array()?, array);
    assert_eq!(pollster::block_on(matrix.to_array_async())?, array);
    assert_eq!(device.counters().memory_bytes, before);
    Ok(())
}

fn elsewhere(device: &Device) -> Result<(), Failed> {
    let array = common::normal(64, 64, 1);
    let matrix = Matrix::from_array(device, array.view())?;
    let expected = ops::matmul(&matrix, &matrix)?.to_array()?;
    let thread = std::thread::spawn(move || -> Result<Array2<f32>> {
        let squared = ops::matmul(&matrix, &matrix)?;
        pollster::block_on(squared.to_array_async())
    });
    // This also holds for a future that was started on this thread.
    let begun = Matrix::from_array(device, array.view())?;
    let mut reading = Box::pin(async move { begun.to_array_async().await });
    let begins = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    let other = std::thread::spawn(move || match begins {
        Poll::Ready(read) => read,
        Poll::Pending => pollster::block_on(reading),
    });
    assert_eq!(thread.join().map_err(|_| "the thread panicked")??, expected);
    assert_eq!(other.join().map_err(|_| "the other thread panicked")??, array);
    Ok(())
}

fn lost(device: &Device) -> Result<(), Failed> {
    let yours = common::yours(device, wgpu_mlp::wgpu::Adapter::limits);
    let device = yours.share()?;
    let matrix = Matrix::from_array(&device, common::normal(300, 300, 1).view())?;
    let read = matrix.to_array_async();
    yours.device.destroy();
    let error = pollster::block_on(read).err().ok_or("a lost device gave an answer")?;
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    let error = pollster::block_on(device.wait_async()).err();
    assert!(matches!(error, Some(Error::DeviceLost { .. })), "{error:?}");
    Ok(())
}

fn losses(device: &Device) -> Result<(), Failed> {
    let logits = Matrix::from_array(device, common::normal(300, 5, 2).view())?;
    let (probs, labels) = (ops::softmax(&logits)?, (0..300).map(|row| row % 5).collect::<Vec<u32>>());
    let targets = Targets::classes(device, &labels, 5)?;
    let class_weights = Some(Matrix::from_slice(device, 1, 5, &[1.0, 2.0, 3.0, 4.0, 5.0])?);
    for reduction in [Reduction::Mean, Reduction::Sum, Reduction::None] {
        for class_weights in [None, class_weights.clone()] {
            let options = CrossEntropy { reduction, class_weights, ..Default::default() };
            let clipped = CategoricalCrossEntropy::with_options(options.clone());
            let awaited = pollster::block_on(clipped.calculate_async(&probs, &targets))?;
            assert_eq!(awaited, clipped.calculate(&probs, &targets)?);
            let mut combined = SoftmaxCrossEntropy::with_options(options);
            let awaited = pollster::block_on(combined.forward_async(&logits, &targets))?;
            assert_eq!(pollster::block_on(combined.stats_async())?, combined.stats()?);
            assert_eq!(awaited, combined.forward(&logits, &targets)?);
        }
    }
    // A future that is dropped leaves the forward pass to the backward one.
    let mut combined = SoftmaxCrossEntropy::new();
    let (done, _) = awaiting::poll_up_to(1, pin!(combined.forward_async(&logits, &targets)));
    let slopes = combined.backward()?.to_array()?;
    let value = done.transpose()?.map_or_else(|| Ok(combined.stats()?.mean_loss()), Ok::<_, Failed>)?;
    assert_eq!(value, combined.forward(&logits, &targets)?);
    assert_eq!(slopes, combined.backward()?.to_array()?);
    assert!(matches!(pollster::block_on(SoftmaxCrossEntropy::new().stats_async()), Err(Error::NoForward { .. })));
    Ok(())
}

fn ready(device: &Device) -> Result<(), Failed> {
    let (x, labels) = common::clusters(64, 12, 5, 1);
    let run = |ready: bool| -> Result<_, Failed> {
        let (mut model, mut state) = (Mlp::new(device, &[12, 16, 5], 1)?, OptimizerState::new(Optimizer::adam(0.01)));
        let mut turns = 0;
        for _ in 0..400 {
            if ready {
                let (done, pending) = awaiting::poll_up_to(usize::MAX, pin!(device.ready_async()));
                done.ok_or("never ready")??;
                turns += pending;
            }
            let (x, targets) = (Matrix::from_array(device, x.view())?, Targets::classes(device, &labels, 5)?);
            model.train_step(&x, &targets, &mut state)?;
        }
        assert!(turns > 0 || !ready, "400 steps, and the device was never behind");
        Ok(model.parameters()?)
    };
    assert_eq!(run(true)?, run(false)?);
    Ok(())
}

fn tuned(_: &Device) -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let options = GpuOptions { tuning: Some(folder.path().into()), ..Default::default() };
    // The products are small, because software drivers run tiles slowly.
    let (device, shapes) = (common::device(&options)?, [[33, 65, 17], [9, 16, 20]]);
    let (a, b) = (common::normal(33, 65, 1), common::normal(65, 17, 2));
    let product = || ops::matmul(&Matrix::from_array(&device, a.view())?, &Matrix::from_array(&device, b.view())?);
    let before = product()?.to_array()?;
    for polls in [1, 4] {
        // At the latest this is within the first shape, for which five candidates are awaited eleven times each.
        let (done, _) = awaiting::poll_up_to(polls, pin!(device.tune_async(&shapes)));
        if device.info().backend != "gl" {
            assert!(done.is_none(), "done within {polls} polls");
            assert_eq!(product()?.to_array()?, before, "a kernel is forced still");
        }
    }
    let awaited = pollster::block_on(device.tune_async(&shapes))?;
    let blocking = common::device(&GpuOptions::default())?.tune(&shapes)?;
    assert_eq!([awaited.len(), blocking.len()], [shapes.len(); 2]);
    for (awaited, blocking) in awaited.iter().zip(blocking) {
        assert_eq!(awaited.shape, blocking.shape);
        let kernels = |tuned: &wgpu_mlp::TunedShape| {
            tuned.candidates.iter().map(|(kernel, time)| (*kernel, time.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(kernels(awaited), kernels(&blocking));
        let fastest = awaited.candidates.iter().filter(|(_, time)| time.is_some()).min_by_key(|(_, time)| *time);
        assert_eq!(fastest.map(|(kernel, _)| *kernel), awaited.winner, "{awaited}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).map_err(|error| error.to_string())?.count(), 1);
    assert!(matches!(pollster::block_on(device.tune_async(&[[0, 1, 1]])), Err(Error::Empty { .. })));
    Ok(())
}

/// At least one call of each op.
fn cases(device: &Device) -> Result<(), Failed> {
    let cases = verify::cases();
    let first = |index: usize| index == 0 || cases[index].op != cases[index - 1].op;
    for (index, case) in
        cases.iter().enumerate().filter(|(index, case)| !case.large && (first(*index) || index % 97 == 0))
    {
        let inputs = case.inputs(index as u64);
        let awaited = pollster::block_on(case.run_async(device, &inputs))?;
        assert!(common::same_bits(&awaited, &case.run(device, &inputs)?), "{case}");
        let worst = pollster::block_on(case.verify_async(device, index as u64))?;
        assert!(worst.passed(), "{case}: {worst:?}");
    }
    Ok(())
}

fn lost_fit(device: &Device) -> Result<(), Failed> {
    let yours = common::yours(device, wgpu_mlp::wgpu::Adapter::limits);
    let device = yours.share()?;
    let (x, labels) = common::clusters(257, 12, 5, 1);
    let mut model = Mlp::new(&device, &[12, 16, 5], 1)?;
    let options = FitOptions { epochs: 100, batch: 8, ..Default::default() };
    let result = {
        let mut fit = pin!(model.fit_async(x.view(), &labels, &options));
        let (done, _) = awaiting::poll_up_to(2, fit.as_mut());
        assert!(done.is_none(), "done within two polls");
        yours.device.destroy();
        pollster::block_on(fit)
    };
    assert!(matches!(result, Err(Error::DeviceLost { .. })), "{result:?}");
    // The last copy on the host is not lost.
    let moved = pollster::block_on(model.to_device_async(&Device::cpu()))?;
    assert_eq!(moved.parameters()?, model.last_copy());
    Ok(())
}
