//! Trainings without any row for training or validation: refused at the start, with the model as it was.

#![allow(clippy::unwrap_used, reason = "tests")]

use ndarray::Array2;
use wgpu_mlp::{ClassWeights, Device, Error, FitOptions, Mlp, Targets, Trainer};

/// Each row has its own class: a validation fraction would hold no row back, and early stopping would use the training loss.
#[test]
fn a_validation_without_rows_is_refused() {
    let x = ndarray::Array2::from_shape_fn((3, 4), |(row, col)| (row + col) as f32);
    let options = FitOptions { validation_fraction: 0.4, ..Default::default() };
    let fit = |labels: &[u8]| Mlp::new(&Device::cpu(), &[4, 3], 1).unwrap().fit(x.view(), labels, &options);
    let error = fit(&[0, 1, 2]).unwrap_err();
    assert!(error.to_string().starts_with("fit: no row is left to validate on"), "{error}");
    let error = Mlp::new(&Device::cpu(), &[4, 3], 1).unwrap().fit(x.view(), &[-100; 3], &options).unwrap_err();
    assert!(error.to_string().starts_with("fit: no row is left to validate on"), "{error}");
    let mut model = Mlp::new(&Device::cpu(), &[4, 3], 1).unwrap();
    let weightless = Trainer::new(&options).row_weights(&[1.0, 0.0, 0.0]);
    let error = weightless.fit(&mut model, x.view(), &[0u8, 1, 1]).unwrap_err();
    assert!(error.to_string().starts_with("fit: no row is left to validate on"), "{error}");
    // A validation set replaces the fraction, so all rows are trained on.
    let history = Trainer::new(&options).validation_set(x.view(), &[0u8, 1, 1]).fit(&mut model, x.view(), &[0u8, 1, 1]);
    assert_eq!(history.unwrap().epochs[0].rows, 3);
    assert!(fit(&[0, 1, 1]).unwrap().epochs[0].validation_loss.is_some_and(f64::is_finite));
}

fn model() -> Mlp {
    Mlp::new(&Device::cpu(), &[4, 3], 1).unwrap()
}

/// Trains in each way on labels, row weights and class weights that leave no row that counts, and returns the error's text.
fn refused(labels: &[i64], weights: Option<&[f32]>, options: &FitOptions) -> String {
    let (x, mut model) = (Array2::from_elem((labels.len(), 4), 0.5), model());
    let before = model.parameters().unwrap();
    let mut trainer = Trainer::new(options);
    if let Some(weights) = weights {
        trainer = trainer.row_weights(weights);
    }
    let error = trainer.fit(&mut model, &x, labels).unwrap_err();
    assert!(matches!(error, Error::Combination { op: "fit", .. }), "{error}");
    if weights.is_none() {
        let piece = model.partial_fit(&x, labels, options).unwrap_err();
        assert_eq!(piece.to_string(), error.to_string());
    }
    assert_eq!(model.parameters().unwrap(), before);
    error.to_string()
}

#[test]
fn a_training_without_rows_that_count_is_refused() {
    let words = "fit: no row is left to train on: each is ignored by its label, or has a weight of 0, or is of a class \
                 whose weight is 0";
    let plain = FitOptions::default();
    let ignoring = |class| FitOptions { ignore_index: Some(class), ..Default::default() };
    let weighing =
        |weights: [f32; 3]| FitOptions { class_weights: ClassWeights::Each(weights.to_vec()), ..Default::default() };
    let balanced = FitOptions { class_weights: ClassWeights::Balanced, ..Default::default() };
    assert_eq!(refused(&[Targets::IGNORED; 3], None, &plain), words);
    assert_eq!(refused(&[Targets::IGNORED; 3], None, &balanced), words);
    assert_eq!(refused(&[2, 2, -100], None, &ignoring(2)), words);
    assert_eq!(refused(&[0, 1, 2], Some(&[0.0; 3]), &plain), words);
    assert_eq!(refused(&[0, -100, -100], Some(&[0.0, 1.0, 2.0]), &plain), words);
    assert_eq!(refused(&[0, 1, 2], None, &weighing([0.0; 3])), words);
    assert_eq!(refused(&[0, 0, -100], None, &weighing([0.0, 1.0, 1.0])), words);
    assert_eq!(refused(&[0, 1, 1], Some(&[1.0, 0.0, 0.0]), &weighing([0.0, 1.0, 1.0])), words);
}

#[test]
fn one_row_that_counts_is_a_training() {
    let x = Array2::from_elem((3, 4), 0.5);
    let options = FitOptions { class_weights: ClassWeights::Each(vec![0.0, 1.0, 1.0]), ..Default::default() };
    let mut model = model();
    let history = Trainer::new(&options).row_weights(&[1.0, 2.0, 1.0]).fit(&mut model, &x, &[0, 1, -100]).unwrap();
    assert!(history.epochs.iter().all(|epoch| epoch.loss.is_finite()));
    // None of the rows that a fraction leaves for training counts, but one of the rows held back does.
    let half = FitOptions { validation_fraction: 0.5, ..Default::default() };
    let weights = [1.0, 0.0];
    let outcomes = (0..20).map(|seed| {
        let options = FitOptions { seed, ..half.clone() };
        Trainer::new(&options).row_weights(&weights).fit(&mut model, x.slice(ndarray::s![..2, ..]), &[1, 1])
    });
    let words: Vec<_> = outcomes.map(|outcome| outcome.unwrap_err().to_string()).collect();
    assert!(words.iter().any(|words| words.starts_with("fit: no row is left to train on")), "{words:?}");
    assert!(words.iter().any(|words| words.starts_with("fit: no row is left to validate on")), "{words:?}");
}
