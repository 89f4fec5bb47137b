//! Awaited trainings: what they promise, on the CPU path and on a GPU.

use std::ops::ControlFlow;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use libtest_mimic::Failed;
use ndarray::{Array2, Axis, Slice, s};
use wgpu_mlp::{
    Callback, Device, EarlyStopping, Epoch, Error, FitOptions, History, Matrix, Mlp, Optimizer, OptimizerState,
    Parameters, Result, Step, Targets, Trainer,
};

use super::common;

const BATCH: usize = 8;
/// The numbers of polls after which a future is dropped.
const POLLS: [usize; 6] = [0, 1, 2, 3, 5, 8];

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future by hand whenever it wakes the task, up to so many times. Returns its result, and how often it was pending.
pub fn poll_up_to<F: Future>(times: usize, mut future: Pin<&mut F>) -> (Option<F::Output>, usize) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    for pending in 0..times {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return (Some(output), pending),
            Poll::Pending => std::thread::park(),
        }
    }
    (None, times)
}

fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[12, 16, 5], 1)
}

fn data() -> (Array2<f32>, Vec<u32>) {
    common::clusters(257, 12, 5, 1)
}

fn options() -> FitOptions {
    FitOptions { epochs: 4, batch: BATCH, optimizer: Optimizer::momentum(0.05, 0.9), ..Default::default() }
}

/// The history without the values that differ from run to run.
fn timeless(mut history: History) -> History {
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    history
}

fn text(error: impl std::fmt::Display) -> Failed {
    error.to_string().into()
}

/// Every form of a fit, blocking and awaited.
pub fn same_bits(device: &Device) -> Result<(), Failed> {
    let ((x, labels), options) = (data(), options());
    let (mut blocking, mut awaited) = (model(device)?, model(device)?);
    let history = blocking.fit(x.view(), &labels, &options)?;
    let (other, pending) = poll_up_to(usize::MAX, pin!(awaited.fit_async(x.view(), &labels, &options)));
    assert_eq!(timeless(history), timeless(other.ok_or("no history")??));
    assert_eq!(blocking.parameters()?, awaited.parameters()?);
    assert_eq!(blocking.last_copy(), awaited.last_copy());
    assert!(pending > 0, "nobody else had a turn");

    for rows in [0..100, 100..257] {
        let (x, labels) = (x.slice(s![rows.clone(), ..]), &labels[rows]);
        let epoch = blocking.partial_fit(x, labels, &options)?;
        let other = pollster::block_on(awaited.partial_fit_async(x, labels, &options))?;
        assert_eq!((epoch.index, epoch.loss), (other.index, other.loss));
        assert_eq!(blocking.parameters()?, awaited.parameters()?);
    }

    let mut seen = [Vec::new(), Vec::new()];
    let [watched, other] = &mut seen;
    let stop = |index| if index == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let mut watch = |model: &Mlp, epoch: &Epoch| {
        watched.push(model.score(x.view(), &labels)?);
        Ok(stop(epoch.index))
    };
    Trainer::new(&options).callback(&mut watch).fit(&mut blocking, x.view(), &labels)?;
    let mut watch = |model: &Mlp, epoch: &Epoch| {
        other.push(model.score(x.view(), &labels)?);
        Ok(stop(epoch.index))
    };
    let fit = Trainer::new(&options).callback(&mut watch).fit_async(&mut awaited, x.view(), &labels);
    assert_eq!(pollster::block_on(fit)?.epochs.len(), 3);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(blocking.parameters()?, awaited.parameters()?);
    Ok(())
}

/// Counts steps.
#[derive(Default)]
struct Count(usize);

impl Callback for Count {
    fn on_step(&mut self, _: &Step) -> Result<ControlFlow<()>> {
        self.0 += 1;
        Ok(ControlFlow::Continue(()))
    }
}

