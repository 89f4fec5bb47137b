//! Tests of training, for any device.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "tests, of which each program has its own part")]

pub mod best_epoch;
pub mod broken_sources;
pub mod effects;
#[cfg(feature = "data")]
mod file_sources;
pub mod ignored;
pub mod over_ranks;
pub mod pieces;
pub mod rank_faults;
pub mod ranks_resumed;
pub mod scores;
pub mod sources;
pub mod stopped;
pub mod undone;
pub mod validation;
pub mod watching;
pub mod wild;

use std::ops::ControlFlow;

use ndarray::{Array2, s};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use wgpu_mlp::{
    Callback, ClassWeights, Device, EarlyStopping, Epoch, Error, FitOptions, History, Mlp, Monitor, Optimizer, Penalty,
    Result, Run, Schedule, Step, Trainer,
};

/// Three blobs that overlap a little.
pub fn blobs(rows: usize, seed: u64) -> (Array2<f32>, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let labels: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
    let x = Array2::from_shape_fn((rows, 4), |(r, c)| {
        let noise: f32 = StandardNormal.sample(&mut rng);
        let centre = if usize::from(labels[r]) == c { 2.0 } else { 0.0 };
        centre + 0.8 * noise
    });
    (x, labels)
}

pub fn bits(model: &Mlp) -> Result<Vec<u32>> {
    let layers = model.parameters()?;
    Ok(layers.iter().flat_map(|layer| layer.weights.iter().chain(&layer.biases).map(|w| w.to_bits())).collect())
}

/// Options that together use every part of a training's state.
pub fn rich() -> FitOptions {
    FitOptions {
        epochs: 6,
        batch: 16,
        optimizer: Optimizer::adamw(0.02, 1e-3),
        schedule: Schedule::OnPlateau { factor: 0.5, patience: 1, threshold: 0.1, minimum: 1e-4 },
        warm_up_steps: 9,
        class_weights: ClassWeights::Balanced,
        label_smoothing: 0.05,
        dropout: 0.25,
        penalties: vec![Penalty { l2_weights: 1e-4, l1_weights: 1e-5, ..Default::default() }],
        clip_norm: Some(1.0),
        validation_fraction: 0.25,
        early_stopping: Some(EarlyStopping { patience: 5, ..Default::default() }),
        seed: 11,
        ..Default::default()
    }
}

/// Stops after some epochs, as a power failure would.
struct Stop(usize);

