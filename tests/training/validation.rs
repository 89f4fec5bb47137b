//! Tests of the validation: which rows it counts.

use ndarray::Axis;
use wgpu_mlp::{ClassWeights, Device, FitOptions, Mlp, Optimizer, Result, Trainer};

use super::blobs;

/// Rows of the ignored class count no more in the validation than in training.
pub fn without_the_ignored_class(device: &Device) -> Result<()> {
    let ((x, labels), (x_held, held)) = (blobs(60, 5), blobs(45, 6));
    let kept: Vec<usize> = (0..45).filter(|row| held[*row] != 2).collect();
    let (x_kept, kept) = (x_held.select(Axis(0), &kept), kept.iter().map(|row| held[*row]).collect::<Vec<_>>());
    let options = FitOptions {
        epochs: 2,
        ignore_index: Some(2),
        // Neither of these has a part in the validation.
        class_weights: ClassWeights::Each(vec![3.0, 1.0, 1.0]),
        label_smoothing: 0.3,
        ..Default::default()
    };
    let trained = |x_held, held: &[u8]| {
        let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
        let history = Trainer::new(&options).validation_set(x_held, held).fit(&mut model, x.view(), &labels)?;
        Ok((history, model))
    };
    let ((all, _), (wanted, model)) = (trained(x_held.view(), &held)?, trained(x_kept.view(), &kept)?);
    for (all, wanted) in all.epochs.iter().zip(&wanted.epochs) {
        let loss = |epoch: &wgpu_mlp::Epoch| epoch.validation_loss.unwrap_or(f64::NAN);
        assert!((loss(all) - loss(wanted)).abs() < 1e-6, "{} and {}", loss(all), loss(wanted));
        assert_eq!(all.validation_accuracy, wanted.validation_accuracy);
    }
    let again = model.evaluate(x_kept.view(), &kept)?.mean_loss();
    assert!((wanted.epochs[1].validation_loss.unwrap_or(f64::NAN) - again).abs() < 1e-6);
    Ok(())
}

/// Rows that are held back keep their weights.
pub fn with_the_rows_weights(device: &Device) -> Result<()> {
    let (x, labels) = blobs(60, 5);
    let weights: Vec<f32> = (0..60).map(|row| 0.25 * (row % 5) as f32).collect();
    let options = FitOptions {
        epochs: 1,
        optimizer: Optimizer::sgd(0.0), // so that the model after the epoch is that of before
        validation_fraction: 0.5,
        ..Default::default()
    };
    let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
    let history = Trainer::new(&options).row_weights(&weights).fit(&mut model, x.view(), &labels)?;
    let epoch = &history.epochs[0];
    // All rows are either trained on or held back, and each half's mean is by its own weights.
    let logs = model.predict_log_proba(x.view())?;
    let loss = |row: usize| -f64::from(logs[[row, labels[row].into()]]) * f64::from(weights[row]);
    let whole: f64 = (0..60).map(loss).sum();
    let sum = f64::from(weights.iter().sum::<f32>());
    // Two means and their weighted sum: the share of the weights that was held back follows, and must be one that rows give.
    let (train, held) = (epoch.loss, epoch.validation_loss.unwrap_or(f64::NAN));
    let share = (whole - sum * train) / (held - train);
    let quarters = 4.0 * share;
    assert!((quarters - quarters.round()).abs() < 1e-2 && share > 0.0 && share < sum, "{share} of {sum}");
    let plain = Trainer::new(&options).fit(&mut Mlp::new(device, &[4, 8, 3], 1)?, x.view(), &labels)?;
    assert_ne!(plain.epochs[0].validation_loss, epoch.validation_loss);
    assert_eq!(plain.epochs[0].validation_accuracy, epoch.validation_accuracy);
    Ok(())
}