/// Validation, early stopping, row weights, dropout, callbacks.
pub fn same_trainings(device: &Device) -> Result<(), Failed> {
    let ((x, labels), (held, held_labels)) = (data(), common::clusters(60, 12, 5, 2));
    let weights: Vec<f32> = (0..x.nrows()).map(|row| 0.5 + (row % 3) as f32).collect();
    let early_stopping = Some(EarlyStopping { patience: 2, ..Default::default() });
    let options = FitOptions { epochs: 30, batch: 32, dropout: 0.3, early_stopping, ..options() };
    let (mut blocking, mut awaited) = (model(device)?, model(device)?);
    let trainer = || Trainer::new(&options).validation_set(held.view(), &held_labels).row_weights(&weights);
    let [mut count, mut other] = [Count::default(), Count::default()];
    let history = trainer().callback(&mut count).fit(&mut blocking, x.view(), &labels)?;
    let fit = trainer().callback(&mut other).fit_async(&mut awaited, x.view(), &labels);
    assert_eq!(timeless(history), timeless(pollster::block_on(fit)?));
    assert_eq!(blocking.parameters()?, awaited.parameters()?);
    assert!(count.0 > 0 && count.0 == other.0, "{} and {}", count.0, other.0);
    Ok(())
}

/// A training that is dropped continues from its checkpoint, and ends with the bits of a training that never stopped.
pub fn checkpoints(device: &Device) -> Result<(), Failed> {
    let ((x, labels), options) = (data(), options());
    let folder = tempfile::tempdir().map_err(text)?;
    let (path, whole) = (folder.path().join("dropped"), folder.path().join("whole"));
    let mut blocking = model(device)?;
    let history = Trainer::new(&options).checkpoint(&whole).fit(&mut blocking, x.view(), &labels)?;
    let trainer = || Trainer::new(&options).checkpoint(&path).resume();
    let mut awaited = model(device)?;
    {
        let mut fit = pin!(trainer().fit_async(&mut awaited, x.view(), &labels));
        while !path.exists() {
            assert!(poll_up_to(1, fit.as_mut()).0.is_none(), "done before it was dropped");
        }
        assert!(poll_up_to(1, fit.as_mut()).0.is_none());
    }
    let resumed = pollster::block_on(trainer().fit_async(&mut awaited, x.view(), &labels))?;
    assert_eq!(timeless(history), timeless(resumed));
    assert_eq!(blocking.parameters()?, awaited.parameters()?);
    Ok(())
}

/// The parameters before the first step and after each step, for so many epochs without shuffling.
fn course(device: &Device, x: &Array2<f32>, labels: &[u32], options: &FitOptions) -> Result<Vec<Vec<Parameters>>> {
    let (mut model, mut state) = (model(device)?, OptimizerState::new(options.optimizer));
    let mut parameters = vec![model.parameters()?];
    for _ in 0..options.epochs {
        for (x, labels) in x.axis_chunks_iter(Axis(0), BATCH).zip(labels.chunks(BATCH)) {
            let targets = Targets::classes(device, labels, 5)?;
            model.train_step(&Matrix::from_array(device, x)?, &targets, &mut state)?;
            parameters.push(model.parameters()?);
        }
    }
    Ok(parameters)
}

/// After its future is dropped, a model has the parameters of a whole number of steps, and can be used like any other.
pub fn dropped(device: &Device) -> Result<(), Failed> {
    let ((x, labels), options) = (data(), FitOptions { shuffle: false, epochs: 2, ..options() });
    let course = course(device, &x, &labels, &options)?;
    let steps = |model: &Mlp| -> Result<usize, Failed> {
        let parameters = model.parameters()?;
        course.iter().position(|known| *known == parameters).ok_or("not the parameters of any step".into())
    };
    let mut most = 0;
    for polls in POLLS {
        let mut model = model(device)?;
        let (done, _) = poll_up_to(polls, pin!(model.fit_async(x.view(), &labels, &options)));
        assert!(done.is_none(), "done within {polls} polls");
        most = most.max(steps(&model)?);
        let mut again = Mlp::from_parameters(device, model.parameters()?)?;
        assert_eq!(model.score(x.view(), &labels)?, again.score(x.view(), &labels)?);
        // A whole training after that starts like any other: with a new optimizer.
        let histories = [model.fit(x.view(), &labels, &options)?, again.fit(x.view(), &labels, &options)?];
        assert_eq!(model.parameters()?, again.parameters()?);
        assert_eq!(histories[0].epochs[0].loss, histories[1].epochs[0].loss);
    }
    assert!((1..course.len() - 1).contains(&most), "dropped behind {most} steps");

    // After a partial fit, the optimizer's state belongs to the same step.
    let mut most = 0;
    for polls in POLLS {
        let mut model = model(device)?;
        let (done, _) = poll_up_to(polls, pin!(model.partial_fit_async(x.view(), &labels, &options)));
        assert!(done.is_none(), "done within {polls} polls");
        let taken = steps(&model)?;
        let rest = taken * BATCH..x.nrows();
        if rest.is_empty() {
            continue; // Dropped while the losses were read.
        }
        most = most.max(taken);
        let (x, labels) = (x.slice_axis(Axis(0), Slice::from(rest.clone())), &labels[rest]);
        assert_eq!(model.partial_fit(x, labels, &options)?.index, 0);
        assert_eq!(model.parameters()?, course[257usize.div_ceil(BATCH)], "dropped after {polls} polls");
    }
    // Before the first step the optimizer has no state that could be lost.
    assert!(most > 0, "no partial fit was dropped between two steps");
    leaves_no_memory(device, &x, &labels, &options)
}

