//! Rows that do not count: by a weight of 0, by the label -100, by a label of the caller's own choice.

use ndarray::s;
use wgpu_mlp::{ClassWeights, Device, Error, FitOptions, Label, Mlp, Optimizer, Result, Targets, Trainer};

use super::{bits, blobs, without_times};

fn model(device: &Device) -> Result<Mlp> {
    Mlp::new(device, &[4, 8, 3], 1)
}

fn options(ignore_index: Option<i64>) -> FitOptions {
    FitOptions {
        epochs: 3,
        batch: 16,
        class_weights: ClassWeights::Balanced,
        label_smoothing: 0.1,
        ignore_index,
        ..Default::default()
    }
}

/// The largest difference between the parameters of two models; infinity if one of them is NaN.
fn distance(a: &Mlp, b: &Mlp) -> Result<f32> {
    let (a, b) = (a.parameters()?, b.parameters()?);
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(&b).flat_map(|(a, b)| [(&a.weights, &b.weights), (&a.biases, &b.biases)]);
    let apart = pairs.flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b).abs()));
    Ok(apart.map(|apart| if apart.is_nan() { f32::INFINITY } else { apart }).fold(0.0, f32::max))
}

/// Row weights of 0, labels of -100, and an ignored class leave rows out as if they were not there.
pub fn left_out(device: &Device) -> Result<()> {
    let (x, labels) = blobs(60, 5);
    let few = x.slice(s![..30, ..]);
    // Plain gradient descent, because Adam's first steps have the same length for every gradient of the same sign.
    let options =
        FitOptions { epochs: 3, batch: 60, shuffle: false, optimizer: Optimizer::sgd(0.1), ..Default::default() };
    let (mut wanted, mut all) = (model(device)?, model(device)?);
    wanted.fit(few, &labels[..30], &options)?;
    all.fit(x.view(), &labels, &options)?;
    let close = |a: &Mlp, b: &Mlp| -> Result<()> {
        assert!(distance(a, b)? < 1e-5, "{}", distance(a, b)?);
        // Training on all rows gives other parameters.
        assert!(distance(a, &all)? > 1e-3, "{}", distance(a, &all)?);
        Ok(())
    };
    let weights: Vec<f32> = (0..60).map(|row| if row < 30 { 2.0 } else { 0.0 }).collect();
    let mut weighted = model(device)?;
    Trainer::new(&options).row_weights(&weights).fit(&mut weighted, x.view(), &labels)?;
    close(&weighted, &wanted)?;
    let marked: Vec<i32> = (0..60).map(|row| if row < 30 { i32::from(labels[row]) } else { -100 }).collect();
    let mut unlabelled = model(device)?;
    let history = unlabelled.fit(x.view(), &marked, &options)?;
    assert_eq!(history.epochs[0].rows, 30);
    close(&unlabelled, &wanted)?;
    assert_eq!(unlabelled.score(x.view(), &marked)?, unlabelled.score(few, &labels[..30])?);
    let (mut by_class, mut by_weight) = (model(device)?, model(device)?);
    by_class.fit(x.view(), &labels, &FitOptions { ignore_index: Some(2), ..options.clone() })?;
    let each = ClassWeights::Each(vec![1.0, 1.0, 0.0]);
    by_weight.fit(x.view(), &labels, &FitOptions { class_weights: each, ..options.clone() })?;
    close(&by_class, &by_weight)
}

/// The labels with -100 instead of `ignored`.
fn marked(labels: &[i64], ignored: i64) -> Vec<i64> {
    labels.iter().map(|label| if *label == ignored { Targets::IGNORED } else { *label }).collect()
}

