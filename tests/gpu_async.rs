//! Async forms: the same results without blocking a thread, on an executor that knows nothing of this crate.

mod common;

use std::future::Future;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};

use libtest_mimic::Failed;
use wgpu_mlp::{Device, Error, FitOptions, GpuOptions, Matrix, Mlp, Result, Targets, ops};

fn main() -> ExitCode {
    type Test = fn(&Device) -> Result<(), Failed>;
    let tests: [(&str, Test); 6] = [
        ("async forms give what blocking ones give", same_results),
        ("async scores add up over batches and refuse what blocking ones refuse", scores),
        ("many reads at once", many_at_once),
        ("a future dropped half way leaves nothing behind", dropped),
        ("a future can be awaited on another thread", elsewhere),
        ("a lost device wakes who waits", lost),
    ];
    let trial = |(name, test): (&'static str, Test)| common::trial(name, GpuOptions::default(), test);
    common::run(tests.into_iter().map(trial).collect())
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
        // More than one staging buffer holds.
        let large = Matrix::from_array(device, common::normal(4200, 4097, 3).view())?;
        assert_eq!(large.to_array_async().await?, large.to_array()?);
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
    // What executors with several threads want.
    fn can_move<T: Send>(_: &T) {}
    can_move(&matrix.to_array_async());
    can_move(&device.wait_async());
    let before = device.counters().memory_bytes;
    for _ in 0..50 {
        let mut future = pin!(matrix.to_array_async());
        // Once, so that the copy is under way.
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    assert_eq!(matrix.to_array()?, array);
    assert_eq!(pollster::block_on(matrix.to_array_async())?, array);
    assert_eq!(device.counters().memory_bytes, before);
    Ok(())
}

fn elsewhere(device: &Device) -> Result<(), Failed> {
    let array = common::normal(64, 64, 1);
    let (matrix, expected) = (Matrix::from_array(device, array.view())?, array.clone());
    let thread = std::thread::spawn(move || -> Result<bool> {
        let doubled = ops::matmul(&matrix, &matrix)?;
        Ok(pollster::block_on(doubled.to_array_async())?.dim() == expected.dim())
    });
    assert!(thread.join().map_err(|_| "the thread panicked")??);
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
