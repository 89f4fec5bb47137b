//! The state after a training that went wrong: the parameters from before the step that caused it, to the bit.

use std::ops::ControlFlow;

use ndarray::{Array2, s};
use wgpu_mlp::{
    Callback, ClassWeights, Device, EarlyStopping, Error, FitOptions, Mlp, Optimizer, Result, Step, Trainer,
};

use super::{bits, blobs};

pub(super) fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[4, 8, 3], 1)
}

/// Batches of eight rows, in their order.
pub(super) fn eights(epochs: usize, optimizer: Optimizer) -> FitOptions {
    FitOptions { epochs, batch: 8, shuffle: false, optimizer, ..Default::default() }
}

/// Rows whose losses are finite, but in batch `bad` the gradients are so large that plain descent at this rate overflows.
fn steep(bad: usize) -> (Array2<f32>, Vec<u8>, Optimizer) {
    let (x, labels) = blobs(64, 4);
    let mut x = 1e-3 * x; // so that the parameters of one layer stay near 1
    for row in [8 * bad, 8 * bad + 1] {
        // Two equal rows of two classes, so one of them is misclassified.
        x.row_mut(row).fill(0.0);
        x[[row, 2]] = 1e37;
    }
    (x, labels, Optimizer::sgd(1e3))
}

pub(super) fn update_at(error: &Error, epoch: usize, step: usize) {
    let right = matches!(error, Error::NonFinite { op: "update", row: None, epoch: e, step: s, .. } if (*e, *s) == (epoch, step));
    assert!(right, "epoch {epoch}, step {step}: {error}");
}

/// One update that overflows: in the first step of a fit, in the middle, and in the last step of the epoch, which here is the
/// last of the training.
pub fn overflowing_updates(device: &Device) -> Result<()> {
    for (bad, epochs) in [(0, 1), (0, 3), (3, 1), (3, 3), (7, 1), (7, 3)] {
        let (x, labels, optimizer) = steep(bad);
        // The network has one layer, because a second one would overflow in the forward pass.
        let single = || Mlp::new(device, &[4, 3], 1);
        let mut trained = single()?;
        let error = trained.fit(x.view(), &labels, &eights(epochs, optimizer)).unwrap_err();
        update_at(&error, 0, bad);
        let mut wanted = single()?;
        if bad > 0 {
            wanted.fit(x.slice(s![..8 * bad, ..]), &labels[..8 * bad], &eights(1, optimizer))?;
        }
        assert_eq!(bits(&trained)?, bits(&wanted)?, "step {bad} of {epochs} epochs");
        assert_eq!(trained.last_copy(), wanted.parameters()?);
    }
    Ok(())
}

/// A callback that ends the training with an error leaves finite parameters behind, regardless of the steps that had already
/// been submitted.
pub fn behind_a_callbacks_error(device: &Device) -> Result<()> {
    struct Fails;
    impl Callback for Fails {
        fn on_step(&mut self, step: &Step) -> Result<ControlFlow<()>> {
            Err(Error::Option { op: "a callback", option: "step", rule: "none", value: step.step as f64 })
        }
    }
    let (x, labels, optimizer) = steep(5);
    let mut trained = Mlp::new(device, &[4, 3], 1)?;
    let error = Trainer::new(&eights(2, optimizer)).callback(&mut Fails).fit(&mut trained, x.view(), &labels);
    // The first step is reported, and no other.
    assert_eq!(error.unwrap_err().to_string(), "a callback: step must be none; got 0");
    // Usually all steps of the epoch were submitted; a busy device may have done fewer.
    let steps = (1..=5).map(|steps| {
        let mut wanted = Mlp::new(device, &[4, 3], 1)?;
        wanted.fit(x.slice(s![..8 * steps, ..]), &labels[..8 * steps], &eights(1, optimizer))?;
        Ok(bits(&wanted)? == bits(&trained)?)
    });
    assert!(steps.collect::<Result<Vec<_>>>()?.contains(&true), "{:?}", trained.parameters()?);
    assert_eq!(trained.last_copy(), trained.parameters()?);
    Ok(())
}

