//! Tests of predictions and scores: rows without a label, rows with NaN, ties, and probabilities next to 0.

use ndarray::{Array2, array};
use wgpu_mlp::{Device, Error, Mlp, Parameters, Result, Targets};

use super::blobs;

/// A model of three classes whose logits are its features.
fn logits_of_features(device: &Device) -> Result<Mlp> {
    Mlp::from_parameters(device, vec![Parameters { weights: Array2::eye(3), biases: Array2::zeros((1, 3)) }])
}

/// A score over rows without any label is NaN, and the counts are 0.
pub fn without_a_label(device: &Device) -> Result<()> {
    let (model, x) = (logits_of_features(device)?, array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let labels = [-100i8; 2];
    assert!(model.score(x.view(), &labels)?.is_nan());
    assert!(model.score_top_k(x.view(), &labels, 2)?.is_nan());
    let statistics = model.evaluate(x.view(), &labels)?;
    assert!(statistics.mean_loss().is_nan() && statistics.accuracy().is_nan(), "{statistics:?}");
    assert_eq!((statistics.rows, statistics.non_finite_rows, statistics.first_bad_row), (0, 0, None));
    let matrix = model.confusion_matrix(x.view(), &labels)?;
    assert_eq!((matrix.counts().sum(), matrix.accuracy()), (0, 0.0));
    Ok(())
}

/// A row with NaN is a miss for every k, does not affect other rows, and is counted.
pub fn with_nan(device: &Device) -> Result<()> {
    let model = logits_of_features(device)?;
    let (x, labels) = (array![[2.0, 1.0, 0.0], [f32::NAN, 1.0, 0.0], [0.0, 0.0, 5.0]], [0u8, 0, 2]);
    // The first NaN is the maximum, and its class is the label, but the row is still a miss.
    assert_eq!(model.predict(x.view())?, [0, 0, 2]);
    assert_eq!(model.score(x.view(), &labels)?, 2.0 / 3.0);
    for k in 1..=4 {
        assert_eq!(model.score_top_k(x.view(), &labels, k)?, 2.0 / 3.0, "{k}");
    }
    let statistics = model.evaluate(x.view(), &labels)?;
    assert_eq!((statistics.rows, statistics.correct), (3, 2));
    assert_eq!((statistics.non_finite_rows, statistics.first_bad_row), (1, Some(1)));
    let probs = model.predict_proba(x.view())?;
    assert!(probs.row(1).iter().all(|p| p.is_nan()), "{probs}");
    assert!([0, 2].iter().all(|row| (probs.row(*row).sum() - 1.0).abs() < 1e-5), "{probs}");
    Ok(())
}

/// The classes of targets: for a distribution the class of its first maximum, for rows that do not count -100 as a u32.
pub fn classes_of_targets(device: &Device) -> Result<()> {
    let shares = Targets::distributions(device, array![[0.5, 0.5, 0.0], [0.0, 0.25, 0.75], [0.0, 0.0, 0.0]].view())?;
    assert_eq!(shares.to_classes()?, [0, 2, 0]);
    let marked = Targets::classes(device, &[1i8, -100, 2, -100], 3)?;
    assert_eq!(marked.to_classes()?, [1, -100i32 as u32, 2, -100i32 as u32]);
    assert_eq!((marked.rows(), marked.class_count(), marked.ignored_rows()), (4, 3, 2));
    Ok(())
}

/// If several classes are equally probable, the first one is predicted, and the score counts it.
pub fn with_ties(device: &Device) -> Result<()> {
    let model = logits_of_features(device)?;
    let (x, labels) = (array![[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [2.0, 2.0, 2.0]], [1u8, 1, 0]);
    assert_eq!(model.predict(x.view())?, [0, 1, 0]);
    assert_eq!(model.score(x.view(), &labels)?, 2.0 / 3.0);
    assert_eq!(model.score_top_k(x.view(), &labels, 1)?, 2.0 / 3.0);
    assert_eq!(model.score_top_k(x.view(), &labels, 2)?, 1.0);
    Ok(())
}

/// The logarithm of a probability close to 0 is finite.
pub fn next_to_nothing(device: &Device) -> Result<()> {
    let (model, x) = (logits_of_features(device)?, array![[0.0, -200.0, -1000.0]]);
    let (probs, logs) = (model.predict_proba(x.view())?, model.predict_log_proba(x.view())?);
    // These are below all normal numbers, and a device may replace them by 0.
    assert!(probs[[0, 1]] < f32::MIN_POSITIVE && probs[[0, 2]] < f32::MIN_POSITIVE, "{probs}");
    let near = logs.iter().zip(&x).all(|(log, x): (&f32, &f32)| (log - x).abs() < 1e-2);
    assert!(near && (probs[[0, 0]] - 1.0).abs() < 1e-5, "{probs}, {logs}");
    Ok(())
}

/// With weights the loss is the mean by the weights, whatever their size, and the accuracy counts every row.
pub fn by_weight(device: &Device) -> Result<()> {
    let (x, labels) = blobs(600, 5);
    let weights: Vec<f32> = (0..600).map(|row| 0.25 * (row % 5) as f32).collect();
    // The model is so wide that a batch has 512 rows.
    let model = Mlp::new(device, &[4, 8192, 3], 1)?;
    let logs = model.predict_log_proba(x.view())?;
    let loss = |row: usize| -f64::from(logs[[row, labels[row].into()]]) * f64::from(weights[row]);
    let wanted = (0..600).map(loss).sum::<f64>() / 300.0;
    let (plain, sums) = (model.evaluate(x.view(), &labels)?, model.evaluate_weighted(x.view(), &labels, &weights)?);
    assert!((sums.mean_loss() - wanted).abs() < 1e-4 * wanted, "{} and {wanted}", sums.mean_loss());
    assert_ne!(sums.mean_loss(), plain.mean_loss());
    assert_eq!((sums.weight_sum, sums.rows, sums.correct), (300.0, plain.rows, plain.correct));
    let awaited = model.evaluate_weighted_async(x.view(), &labels, &weights);
    assert_eq!(pollster::block_on(awaited)?, sums);
    // In f32 the sum of the first of these is infinite, and most of the second are 0 on some devices.
    for factor in [2f32.powi(125), 2f32.powi(-125)] {
        let scaled: Vec<f32> = weights.iter().map(|weight| factor * weight).collect();
        let scaled = model.evaluate_weighted(x.view(), &labels, &scaled)?;
        assert_eq!(scaled.mean_loss(), sums.mean_loss(), "{factor}");
        assert_eq!(scaled.weight_sum, 300.0 * f64::from(factor));
    }
    assert!(model.evaluate_weighted(x.view(), &labels, &[0.0; 600])?.mean_loss().is_nan());
    let error = model.evaluate_weighted(x.view(), &labels, &weights[1..]).unwrap_err();
    assert!(matches!(error, Error::Shape { op: "evaluate_weighted", .. }), "{error}");
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        let mut weights = weights.clone();
        weights[7] = bad;
        let error = model.evaluate_weighted(x.view(), &labels, &weights).unwrap_err();
        assert!(matches!(error, Error::Weight { op: "evaluate_weighted", what: "row", index: 7, .. }), "{error}");
    }
    Ok(())
}

/// Rows of several batches: the first row with NaN is named by the caller's number.
pub fn over_batches(device: &Device) -> Result<()> {
    const BAD: usize = 1200;
    let (mut x, labels) = blobs(1300, 5);
    x[[BAD, 1]] = f32::NAN;
    // The model is so wide that a batch has 512 rows.
    let model = Mlp::new(device, &[4, 8192, 3], 1)?;
    let statistics = model.evaluate(x.view(), &labels)?;
    assert_eq!((statistics.rows, statistics.non_finite_rows), (1300, 1));
    assert_eq!(statistics.first_bad_row, Some(BAD as u64));
    let classes = model.predict(x.view())?;
    // The class of NaN is 0, which is the label here, and the row is a miss.
    assert_eq!((classes[BAD], labels[BAD]), (0, 0));
    let hit = |row: &usize| classes[*row] == u32::from(labels[*row]) && *row != BAD;
    let hits = (0..1300).filter(hit).count();
    assert!((1..1300).contains(&hits), "{hits}");
    assert_eq!(statistics.correct, hits as u64);
    assert_eq!(model.score(x.view(), &labels)?, hits as f64 / 1300.0);
    Ok(())
}
