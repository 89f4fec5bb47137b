//! Trainings that end half-way while workers read ahead: the workers end too, the source is free again, and the model has the
//! parameters of a whole step.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ndarray::{Array2, Axis};
use wgpu_mlp::source::{RowError, RowSource};
use wgpu_mlp::{Callback, Device, Error, FitOptions, Mlp, Result, Step, Trainer};

use crate::training::{bits, blobs};

/// More rows than steps that run before a callback is told of the first.
const ROWS: usize = 1500;

/// A source that counts the reads that have not returned.
struct Counted {
    x: Array2<f32>,
    inside: AtomicUsize,
}

impl RowSource for Counted {
    fn dim(&self) -> (usize, usize) {
        self.x.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        self.inside.fetch_add(1, SeqCst);
        let read = self.x.read_rows(rows, into);
        self.inside.fetch_sub(1, SeqCst);
        read
    }
}

/// The way in which a callback ends a training, in its third step.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Break,
    Error,
    Panic,
}

impl Callback for Ending {
    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        match self {
            _ if step.step < 2 => Ok(ControlFlow::Continue(())),
            Ending::Break => Ok(ControlFlow::Break(())),
            Ending::Error => Err(Error::NoForward { layer: "a callback", call: "backward" }),
            // Unlike `panic!`, this prints nothing.
            Ending::Panic => resume_unwind(Box::new("a callback of a test")),
        }
    }
}

/// What a training leaves behind.
struct Left {
    /// The number of epochs in the history, the training's error, or its panic.
    outcome: thread::Result<Result<usize>>,
    bits: Vec<u32>,
    /// How many owners the source has.
    owners: usize,
    /// How many reads of the source have not returned.
    inside: usize,
    /// Whether the model can be trained on.
    goes_on: bool,
}

fn model() -> Mlp {
    Mlp::new(&Device::cpu(), &[4, 3], 1).unwrap()
}

fn options(workers: usize) -> FitOptions {
    FitOptions { epochs: 1, batch: 1, shuffle: false, workers, ..Default::default() }
}

/// Trains until a callback ends the training. This happens in a thread of its own, since the call would not return if workers
/// did not end.
fn trained(ending: Ending, workers: usize) -> Left {
    let (tell, told) = channel();
    thread::spawn(move || {
        let ((x, labels), mut ending) = (blobs(ROWS, 6), ending);
        let (source, mut model) = (Arc::new(Counted { x, inside: AtomicUsize::new(0) }), model());
        let options = options(workers);
        let fit = || Trainer::new(&options).callback(&mut ending).fit(&mut model, source.clone(), &labels);
        let outcome = catch_unwind(AssertUnwindSafe(fit)).map(|fitted| fitted.map(|history| history.epochs.len()));
        let (owners, inside) = (Arc::strong_count(&source), source.inside.load(SeqCst));
        let bits = bits(&model).unwrap();
        let goes_on = model.fit(&source, &labels, &options).is_ok();
        let _ = tell.send(Left { outcome, bits, owners, inside, goes_on });
    });
    let patience = Duration::from_secs(300);
    told.recv_timeout(patience).unwrap_or_else(|_| panic!("{ending:?}, {workers} workers: the training does not end"))
}

#[test]
fn no_worker_outlives_its_training() {
    let ((x, labels), mut stepwise) = (blobs(ROWS, 6), model());
    let mut course = vec![bits(&stepwise).unwrap()];
    // Partial fits of a row each are the steps of a fit without shuffling.
    for (x, labels) in x.axis_chunks_iter(Axis(0), 1).zip(labels.chunks(1)) {
        stepwise.partial_fit(x, labels, &options(0)).unwrap();
        course.push(bits(&stepwise).unwrap());
    }
    for ending in [Ending::Break, Ending::Error, Ending::Panic] {
        for workers in [0, 1, 5] {
            let (name, left) = (format!("{ending:?}, {workers} workers"), trained(ending, workers));
            let as_told = match ending {
                Ending::Break => matches!(left.outcome, Ok(Ok(1))),
                Ending::Error => matches!(left.outcome, Ok(Err(Error::NoForward { .. }))),
                Ending::Panic => left.outcome.is_err(),
            };
            assert!(as_told, "{name}: {:?}", left.outcome);
            assert_eq!((left.owners, left.inside), (1, 0), "{name}");
            let steps = course.iter().position(|known| *known == left.bits);
            assert!(steps.is_some_and(|steps| (3..ROWS).contains(&steps)), "{name}: {steps:?} steps");
            assert!(left.goes_on, "{name}");
        }
    }
}