/// An optimizer's state overflows in one step. No loss and no parameter shows this: the parameter would only stop changing from
/// then on.
pub fn overflowing_optimizers(device: &Device) -> Result<()> {
    const V: &str = "the optimizer's v";
    const SQUARES: &str = "the optimizer's squares";
    let optimizers =
        [(Optimizer::adam(1e-3), V), (Optimizer::adagrad(1e-3), SQUARES), (Optimizer::rmsprop(1e-3), SQUARES)];
    for (optimizer, slot) in optimizers {
        for (bad, epochs) in [(0, 1), (3, 2), (7, 1)] {
            let (x, labels, _) = steep(bad);
            let single = || Mlp::new(device, &[4, 3], 1);
            let careless = FitOptions { stop_on_non_finite: false, ..eights(epochs, optimizer) };
            let history = single()?.fit(x.view(), &labels, &careless)?;
            assert!(history.epochs.iter().all(|epoch| epoch.non_finite_rows == 0));
            let mut trained = single()?;
            let error = trained.fit(x.view(), &labels, &eights(epochs, optimizer)).unwrap_err();
            let right = Error::NonFinite { op: slot, layer: 0, row: None, epoch: 0, step: bad };
            assert_eq!(error.to_string(), right.to_string());
            assert!(error.to_string().starts_with(&format!("fit: {slot} of layer 0 is NaN or infinite")));
            let mut wanted = single()?;
            if bad > 0 {
                wanted.fit(x.slice(s![..8 * bad, ..]), &labels[..8 * bad], &eights(1, optimizer))?;
            }
            assert_eq!(bits(&trained)?, bits(&wanted)?, "{optimizer:?}, step {bad} of {epochs} epochs");
        }
    }
    // Only the second layer is affected: its inputs are huge, and its weights so small that the first layer's gradient stays
    // small.
    let (x, labels) = blobs(64, 4);
    let sized = |size: f32| -> Result<Mlp> {
        let mut layers = model(device)?.parameters()?;
        layers[0].weights *= size;
        layers[1].weights *= 1e-12;
        Mlp::from_parameters(device, layers)
    };
    let error = sized(1e23)?.fit(x.view(), &labels, &eights(1, Optimizer::adam(1e-3))).unwrap_err();
    assert!(
        matches!(error, Error::NonFinite { op: "the optimizer's v", layer: 1, row: None, epoch: 0, step: 0 }),
        "{error}"
    );
    // In a partial fit the optimizer's state is that from before the step.
    let options = eights(1, Optimizer::adam(1e-3));
    let (mut hurt, mut sound) = (model(device)?, model(device)?);
    for model in [&mut hurt, &mut sound] {
        model.partial_fit(x.view(), &labels, &options)?;
    }
    let error = hurt.partial_fit((1e25 * &x).view(), &labels, &options).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "the optimizer's v", layer: 0, epoch: 1, step: 0, .. }), "{error}");
    for model in [&mut hurt, &mut sound] {
        model.partial_fit(x.view(), &labels, &options)?;
    }
    assert_eq!(bits(&hurt)?, bits(&sound)?);
    // Squares whose own squares overflow are still finite.
    sized(1e14)?.fit(x.view(), &labels, &eights(2, Optimizer::adam(1e-3)))?;
    Ok(())
}

/// Features so large that gradients are well above 1.
pub(super) fn large() -> (Array2<f32>, Vec<u8>) {
    let (x, labels) = blobs(64, 4);
    (100.0 * x, labels)
}