impl Callback for Stop {
    fn on_epoch(&mut self, _: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
        Ok(if epoch.index + 1 == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn without_times(history: &History) -> Vec<Epoch> {
    let mut epochs = history.epochs.clone();
    epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    epochs
}

/// A training that was interrupted continues from its checkpoint to the same bits, with every optimizer.
pub fn checkpoints(device: &Device) -> Result<()> {
    let (x, labels) = blobs(90, 1);
    let weights: Vec<f32> = (0..90).map(|row| 0.5 + (row % 4) as f32 / 4.0).collect();
    let folder = tempfile::tempdir().map_err(|source| Error::File { path: "temporary".into(), source })?;
    let optimizers = [
        rich().optimizer,
        Optimizer::sgd(0.1),
        Optimizer::nesterov(0.05, 0.9),
        Optimizer::adagrad(0.05),
        Optimizer::rmsprop(0.01),
    ];
    for (number, optimizer) in optimizers.into_iter().enumerate() {
        let options = FitOptions { optimizer, ..rich() };
        let model = || Mlp::new(device, &[4, 8, 3], 5);
        let (mut unbroken, mut broken) = (model()?, model()?);
        let whole = Trainer::new(&options).row_weights(&weights).fit(&mut unbroken, x.view(), &labels)?;
        let path = folder.path().join(format!("{number}.checkpoint"));
        let mut stop = Stop(3);
        let trainer = Trainer::new(&options).row_weights(&weights).checkpoint(&path).resume();
        let first = trainer.callback(&mut stop).fit(&mut broken, x.view(), &labels)?;
        assert_eq!(first.epochs.len(), 3);
        let mut resumed = Mlp::new(device, &[4, 8, 3], 99)?; // other weights: the checkpoint has the right ones
        let trainer = Trainer::new(&options).row_weights(&weights).checkpoint(&path).resume();
        let second = trainer.fit(&mut resumed, x.view(), &labels)?;
        assert_eq!(bits(&resumed)?, bits(&unbroken)?, "{optimizer:?}");
        assert_eq!(without_times(&second), without_times(&whole), "{optimizer:?}");
        assert_eq!(second.best_epoch, whole.best_epoch);
        assert_eq!(&without_times(&first), &without_times(&whole)[..3]);
    }
    refused_checkpoints(device, &folder.path().join("0.checkpoint"))
}

/// Checkpoints of another training, and files that are not checkpoints.
fn refused_checkpoints(device: &Device, path: &std::path::Path) -> Result<()> {
    let (x, labels) = blobs(90, 1);
    let fit = |options: &FitOptions, rows: usize, widths: &[usize], path: &std::path::Path| {
        let mut model = Mlp::new(device, widths, 5)?;
        let before = bits(&model)?;
        let x = x.slice(s![..rows, ..]);
        let error = Trainer::new(options).checkpoint(path).resume().fit(&mut model, x, &labels[..rows]).unwrap_err();
        assert_eq!(bits(&model)?, before);
        Ok(error)
    };
    let wrong = |error: Error, name: &str| match error {
        Error::Model { tensor, .. } => assert_eq!(tensor, name),
        other => panic!("{other}"),
    };
    wrong(fit(&rich(), 60, &[4, 8, 3], path)?, "run");
    wrong(fit(&FitOptions { batch: 15, ..rich() }, 90, &[4, 8, 3], path)?, "run");
    wrong(fit(&FitOptions { seed: 12, ..rich() }, 90, &[4, 8, 3], path)?, "run");
    wrong(fit(&rich(), 90, &[4, 9, 3], path)?, "model.0.weights");
    let others = [Optimizer::sgd(0.1), Optimizer::momentum(0.1, 0.9)].map(|optimizer| (0, optimizer));
    // This is checked for optimizers whose slots have the same names: the files of Nesterov, AdaGrad and RMSprop.
    let alike = [(2, Optimizer::momentum(0.05, 0.9)), (3, Optimizer::rmsprop(0.01)), (4, Optimizer::adagrad(0.05))];
    for (number, optimizer) in others.into_iter().chain(alike) {
        let path = path.with_file_name(format!("{number}.checkpoint"));
        wrong(fit(&FitOptions { optimizer, ..rich() }, 90, &[4, 8, 3], &path)?, "optimizer");
    }
    let cut = path.with_extension("cut");
    let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
    for length in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&cut, &bytes[..length]).map_err(|source| Error::File { path: cut.clone(), source })?;
        assert!(matches!(fit(&rich(), 90, &[4, 8, 3], &cut)?, Error::Format { .. }), "{length}");
    }
    Ok(())
}

/// Early stopping ends the training in time, and with the best epoch's parameters.
pub fn early_stopping(device: &Device) -> Result<()> {
    let ((x, labels), (x_held, held)) = (blobs(45, 2), blobs(300, 3));
    for monitor in [Monitor::ValidationLoss, Monitor::ValidationAccuracy] {
        let stopping = EarlyStopping { monitor, patience: 4, ..Default::default() };
        let options = FitOptions {
            epochs: 500,
            batch: 9,
            optimizer: Optimizer::adam(0.05), // fast enough to overfit
            early_stopping: Some(stopping),
            ..Default::default()
        };
        let mut model = Mlp::new(device, &[4, 32, 3], 1)?;
        let history = Trainer::new(&options).validation_set(x_held.view(), &held).fit(&mut model, x.view(), &labels)?;
        let best = history.best_epoch.unwrap_or(usize::MAX);
        assert_eq!(history.epochs.len(), best + 1 + 4, "{monitor:?}");
        // The model is that of the best epoch.
        let again = model.evaluate(x_held.view(), &held)?;
        assert_eq!(Some(again.mean_loss()), history.epochs[best].validation_loss);
        assert_eq!(Some(again.accuracy()), history.epochs[best].validation_accuracy);
        let value = |epoch: &Epoch| match monitor {
            Monitor::ValidationAccuracy => -epoch.validation_accuracy.unwrap_or(f64::NAN),
            _ => epoch.validation_loss.unwrap_or(f64::NAN),
        };
        assert!(history.epochs.iter().all(|epoch| value(epoch) >= value(&history.epochs[best])));
        assert!(again.accuracy() > 0.9, "{}", again.accuracy());
    }
    Ok(())
}

/// If something becomes NaN, the error names it, and the step is undone.
pub fn non_finite(device: &Device) -> Result<()> {
    let (mut x, labels) = blobs(90, 4);
    x[[71, 2]] = f32::NAN;
    let options = FitOptions { batch: 8, shuffle: false, ..Default::default() };
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    let error = model.fit(x.view(), &labels, &options).unwrap_err();
    assert!(
        matches!(error, Error::NonFinite { op: "features", layer: 0, row: Some(71), epoch: 0, step: 8 }),
        "{error}"
    );
    // The model is as it was before that step: there are eight batches of eight rows.
    let mut before = Mlp::new(device, &[4, 8, 3], 1)?;
    before.fit(x.slice(s![..64, ..]), &labels[..64], &FitOptions { epochs: 1, ..options.clone() })?;
    assert_eq!(bits(&model)?, bits(&before)?);

    // A step that is too large: the parameters overflow, and the next step finds them.
    let (x, labels) = blobs(90, 4);
    let wild = FitOptions { optimizer: Optimizer::sgd(1e38), ..options.clone() };
    let error = model.fit(x.view(), &labels, &wild).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "linear" | "update" | "softmax_cross_entropy", .. }), "{error}");
    // The error has the caller's row number also if rows are shuffled.
    let mut bad = x.clone();
    bad[[13, 0]] = f32::INFINITY;
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    let error = model.fit(bad.view(), &labels, &FitOptions { shuffle: true, ..options.clone() }).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "features", row: Some(13), .. }), "{error}");
    // Finite features that overflow in the network.
    let mut huge = x.clone();
    huge.row_mut(29).fill(3e38);
    let error = model.fit(huge.view(), &labels, &options).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "linear", row: Some(29), .. }), "{error}");
    assert!(bits(&model)?.iter().all(|bits| f32::from_bits(*bits).is_finite()));
    Ok(())
}

