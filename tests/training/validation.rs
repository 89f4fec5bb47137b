//! Tests of the validation: which rows it counts, and which threads read them.

use std::collections::BTreeSet;
use std::sync::Mutex;

use ndarray::{Array2, Axis};
use wgpu_mlp::source::{RowError, RowSource};
use wgpu_mlp::{ClassWeights, Device, FitOptions, Mlp, Optimizer, Result, Trainer};

use super::{bits, blobs};

/// Rows of the ignored class do not count, neither in the validation nor in training.
pub fn without_the_ignored_class(device: &Device) -> Result<()> {
    let ((x, labels), (x_held, held)) = (blobs(60, 5), blobs(45, 6));
    let kept: Vec<usize> = (0..45).filter(|row| held[*row] != 2).collect();
    let (x_kept, kept) = (x_held.select(Axis(0), &kept), kept.iter().map(|row| held[*row]).collect::<Vec<_>>());
    let options = FitOptions {
        epochs: 2,
        ignore_index: Some(2),
        // None of these options affects the validation.
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
    // From two means and their weighted sum follows the share of the weights that was held back. Some choice of rows must have
    // this share.
    let (train, held) = (epoch.loss, epoch.validation_loss.unwrap_or(f64::NAN));
    let share = (whole - sum * train) / (held - train);
    let quarters = 4.0 * share;
    assert!((quarters - quarters.round()).abs() < 1e-2 && share > 0.0 && share < sum, "{share} of {sum}");
    let plain = Trainer::new(&options).fit(&mut Mlp::new(device, &[4, 8, 3], 1)?, x.view(), &labels)?;
    assert_ne!(plain.epochs[0].validation_loss, epoch.validation_loss);
    assert_eq!(plain.epochs[0].validation_accuracy, epoch.validation_accuracy);
    Ok(())
}

/// A source that keeps the names of the threads that read it, and fails when its row 7 is read for the n-th time.
struct Named<'a> {
    x: &'a Array2<f32>,
    readers: Mutex<(BTreeSet<String>, usize)>,
    fails_at: usize,
}

impl RowSource for Named<'_> {
    fn dim(&self) -> (usize, usize) {
        self.x.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        let mut readers = self.readers.lock().map_err(|_| RowError::new(rows[0], "poisoned"))?;
        readers.0.insert(std::thread::current().name().unwrap_or("nameless").into());
        readers.1 += usize::from(rows.contains(&7));
        if readers.1 == self.fails_at {
            return Err(RowError::new(7, "out of ink"));
        }
        self.x.read_rows(rows, into)
    }
}

/// Workers read the validation rows too; without workers the caller reads them. Both give the same losses, and the same error
/// if a row cannot be read.
pub fn read_by_workers(device: &Device) -> Result<()> {
    let ((x, labels), (x_held, held)) = (blobs(60, 5), blobs(45, 6));
    let mut losses = Vec::new();
    let mut left = Vec::new();
    for workers in [0, 2] {
        let options = FitOptions { epochs: 3, batch: 16, workers, ..Default::default() };
        let named = |fails_at| Named { x: &x_held, readers: Mutex::default(), fails_at };
        let whole = named(usize::MAX);
        let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
        let history = Trainer::new(&options).validation_set(&whole, &held).fit(&mut model, x.view(), &labels)?;
        losses.push(history.epochs.iter().map(|epoch| epoch.validation_loss.map(f64::to_bits)).collect::<Vec<_>>());
        let (readers, reads) = &*whole.readers.lock().unwrap();
        let by_workers = |name: &String| name.starts_with("wgpu-mlp reader");
        assert!(readers.iter().all(|name| by_workers(name) == (workers > 0)), "{workers} workers: {readers:?}");
        assert_eq!(*reads, 3, "{workers} workers");

        let broken = named(2);
        let mut model = Mlp::new(device, &[4, 8, 3], 1)?;
        let error = Trainer::new(&options).validation_set(&broken, &held).fit(&mut model, x.view(), &labels);
        assert_eq!(
            error.unwrap_err().to_string(),
            "validation: row 7 could not be read: out of ink",
            "{workers} workers"
        );
        left.push(bits(&model)?);
    }
    assert_eq!(losses[0], losses[1]);
    assert_eq!(left[0], left[1]);
    Ok(())
}