/// When some futures have been dropped, there is memory for those that are dropped later.
fn leaves_no_memory(device: &Device, x: &Array2<f32>, labels: &[u32], options: &FitOptions) -> Result<(), Failed> {
    let held = || -> Result<u64, Failed> {
        for polls in POLLS {
            let mut model = model(device)?;
            assert!(poll_up_to(polls, pin!(model.fit_async(x.view(), labels, options))).0.is_none());
            assert!(poll_up_to(polls, pin!(model.partial_fit_async(x.view(), labels, options))).0.is_none());
        }
        Ok(device.counters().memory_bytes)
    };
    let before = held()?;
    let mut after = before;
    for _ in 0..4 {
        after = held()?;
    }
    // A buffer takes at least 256 bytes, so a single one that each of these 48 futures keeps would take 12 KiB. The losses of a
    // few more unread steps, which depend on the device's pace, are smaller.
    assert!(after <= before + (4 << 10), "{before} bytes became {after}");
    Ok(())
}

/// If something becomes NaN, the error names it and the step is undone, as in a blocking fit.
pub fn non_finite(device: &Device) -> Result<(), Failed> {
    let ((mut x, labels), options) = (data(), options());
    let (mut blocking, mut awaited) = (model(device)?, model(device)?);
    for (row, rate) in [(Some(71), None), (None, Some(1e30))] {
        if let Some(row) = row {
            x[[row, 3]] = f32::NAN;
        } else {
            x = data().0;
        }
        let optimizer = rate.map_or(options.optimizer, Optimizer::sgd);
        let options = FitOptions { optimizer, ..options.clone() };
        let errors = [
            blocking.fit(x.view(), &labels, &options).err(),
            pollster::block_on(awaited.fit_async(x.view(), &labels, &options)).err(),
        ];
        assert!(matches!(errors[0], Some(Error::NonFinite { .. })), "{errors:?}");
        let [one, other] = errors.map(|error| error.map(|error| error.to_string()));
        assert_eq!(one, other);
        assert_eq!(blocking.parameters()?, awaited.parameters()?);
        assert_eq!(blocking.last_copy(), awaited.last_copy());
    }
    Ok(())
}

/// Files, other devices, and an optimizer's state.
pub fn same_exports(device: &Device) -> Result<(), Failed> {
    let ((x, labels), folder) = (data(), tempfile::tempdir().map_err(text)?);
    let mut model = model(device)?;
    model.fit(x.view(), &labels, &options())?;
    let path = |name: &str| folder.path().join(name);
    let bytes = |path: &Path| std::fs::read(path).map_err(text);
    let mut optimizer = OptimizerState::new(Optimizer::adam(1e-3));
    let targets = Targets::classes(device, &labels, 5)?;
    model.train_step(&Matrix::from_array(device, x.view())?, &targets, &mut optimizer)?;
    let shapes: Vec<_> =
        model.layers().iter().flat_map(|layer| [layer.weights().shape(), layer.biases().shape()]).collect();
    pollster::block_on(async {
        model.save(path("blocking"))?;
        model.save_async(path("awaited")).await?;
        assert_eq!(bytes(&path("blocking"))?, bytes(&path("awaited"))?);
        let missing = path("no such folder").join("model");
        assert!(matches!(model.save_async(missing).await, Err(Error::File { .. })));
        let moved = model.to_device_async(&Device::cpu()).await?;
        assert_eq!(moved.parameters()?, model.parameters()?);
        assert_eq!(moved.to_device_async(device).await?.parameters_async().await?, model.parameters()?);
        assert_eq!(optimizer.export_async(&shapes).await?, optimizer.export(&shapes)?);
        assert!(matches!(optimizer.export_async(&shapes[1..]).await, Err(Error::Shape { .. })));
        Ok(())
    })
}