/// Partial fits behave like fits. The optimizer's state is restored too, so the next piece continues as if there had been no
/// failure.
pub fn partial_fits_undone(device: &Device) -> Result<()> {
    let (x, labels) = large();
    let piece = |model: &mut Mlp, first: usize, options: &FitOptions| {
        model.partial_fit(x.slice(s![first..first + 16, ..]), &labels[first..first + 16], options)
    };
    let options = eights(1, Optimizer::momentum(1e-4, 0.9));
    let (mut hurt, mut sound) = (model(device)?, model(device)?);
    for model in [&mut hurt, &mut sound] {
        piece(model, 0, &options)?;
    }
    let wild = eights(1, Optimizer::momentum(3e38, 0.9));
    for _ in 0..2 {
        update_at(&piece(&mut hurt, 16, &wild).unwrap_err(), 1, 0);
        assert_eq!(bits(&hurt)?, bits(&sound)?);
        assert_eq!(hurt.last_copy(), sound.parameters()?);
    }
    let mut spoiled = x.clone();
    spoiled[[20, 1]] = f32::NAN;
    let error = hurt.partial_fit(spoiled.view(), &labels, &FitOptions { batch: 64, ..options.clone() }).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "features", row: Some(20), .. }), "{error}");
    let balanced = FitOptions { class_weights: ClassWeights::Each(vec![1.0]), ..options.clone() };
    assert!(matches!(piece(&mut hurt, 16, &balanced).unwrap_err(), Error::Shape { .. }));
    let (after, wanted) = (piece(&mut hurt, 32, &options)?, piece(&mut sound, 32, &options)?);
    assert_eq!((bits(&hurt)?, after.index), (bits(&sound)?, wanted.index));
    Ok(())
}

/// Rows that do not count can still make the gradients NaN, because 0 · NaN is NaN. The error names them.
pub fn rows_that_do_not_count(device: &Device) -> Result<()> {
    let (mut x, labels) = blobs(64, 4);
    x[[43, 1]] = f32::NAN; // a row of class 1, in step 5
    let weights: Vec<f32> = (0..64).map(|row| if row == 43 { 0.0 } else { 1.0 }).collect();
    let plain = eights(2, Optimizer::adam(0.01));
    let ignoring = FitOptions { ignore_index: Some(1), ..plain.clone() };
    for (options, weights) in [(&ignoring, None), (&plain, Some(&weights))] {
        let trained = |rows: usize| {
            let mut trained = model(device)?;
            let mut trainer = Trainer::new(options);
            if let Some(weights) = weights {
                trainer = trainer.row_weights(&weights[..rows]);
            }
            let result = trainer.fit(&mut trained, x.slice(s![..rows, ..]), &labels[..rows]);
            Ok((trained, result))
        };
        let (hurt, error) = trained(64)?;
        let error = error.unwrap_err();
        let right = Error::NonFinite { op: "features", layer: 0, row: Some(43), epoch: 0, step: 5 };
        assert_eq!(error.to_string(), right.to_string());
        let one = FitOptions { epochs: 1, ..options.clone() };
        let mut sound = model(device)?;
        let mut trainer = Trainer::new(&one);
        if let Some(weights) = weights {
            trainer = trainer.row_weights(&weights[..40]);
        }
        trainer.fit(&mut sound, x.slice(s![..40, ..]), &labels[..40])?;
        assert_eq!(bits(&hurt)?, bits(&sound)?);
    }
    Ok(())
}

/// Parameters that were NaN before the first step are reported as such, and are not changed.
pub fn parameters_given_as_nan(device: &Device) -> Result<()> {
    let (x, labels) = large();
    let mut spoiled = model(device)?;
    let careless = FitOptions { stop_on_non_finite: false, ..eights(1, Optimizer::sgd(3e38)) };
    let history = spoiled.fit(x.view(), &labels, &careless)?;
    assert!(history.epochs[0].non_finite_rows > 0);
    let before = bits(&spoiled)?;
    let error = spoiled.fit(x.view(), &labels, &eights(2, Optimizer::sgd(1e-4))).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "parameters", row: None, epoch: 0, step: 0, .. }), "{error}");
    assert_eq!(bits(&spoiled)?, before);
    Ok(())
}

/// A callback that records the epochs, and the parameters after each.
#[derive(Default)]
struct Watched(Vec<(wgpu_mlp::Epoch, Vec<u32>)>);

