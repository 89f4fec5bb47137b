//! Sources whose rows become more: a call asks once how many there are, and reads no others.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Debug;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use ndarray::Array2;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::{RowError, RowSource};
use wgpu_mlp::{Device, FitOptions, Mlp, Result, Trainer};

use crate::training::{bits, blobs};

/// The rows of an array. Each time that the source is asked for its shape, it reports one row more than before.
struct Growing {
    rows: Array2<f32>,
    asked: AtomicUsize,
}

impl RowSource for Growing {
    fn dim(&self) -> (usize, usize) {
        (self.rows.nrows() + self.asked.fetch_add(1, Relaxed), self.rows.ncols())
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        self.rows.read_rows(rows, into)
    }
}

/// Checks that a call asks a growing source for its shape once, and that the result is that of the rows which were there then.
#[track_caller]
fn asks_once<T: Debug + PartialEq>(rows: &Array2<f32>, call: impl Fn(&dyn RowSource) -> Result<T>) {
    let growing = Growing { rows: rows.clone(), asked: AtomicUsize::new(0) };
    let result = call(&growing).unwrap();
    assert_eq!(growing.asked.into_inner(), 1, "the number of times that the source was asked");
    assert_eq!(result, call(rows).unwrap());
}

fn model() -> Mlp {
    Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap()
}

#[test]
fn predictions_and_scores_ask_once() {
    let ((x, labels), model) = (blobs(90, 5), model());
    asks_once(&x, |x| model.predict(x));
    asks_once(&x, |x| model.predict_proba(x));
    asks_once(&x, |x| model.predict_log_proba(x));
    asks_once(&x, |x| model.score(x, &labels));
    asks_once(&x, |x| model.evaluate(x, &labels));
    asks_once(&x, |x| model.evaluate_weighted(x, &labels, &[0.5; 90]));
    asks_once(&x, |x| model.score_top_k(x, &labels, 2));
    asks_once(&x, |x| model.confusion_matrix(x, &labels));
    let ranks = Ranks::alone();
    asks_once(&x, |x| model.predict_over(&ranks, x));
    asks_once(&x, |x| model.evaluate_weighted_over(&ranks, x, &labels, &[0.5; 90]));
    asks_once(&x, |x| model.score_over(&ranks, x, &labels));
    asks_once(&x, |x| model.evaluate_over(&ranks, x, &labels));
    asks_once(&x, |x| model.score_top_k_over(&ranks, x, &labels, 2));
    asks_once(&x, |x| model.confusion_matrix_over(&ranks, x, &labels));
}

#[test]
fn trainings_ask_once() {
    let ((x, labels), weights) = (blobs(90, 5), vec![0.5f32; 90]);
    let options = FitOptions { epochs: 2, batch: 16, ..Default::default() };
    asks_once(&x, |x| {
        let mut trained = model();
        Trainer::new(&options).row_weights(&weights).fit(&mut trained, x, &labels)?;
        bits(&trained)
    });
    asks_once(&x, |x| {
        let mut trained = model();
        trained.partial_fit(x, &labels, &options)?;
        bits(&trained)
    });
    asks_once(&x, |held| {
        let trainer = Trainer::new(&options).validation_set(held, &labels);
        let history = trainer.fit(&mut model(), x.view(), &labels)?;
        Ok(history.epochs.iter().map(|epoch| epoch.validation_loss).collect::<Vec<_>>())
    });
}