/// Callbacks see every step and epoch, in order, and watching changes no bit.
pub fn callbacks(device: &Device) -> Result<()> {
    #[derive(Default)]
    struct Seen(Vec<String>);
    impl Callback for Seen {
        fn on_start(&mut self, run: &Run) -> Result<()> {
            self.0.push(format!("start {} {} {}", run.epochs, run.rows, run.steps_per_epoch));
            Ok(())
        }
        fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
            assert!(step.loss.is_finite() && step.rows <= 25);
            self.0.push(format!("step {}", step.step));
            Ok(ControlFlow::Continue(()))
        }
        fn on_epoch(&mut self, model: &Mlp, epoch: &Epoch) -> Result<ControlFlow<()>> {
            assert_eq!(model.classes(), 3);
            self.0.push(format!("epoch {}", epoch.index));
            Ok(ControlFlow::Continue(()))
        }
        fn on_end(&mut self, history: &History) -> Result<()> {
            self.0.push(format!("end {}", history.epochs.len()));
            Ok(())
        }
    }
    let (x, labels) = blobs(25, 6);
    let options = FitOptions { epochs: 2, batch: 10, ..Default::default() };
    let (mut watched, mut alone) = (Mlp::new(device, &[4, 8, 3], 1)?, Mlp::new(device, &[4, 8, 3], 1)?);
    let mut seen = Seen::default();
    Trainer::new(&options).callback(&mut seen).fit(&mut watched, x.view(), &labels)?;
    let epoch = |index| ["step 0", "step 1", "step 2", index].map(String::from);
    let middle = [epoch("epoch 0"), epoch("epoch 1")].concat();
    assert_eq!(seen.0, [vec!["start 2 25 3".to_owned()], middle, vec!["end 2".to_owned()]].concat());
    alone.fit(x.view(), &labels, &options)?;
    assert_eq!(bits(&watched)?, bits(&alone)?);
    Ok(())
}

/// Partial fits of one batch each are the steps of a fit.
pub fn partial_fits(device: &Device) -> Result<()> {
    let (x, labels) = blobs(30, 7);
    let options = FitOptions { epochs: 2, batch: 10, shuffle: false, ..Default::default() };
    let (mut whole, mut parts) = (Mlp::new(device, &[4, 8, 3], 1)?, Mlp::new(device, &[4, 8, 3], 1)?);
    whole.fit(x.view(), &labels, &options)?;
    for first in [0, 10, 20, 0, 10, 20] {
        parts.partial_fit(x.slice(s![first..first + 10, ..]), &labels[first..first + 10], &options)?;
    }
    assert_eq!(bits(&whole)?, bits(&parts)?);
    assert_eq!(bits(&whole)?, bits(&parts.clone())?);
    // A fit begins with a new optimizer.
    let (mut again, mut fresh) = (parts.clone(), parts.to_device(device)?);
    again.fit(x.view(), &labels, &options)?;
    fresh.fit(x.view(), &labels, &options)?;
    assert_eq!(bits(&again)?, bits(&fresh)?);
    Ok(())
}