impl Callback for Watched {
    fn on_epoch(&mut self, model: &Mlp, epoch: &wgpu_mlp::Epoch) -> Result<ControlFlow<()>> {
        self.0.push((epoch.clone(), bits(model)?));
        Ok(ControlFlow::Continue(()))
    }
}

/// Early stopping continues after an epoch whose validation loss is NaN. With `stop_on_non_finite` the error names the row, and
/// the epoch is kept.
pub fn validation_with_nan(device: &Device) -> Result<()> {
    let ((x, labels), (mut x_held, held)) = (blobs(64, 4), blobs(30, 5));
    let stopping = EarlyStopping { patience: 3, ..Default::default() };
    let options = FitOptions { early_stopping: Some(stopping), ..eights(20, Optimizer::adam(0.01)) };
    // Nothing to validate, which would not be seen in the losses before the patience has ended it.
    let unlabelled = [-100i32; 30];
    let mut trained = model(device)?;
    let trainer = Trainer::new(&options).validation_set(x_held.view(), &unlabelled);
    let error = trainer.fit(&mut trained, x.view(), &labels).unwrap_err();
    assert!(error.to_string().starts_with("fit: no row is left to validate on"), "{error}");

    x_held[[17, 0]] = f32::NAN;
    let mut trained = model(device)?;
    let (folder, mut watched) = (tempfile::tempdir().unwrap(), Watched::default());
    let path = folder.path().join("checkpoint");
    let trainer = Trainer::new(&options).validation_set(x_held.view(), &held).checkpoint(&path).callback(&mut watched);
    let error = trainer.fit(&mut trained, x.view(), &labels).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "validation", row: Some(17), epoch: 0, step: 7, .. }), "{error}");
    // The epoch's parameters and its history are good, and kept: on the model, for callbacks, and in the checkpoint.
    let mut one_epoch = model(device)?;
    let wanted =
        one_epoch.fit(x.view(), &labels, &FitOptions { epochs: 1, early_stopping: None, ..options.clone() })?;
    let (parameters, loss) = (bits(&one_epoch)?, wanted.epochs[0].loss);
    assert_eq!(bits(&trained)?, parameters);
    let [(epoch, seen)] = &watched.0[..] else { panic!("{} epochs", watched.0.len()) };
    assert_eq!((epoch.loss, seen), (loss, &parameters));
    assert!(epoch.validation_loss.is_some_and(f64::is_nan), "{epoch:?}");
    let mut resumed = model(device)?;
    let again = FitOptions { epochs: 1, ..options.clone() };
    let trainer = Trainer::new(&again).validation_set(x_held.view(), &held).checkpoint(&path).resume();
    let history = trainer.fit(&mut resumed, x.view(), &labels)?;
    assert_eq!((history.epochs.len(), history.epochs[0].loss, bits(&resumed)?), (1, loss, parameters));
    // The error has the caller's row number also if rows were held back from the training data.
    let mut spoiled = x.clone();
    spoiled[[43, 2]] = f32::NAN;
    let mut ops = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let options = FitOptions { seed, validation_fraction: 0.25, ..eights(1, Optimizer::adam(0.01)) };
        match model(device)?.fit(spoiled.view(), &labels, &options).unwrap_err() {
            Error::NonFinite { op, row: Some(43), .. } => ops.insert(op),
            error => panic!("{error}"),
        };
    }
    assert_eq!(ops.into_iter().collect::<Vec<_>>(), ["features", "validation"]);
    // Without `stop_on_non_finite`, an epoch with NaN is never the best.
    let mut infinite = x.clone();
    infinite.column_mut(0).fill(f32::INFINITY);
    let careless = FitOptions { stop_on_non_finite: false, validation_fraction: 0.25, ..options.clone() };
    let history = model(device)?.fit(infinite.view(), &labels, &careless)?;
    assert_eq!((history.epochs.len(), history.best_epoch), (3, None));
    Ok(())
}
