//! Metrics compared with scikit-learn's figures, their errors, and extreme cases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use ndarray::{Array2, Axis, array, concatenate};
use wgpu_mlp::metrics::{ConfusionMatrix, balanced_class_weights, top_k_accuracy};
use wgpu_mlp::source::FromFn;
use wgpu_mlp::{Device, Error, FitOptions, Mlp};

const LABELS: [u8; 10] = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3];
const PREDICTIONS: [i64; 10] = [0, 0, 1, 1, 2, 2, 2, 0, 2, 2];

#[test]
fn scores_are_those_of_scikit_learn() {
    let matrix = ConfusionMatrix::new(&LABELS, &PREDICTIONS, 4).unwrap();
    assert_eq!(matrix.counts(), array![[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 3, 0], [0, 0, 1, 0]]);
    assert_eq!(matrix.support(), [3, 2, 4, 1]);
    assert_eq!(matrix.accuracy(), 0.6);
    // precision_recall_fscore_support(labels, predictions, zero_division=0)
    assert_eq!(matrix.precision(), [2.0 / 3.0, 0.5, 0.6, 0.0]);
    assert_eq!(matrix.recall(), [2.0 / 3.0, 0.5, 0.75, 0.0]);
    assert_eq!(matrix.f1(), [2.0 / 3.0, 0.5, 2.0 / 3.0, 0.0]);
    let report = matrix.report();
    assert!((report.macro_average.precision - (2.0 / 3.0 + 0.5 + 0.6) / 4.0).abs() < 1e-15);
    assert!((report.weighted_average.precision - (3.0 * (2.0 / 3.0) + 2.0 * 0.5 + 4.0 * 0.6) / 10.0).abs() < 1e-15);
    assert!((report.weighted_average.recall - report.accuracy).abs() < 1e-15);
    assert_eq!(report.weighted_average.support, 10);
}

#[test]
fn tables_line_up_whatever_the_names() {
    let names = ["Äpfel", "a name that is longer than any heading", "c", "d"];
    let matrix = ConfusionMatrix::new(&LABELS, &PREDICTIONS, 4).unwrap().with_names(names).unwrap();
    for table in [matrix.to_string(), matrix.report().to_string()] {
        let widths: Vec<_> = table.lines().filter(|l| !l.is_empty()).map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    }
}

#[test]
fn wrong_inputs_are_typed_errors() {
    let error = ConfusionMatrix::new(&LABELS, &PREDICTIONS[1..], 4).unwrap_err().to_string();
    assert_eq!(error, "confusion_matrix: there must be a prediction for each label; got 9x1 and 10x1");
    let wrong = ConfusionMatrix::new(&LABELS, &PREDICTIONS, 3);
    assert!(matches!(wrong, Err(Error::Target { op: "targets", row: 9, class: 3, classes: 3 })));
    let error = ConfusionMatrix::new(&[0u8], &[-1i8], 3).unwrap_err().to_string();
    assert_eq!(error, "predictions: row 0 has class -1; classes run from 0 to 2");
    // A row may have no label, but it must have a prediction.
    let unpredicted = ConfusionMatrix::new(&[0i64, 1], &[0i64, -100], 2);
    assert!(matches!(unpredicted, Err(Error::Target { op: "predictions", row: 1, class: -100, classes: 2 })));
    let ignored = ConfusionMatrix::new(&[-100i64, -100], &[0i64, -100], 2).unwrap();
    assert_eq!((ignored.counts().sum(), ignored.accuracy()), (0, 0.0));
    let report = ignored.report();
    assert_eq!((report.weighted_average, report.macro_average), (Default::default(), Default::default()));
    assert!(matches!(ConfusionMatrix::new::<u8, u8>(&[], &[], 3), Err(Error::Empty { .. })));
    assert!(matches!(ConfusionMatrix::new(&[0u8], &[0u8], 0), Err(Error::Empty { .. })));
    assert!(matches!(ConfusionMatrix::new(&[0u8], &[0u8], 1 << 31), Err(Error::HostMemory { .. })));
    let mut matrix = ConfusionMatrix::new(&LABELS, &PREDICTIONS, 4).unwrap();
    assert!(matches!(matrix.clone().with_names(["one"]), Err(Error::Shape { .. })));
    // Names that are refused cost neither the counts nor the names before.
    matrix.set_names(["a", "b", "c", "d"]).unwrap();
    assert!(matches!(matrix.set_names(["one"]), Err(Error::Shape { op: "confusion_matrix", .. })));
    assert_eq!((matrix.names(), matrix.counts().sum()), (&["a", "b", "c", "d"].map(String::from)[..], 10));
    let probs = Array2::<f32>::zeros((10, 4));
    assert!(matches!(top_k_accuracy(probs.view(), &LABELS, 0), Err(Error::Option { option: "k", .. })));
    assert!(matches!(top_k_accuracy(probs.view(), &LABELS[1..], 1), Err(Error::Shape { .. })));
    let narrow = Array2::<f32>::zeros((10, 3));
    assert!(matches!(top_k_accuracy(narrow.view(), &LABELS, 1), Err(Error::Target { row: 9, .. })));
    assert!(matches!(balanced_class_weights(&LABELS, 3), Err(Error::Target { row: 9, .. })));
    assert!(matches!(balanced_class_weights::<u8>(&[], 3), Err(Error::Empty { .. })));
}

