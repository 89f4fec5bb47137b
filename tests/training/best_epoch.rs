//! Tests of which epoch is the best, when early stopping ends a training, and with which parameters.

use wgpu_mlp::{Device, EarlyStopping, Epoch, FitOptions, Mlp, Monitor, Optimizer, Result, Trainer};

use super::{bits, blobs};

fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[4, 32, 3], 1)
}

/// A rate so high that losses go up and down, and that the training overfits.
fn wild(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch: 9, optimizer: Optimizer::adam(0.05), ..Default::default() }
}

/// After early stopping the model has the parameters of the best epoch, or those of the last one without `restore_best`. Both
/// are those of a training of as many epochs.
pub fn restored_or_not(device: &Device) -> Result<()> {
    let ((x, labels), (x_held, held)) = (blobs(45, 2), blobs(90, 3));
    let after = |epochs: usize| -> Result<Vec<u32>> {
        let mut trained = model(device)?;
        trained.fit(x.view(), &labels, &wild(epochs))?;
        bits(&trained)
    };
    for restore_best in [false, true] {
        let early_stopping = Some(EarlyStopping { patience: 4, restore_best, ..Default::default() });
        let (mut trained, options) = (model(device)?, FitOptions { early_stopping, ..wild(300) });
        let trainer = Trainer::new(&options).validation_set(x_held.view(), &held);
        let history = trainer.fit(&mut trained, x.view(), &labels)?;
        let best = history.best_epoch.unwrap_or(usize::MAX);
        assert_eq!(history.epochs.len(), best + 1 + 4);
        let wanted = if restore_best { best + 1 } else { history.epochs.len() };
        assert_eq!(bits(&trained)?, after(wanted)?, "restored: {restore_best}");
        assert_eq!(trained.last_copy(), trained.parameters()?);
    }
    Ok(())
}

/// The number of the first epoch with the lowest value.
fn lowest(epochs: &[Epoch], value: impl Fn(&Epoch) -> f64) -> Option<usize> {
    epochs.iter().min_by(|one, other| value(one).total_cmp(&value(other))).map(|epoch| epoch.index)
}

/// Without early stopping the best epoch is the one with the lowest validation loss, or with the lowest training loss if there
/// is no validation, and the model keeps the parameters of the last epoch.
pub fn without_early_stopping(device: &Device) -> Result<()> {
    let ((x, labels), (x_held, held)) = (blobs(45, 2), blobs(90, 3));
    let options = wild(20);
    let (mut alone, mut validated) = (model(device)?, model(device)?);
    let history = alone.fit(x.view(), &labels, &options)?;
    assert_eq!(history.best_epoch, lowest(&history.epochs, |epoch| epoch.loss));
    let trainer = Trainer::new(&options).validation_set(x_held.view(), &held);
    let history = trainer.fit(&mut validated, x.view(), &labels)?;
    let best = lowest(&history.epochs, |epoch| epoch.validation_loss.unwrap_or(f64::NAN));
    assert_eq!((history.best_epoch, history.epochs.len()), (best, 20));
    assert_eq!(bits(&validated)?, bits(&alone)?, "a validation changes the training");
    Ok(())
}

/// The best epoch and the number of epochs by the rule that an epoch is better if its loss is lower than the best by more than
/// `min_delta`.
fn by_the_rule(losses: &[f64], min_delta: f64, patience: usize) -> (usize, usize) {
    let mut best = 0;
    for (epoch, loss) in losses.iter().enumerate() {
        if losses[best] - loss > min_delta {
            best = epoch;
        }
        if epoch - best == patience {
            return (best, epoch + 1);
        }
    }
    (best, losses.len())
}

/// An epoch that is better by less than `min_delta` counts as not better.
pub fn better_by_more(device: &Device) -> Result<()> {
    const EPOCHS: usize = 150;
    let (x, labels) = blobs(60, 5);
    let plain = FitOptions { epochs: EPOCHS, batch: 60, optimizer: Optimizer::sgd(0.02), ..Default::default() };
    let losses: Vec<f64> =
        model(device)?.fit(x.view(), &labels, &plain)?.epochs.into_iter().map(|epoch| epoch.loss).collect();
    // Half of the first improvement: the first epochs improve by more, and later ones by less and less.
    let (min_delta, patience) = (0.5 * (losses[0] - losses[1]), 6);
    assert!(min_delta > 0.0, "{losses:?}");
    let stopping = EarlyStopping { monitor: Monitor::Loss, patience, min_delta, ..Default::default() };
    let options = FitOptions { early_stopping: Some(stopping), ..plain };
    let history = model(device)?.fit(x.view(), &labels, &options)?;
    let (best, epochs) = by_the_rule(&losses, min_delta, patience);
    assert_eq!((history.best_epoch, history.epochs.len()), (Some(best), epochs));
    assert!(best > 0 && epochs < EPOCHS, "best epoch {best} of {epochs}: {losses:?}");
    Ok(())
}