/// Trains in every possible way on these labels: returns the histories of the fits and the bits of the models.
fn trained<L: Label>(device: &Device, labels: &[L], ignored: Option<i64>) -> Result<(Vec<wgpu_mlp::Epoch>, Vec<u32>)> {
    let ((x, _), options) = (blobs(60, 5), options(ignored));
    let (mut fitted, mut held, mut parts) = (model(device)?, model(device)?, model(device)?);
    let validated = Trainer::new(&options).validation_set(x.slice(s![..30, ..]), &labels[..30]);
    let history = validated.fit(&mut fitted, x.view(), labels)?;
    let half = FitOptions { validation_fraction: 0.5, ..options.clone() };
    let split = held.fit(x.view(), labels, &half)?;
    let epoch = parts.partial_fit(x.view(), labels, &options)?;
    assert!(epoch.rows < 60 && epoch.rows == history.epochs[0].rows);
    let epochs = [without_times(&history), without_times(&split)].concat();
    Ok((epochs, [bits(&fitted)?, bits(&held)?, bits(&parts)?].concat()))
}

/// Any integer as the ignored label, also a class, gives the bits that -100 gives, and every other label that is not a class
/// stays an error.
pub fn any_label(device: &Device) -> Result<()> {
    let labels: Vec<i64> = blobs(60, 5).1.iter().map(|label| i64::from(*label)).collect();
    let with = |ignored: i64| -> Vec<i64> {
        labels.iter().enumerate().map(|(row, label)| if row % 4 == 1 { ignored } else { *label }).collect()
    };
    let wanted = trained(device, &with(Targets::IGNORED), None)?;
    for ignored in [-100, -1, 3, 255, i64::MIN, i64::MAX] {
        assert_eq!(trained(device, &with(ignored), Some(ignored))?, wanted, "{ignored}");
    }
    let bytes: Vec<u8> = with(255).iter().map(|label| *label as u8).collect();
    assert_eq!(trained(device, &bytes, Some(255))?, wanted);
    // A class can be ignored too.
    assert_eq!(trained(device, &labels, Some(2))?, trained(device, &marked(&labels, 2), None)?);
    // If no row has that label, nothing changes.
    let ((x, labels), [mut one, mut other]) = (blobs(60, 5), [model(device)?, model(device)?]);
    one.fit(x.view(), &labels, &options(Some(7)))?;
    other.fit(x.view(), &labels, &options(None))?;
    assert_eq!(bits(&one)?, bits(&other)?);

    let mut spoiled = with(255);
    spoiled[41] = -1;
    let error = trained(device, &spoiled, Some(255)).unwrap_err();
    assert!(matches!(error, Error::Target { op: "targets", row: 41, class: -1, classes: 3 }), "{error}");
    let error = trained(device, &with(255), None).unwrap_err();
    assert!(matches!(error, Error::Target { op: "targets", row: 1, class: 255, classes: 3 }), "{error}");
    let unlabelled = with(255);
    let error = Trainer::new(&options(None)).validation_set(x.view(), &unlabelled).fit(&mut one, x.view(), &labels);
    assert_eq!(error.unwrap_err().to_string(), "validation: row 1 has class 255; classes run from 0 to 2");
    // A label of u64 that no i64 can hold is reported as it is.
    let mut far: Vec<u64> = labels.iter().map(|label| u64::from(*label)).collect();
    far[7] = u64::MAX;
    let error = Trainer::new(&options(None)).validation_set(x.view(), &far).fit(&mut one, x.view(), &labels);
    let words = format!("validation: row 7 has class {}; classes run from 0 to 2", u64::MAX);
    assert_eq!(error.unwrap_err().to_string(), words);
    scored(device, &x, &with(-1))
}

/// Scores leave out rows with the label -100.
fn scored(device: &Device, x: &ndarray::Array2<f32>, labels: &[i64]) -> Result<()> {
    let (model, marked) = (model(device)?, marked(labels, -1));
    let counted: Vec<usize> = (0..60).filter(|row| labels[*row] != -1).collect();
    let (few, told) =
        (x.select(ndarray::Axis(0), &counted), counted.iter().map(|row| labels[*row]).collect::<Vec<_>>());
    assert_eq!(model.score(x.view(), &marked)?, model.score(few.view(), &told)?);
    assert_eq!(model.evaluate(x.view(), &marked)?.rows, counted.len() as u64);
    assert_eq!(model.confusion_matrix(x.view(), &marked)?, model.confusion_matrix(few.view(), &told)?);
    assert_eq!(Targets::classes(device, &marked, 3)?.ignored_rows(), 60 - counted.len());
    Ok(())
}
