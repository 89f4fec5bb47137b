//! Tests of callbacks: their arguments, the calls of several callbacks, and their errors.

use std::ops::ControlFlow;

use wgpu_mlp::{Callback, Device, Epoch, Error, FitOptions, History, Mlp, Result, Run, Step, Trainer};

use super::{bits, blobs};

/// Records all calls, and ends the training after an epoch.
#[derive(Default)]
struct Kept {
    last: Option<usize>,
    runs: Vec<Run>,
    steps: Vec<Step>,
    epochs: Vec<Epoch>,
    ends: Vec<usize>,
}

impl Callback for Kept {
    fn on_start(&mut self, run: &Run) -> Result<()> {
        self.runs.push(run.clone());
        Ok(())
    }
    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        self.steps.push(step.clone());
        Ok(ControlFlow::Continue(()))
    }
    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        self.epochs.push(epoch.clone());
        Ok(if self.last == Some(epoch.index) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
    fn on_end(&mut self, history: &History) -> Result<()> {
        self.ends.push(history.epochs.len());
        Ok(())
    }
}

fn options(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch: 10, ..Default::default() }
}

fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[4, 8, 3], 1)
}

/// A callback gets sizes before the first step and sums after each step. All callbacks are called until the end, also if the
/// first of them has ended the training.
pub fn told(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let path = folder.path().join("run");
    let ((x, labels), five) = (blobs(25, 6), options(5));
    let (mut ends, mut watches) = (Kept { last: Some(1), ..Default::default() }, Kept::default());
    let trainer = Trainer::new(&five).checkpoint(&path).callback(&mut ends).callback(&mut watches);
    let history = trainer.fit(&mut model(device)?, x.view(), &labels)?;
    assert_eq!(history.epochs.len(), 2);
    for kept in [&ends, &watches] {
        let [run] = &kept.runs[..] else { panic!("{} starts", kept.runs.len()) };
        assert_eq!((run.epochs, run.rows, run.batch, run.steps_per_epoch, run.first_epoch), (5, 25, 10, 3, 0));
        assert_eq!((&kept.epochs, &kept.ends[..]), (&history.epochs, &[2][..]));
        let places: Vec<_> = kept.steps.iter().map(|step| (step.epoch, step.step, step.steps, step.rows)).collect();
        let wanted = |epoch: usize| vec![(epoch, 0, 3, 10), (epoch, 1, 3, 20), (epoch, 2, 3, 25)];
        assert_eq!(places, [wanted(0), wanted(1)].concat());
        // Means over the epoch so far: after the last step they are those of the epoch.
        for (epoch, steps) in history.epochs.iter().zip(kept.steps.chunks(3)) {
            assert_eq!((steps[2].loss, steps[2].accuracy), (epoch.loss, epoch.accuracy));
            assert_ne!(steps[0].loss, steps[2].loss);
        }
    }
    let mut resumed = Kept::default();
    let trainer = Trainer::new(&five).checkpoint(&path).resume().callback(&mut resumed);
    assert_eq!(trainer.fit(&mut model(device)?, x.view(), &labels)?.epochs.len(), 5);
    assert_eq!(resumed.runs.iter().map(|run| (run.epochs, run.first_epoch)).collect::<Vec<_>>(), [(5, 2)]);
    assert_eq!(resumed.epochs.iter().map(|epoch| epoch.index).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!((resumed.ends, resumed.steps.first().map(|step| step.epoch)), (vec![5], Some(2)));
    Ok(())
}

/// Without an epoch to run, the callbacks are told of a start and an end, and the model keeps its parameters or gets those of the
/// checkpoint.
pub fn without_epochs(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let path = folder.path().join("run");
    let ((x, labels), mut trained, mut other) = (blobs(25, 6), model(device)?, Mlp::new(device, &[4, 8, 3], 2)?);
    let (none, two, mut kept) = (options(0), options(2), [Kept::default(), Kept::default()]);
    let [first, second] = &mut kept;
    let history = Trainer::new(&none).callback(first).fit(&mut trained, x.view(), &labels)?;
    assert_eq!((history, bits(&trained)?), (History::default(), bits(&model(device)?)?));
    Trainer::new(&two).checkpoint(&path).fit(&mut trained, x.view(), &labels)?;
    let resumed = Trainer::new(&none).checkpoint(&path).resume().callback(second);
    assert_eq!(resumed.fit(&mut other, x.view(), &labels)?.epochs.len(), 2);
    assert_eq!(bits(&other)?, bits(&trained)?);
    for (kept, epochs) in kept.iter().zip([0, 2]) {
        assert_eq!(kept.runs.iter().map(|run| (run.epochs, run.first_epoch)).collect::<Vec<_>>(), [(0, epochs)]);
        assert_eq!((kept.steps.len(), kept.epochs.len(), &kept.ends[..]), (0, 0, &[epochs][..]));
    }
    // Data and options are checked as in any training.
    let wrong = FitOptions { batch: 0, ..none.clone() };
    assert!(matches!(trained.fit(x.view(), &labels, &wrong), Err(Error::Option { option: "batch", .. })));
    assert!(matches!(trained.fit(x.view(), &labels[1..], &none), Err(Error::Shape { .. })));
    Ok(())
}

/// Fails in this method.
struct Fails(&'static str);

impl Fails {
    fn at(&self, place: &'static str) -> Result<()> {
        if self.0 == place { Err(Error::NoForward { layer: place, call: "backward" }) } else { Ok(()) }
    }
}

impl Callback for Fails {
    fn on_start(&mut self, _: &Run) -> Result<()> {
        self.at("start")
    }
    fn on_step(&mut self, _: &Step) -> Result<ControlFlow<()>> {
        self.at("step").map(|()| ControlFlow::Continue(()))
    }
    fn on_epoch(&mut self, _: &Mlp, _: &Epoch) -> Result<ControlFlow<()>> {
        self.at("epoch").map(|()| ControlFlow::Continue(()))
    }
    fn on_end(&mut self, _: &History) -> Result<()> {
        self.at("end")
    }
}

/// The training returns an error from any method of a callback, and the model has the steps that were done.
pub fn errors(device: &Device) -> Result<()> {
    let (x, labels) = blobs(25, 6);
    let after = |epochs: usize| -> Result<Vec<u32>> {
        let mut trained = model(device)?;
        trained.fit(x.view(), &labels, &options(epochs))?;
        bits(&trained)
    };
    // Some or all of the epoch's three steps had been submitted when the first was reported.
    let places = [("start", Some(0)), ("step", None), ("epoch", Some(1)), ("end", Some(2))];
    for (place, epochs) in places {
        let (mut fails, two, mut trained) = (Fails(place), options(2), model(device)?);
        let error = Trainer::new(&two).callback(&mut fails).fit(&mut trained, x.view(), &labels).unwrap_err();
        assert!(matches!(error, Error::NoForward { layer, .. } if layer == place), "{place}: {error}");
        if let Some(epochs) = epochs {
            assert_eq!(bits(&trained)?, after(epochs)?, "{place}");
        }
        assert_eq!(trained.last_copy(), trained.parameters()?, "{place}");
    }
    Ok(())
}