#[test]
fn of_equal_probabilities_the_lower_class_comes_first() {
    let probs = Array2::<f32>::from_elem((4, 4), 0.25);
    for k in 1..=5 {
        let want = k.min(4) as f64 / 4.0;
        assert_eq!(top_k_accuracy(probs.view(), &[0u8, 1, 2, 3], k).unwrap(), want);
    }
    let inf = f32::INFINITY;
    assert_eq!(top_k_accuracy(array![[inf, -inf, inf]].view(), &[2u8], 1).unwrap(), 0.0);
    assert_eq!(top_k_accuracy(array![[inf, -inf, inf]].view(), &[2u8], 2).unwrap(), 1.0);
    assert_eq!(top_k_accuracy(array![[0.5, f32::NAN]].view(), &[0u8], 9).unwrap(), 0.0);
}

#[test]
fn balanced_weights_add_up_to_the_rows() {
    // compute_class_weight("balanced", classes=[0, 1, 2, 3], y=labels)
    let weights = balanced_class_weights(&LABELS, 4).unwrap();
    assert_eq!(weights, [10.0 / 12.0, 1.25, 0.625, 2.5].map(|w: f64| w as f32));
    let weights = balanced_class_weights(&LABELS, 6).unwrap();
    let total: f32 = LABELS.iter().map(|label| weights[usize::from(*label)]).sum();
    assert!((total - 10.0).abs() < 1e-5 && weights[4..] == [0.0, 0.0]);
}

/// Rows with the label -100 do not count in scores and weights.
#[test]
fn rows_without_a_label_do_not_count() {
    let probs = array![[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5], [f32::NAN, 0.5, 0.5]];
    let labels = [1i32, 1, -100, -100];
    let scores = [1, 2, 3].map(|k| top_k_accuracy(probs.view(), &labels, k).unwrap());
    assert_eq!(scores, [0.5, 1.0, 1.0]);
    assert!(top_k_accuracy(probs.view(), &[-100i64; 4], 1).unwrap().is_nan());
    assert_eq!(balanced_class_weights(&[0i64, 0, 1, -100, -100], 2).unwrap(), [0.75, 1.5]);
    assert_eq!(balanced_class_weights(&[-100i64; 2], 2).unwrap(), [0.0, 0.0]);
}

#[test]
fn a_model_scores_as_its_predictions_do() {
    let mut model = Mlp::new(&Device::cpu(), &[2, 5, 4], 3).unwrap();
    let x = Array2::from_shape_fn((10, 2), |(r, c)| ((3 * r + c) as f32).sin());
    model.fit(x.view(), &LABELS, &FitOptions { epochs: 20, ..Default::default() }).unwrap();
    let matrix = model.confusion_matrix(x.view(), &LABELS).unwrap();
    assert_eq!(matrix.accuracy(), model.score(x.view(), &LABELS).unwrap());
    let (probs, logs) = (model.predict_proba(x.view()).unwrap(), model.predict_log_proba(x.view()).unwrap());
    assert!((logs.mapv(f32::exp) - &probs).iter().all(|difference| difference.abs() < 1e-6));
    for k in 1..=4 {
        let want = top_k_accuracy(probs.view(), &LABELS, k).unwrap();
        assert_eq!(model.score_top_k(x.view(), &LABELS, k).unwrap(), want);
    }
    let broken = concatenate![Axis(0), x, array![[f32::NAN, 0.0]]];
    let labels: Vec<u8> = LABELS.into_iter().chain([0]).collect();
    assert_eq!(model.score_top_k(broken.view(), &labels, 4).unwrap(), 10.0 / 11.0);
    assert!(matches!(model.score_top_k(x.view(), &LABELS, 0), Err(Error::Option { op: "score_top_k", .. })));
    assert!(matches!(model.confusion_matrix(x.view(), &LABELS[1..]), Err(Error::Shape { op: "confusion_matrix", .. })));
}

/// No process has room for the counts of so many classes. This shows before a row is read and predicted.
#[test]
fn a_confusion_matrix_of_too_many_classes_is_refused_before_the_predictions() {
    let model = Mlp::new(&Device::cpu(), &[1, 1 << 23], 0).unwrap();
    let rows = FromFn::new((1, 1), |_, _: &mut [f32]| Err(std::io::Error::other("a row was read")));
    let error = model.confusion_matrix(rows, &[0u8]).unwrap_err();
    assert!(matches!(error, Error::HostMemory { op: "confusion_matrix", .. }), "{error}");
}
