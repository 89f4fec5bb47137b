//! Trainings that a callback ends in the middle of an epoch.

use std::ops::ControlFlow;

use ndarray::s;
use wgpu_mlp::{Callback, Device, Epoch, Error, FitOptions, History, Mlp, Result, Step, Trainer};

use super::{bits, blobs, without_times};

/// Ends a training in this step of this epoch, and records the calls.
#[derive(Default)]
struct StopAt {
    at: (usize, usize),
    steps: Vec<(usize, usize)>,
    epochs: Vec<usize>,
    ends: usize,
}

impl Callback for StopAt {
    fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
        self.steps.push((step.epoch, step.step));
        Ok(if (step.epoch, step.step) == self.at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        self.epochs.push(epoch.index);
        Ok(ControlFlow::Continue(()))
    }
    fn on_end(&mut self, _: &History) -> Result<()> {
        self.ends += 1;
        Ok(())
    }
}

/// The training ends with the steps that were done: model, history and checkpoint agree.
pub fn in_a_step(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let (x, labels) = blobs(60, 6);
    let options = FitOptions { epochs: 5, batch: 10, shuffle: false, ..Default::default() };
    let model = || Mlp::new(device, &[4, 8, 3], 1);
    for (index, at) in [(0, 0), (1, 3), (2, 5)].into_iter().enumerate() {
        let path = folder.path().join(index.to_string());
        let (mut trained, mut stop) = (model()?, StopAt { at, ..Default::default() });
        let trainer = Trainer::new(&options).validation_set(x.view(), &labels).checkpoint(&path);
        let history = trainer.callback(&mut stop).fit(&mut trained, x.view(), &labels)?;
        // Steps that were already submitted are reported too: in an epoch as short as this one, usually all steps.
        let done = stop.steps.iter().filter(|(epoch, _)| *epoch == at.0).count();
        assert!(done > at.1 && stop.steps.last().is_some_and(|(epoch, _)| *epoch == at.0), "{:?}", stop.steps);
        assert_eq!(stop.epochs, (0..=at.0).collect::<Vec<_>>());
        assert_eq!((stop.ends, history.epochs.len()), (1, at.0 + 1));
        let last = &history.epochs[at.0];
        assert_eq!(last.rows, 10 * done as u64);
        let held = trained.evaluate(x.view(), &labels)?;
        assert_eq!(last.validation_loss, Some(held.mean_loss()));
        // The parameters are those of the same number of single steps.
        let mut wanted = model()?;
        for first in (0..at.0).flat_map(|_| 0..6).chain(0..done).map(|step| 10 * step) {
            wanted.partial_fit(x.slice(s![first..first + 10, ..]), &labels[first..first + 10], &options)?;
        }
        assert_eq!(bits(&trained)?, bits(&wanted)?, "{at:?}");
        assert_eq!(trained.last_copy(), wanted.parameters()?);
        // If there is a checkpoint yet, it is that of a whole epoch.
        let whole = at.0 + usize::from(done == 6);
        assert_eq!(path.exists(), whole > 0);
        let mut resumed = model()?;
        let trainer = Trainer::new(&options).validation_set(x.view(), &labels).checkpoint(&path).resume();
        let all = trainer.fit(&mut resumed, x.view(), &labels)?;
        let mut unbroken = model()?;
        let trainer = Trainer::new(&options).validation_set(x.view(), &labels);
        assert_eq!(without_times(&all), without_times(&trainer.fit(&mut unbroken, x.view(), &labels)?));
        assert_eq!(bits(&resumed)?, bits(&unbroken)?);
    }
    Ok(())
}

/// The epoch has more steps than are submitted at a time, so it is cut short.
pub fn in_a_long_epoch(device: &Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let path = folder.path().join("cut");
    let (x, labels) = blobs(1500, 6);
    let options = FitOptions { epochs: 2, batch: 1, shuffle: false, ..Default::default() };
    let (mut trained, mut stop) = (Mlp::new(device, &[4, 3], 1)?, StopAt { at: (0, 2), ..Default::default() });
    let trainer = Trainer::new(&options).checkpoint(&path).callback(&mut stop);
    let history = trainer.fit(&mut trained, x.view(), &labels)?;
    let done = stop.steps.len();
    assert!((3..=1024).contains(&done) && !path.exists(), "{done} steps");
    assert_eq!((history.epochs.len(), history.epochs[0].rows), (1, done as u64));
    let mut wanted = Mlp::new(device, &[4, 3], 1)?;
    let once = FitOptions { epochs: 1, ..options };
    wanted.fit(x.slice(s![..done, ..]), &labels[..done], &once)?;
    assert_eq!(bits(&trained)?, bits(&wanted)?);
    Ok(())
}
