//! Faults in predictions, scores and validations over processes: every rank returns the error of the rank that failed, and the
//! ranks can go on together.

use libtest_mimic::Failed;
use ndarray::{Array2, s};
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::source::{FromFn, RowError, RowSource};
use wgpu_mlp::{Device, Error, FitOptions, Mlp, RanksError, Result, Trainer};

use crate::say_alike;
use crate::training::blobs;
use crate::training::over_ranks::{self, Data, ROWS, WIDTHS};

const SIZE: usize = 3;
/// The rank that fails.
const FAILING: usize = 1;
/// The number, among its own rows, of the row at which it fails.
const BAD: usize = 2;
/// So many classes that the counts of a confusion matrix, 2^49 bytes, are more than any process can address.
const MOST_CLASSES: usize = 1 << 23;

pub fn fail_on(device: &str) -> Result<(), Failed> {
    say_alike(&["failing calls", device], SIZE).map(drop)
}

pub fn lack_memory() -> Result<(), Failed> {
    say_alike(&["no room", "cpu"], 2).map(drop)
}

/// One of these rows cannot be read on the failing rank, or is NaN there.
fn broken(x: &Array2<f32>, ranks: &Ranks, is_nan: bool) -> impl RowSource {
    let own = ranks.share_of(x.nrows());
    let (x, fails) = (x.slice(s![own, ..]).to_owned(), ranks.rank() == FAILING);
    FromFn::new(x.dim(), move |row, into: &mut [f32]| {
        let is_bad = fails && row == BAD;
        if is_bad && !is_nan {
            return Err(RowError::new(row, "torn out"));
        }
        into.copy_from_slice(x.row(row).as_slice().unwrap());
        if is_bad {
            into[0] = f32::NAN;
        }
        Ok(())
    })
}

/// Requires the failing rank's error, which has these words.
fn told<T>(call: &str, outcome: Result<T>, words: &str) {
    match outcome {
        Err(Error::Ranks(RanksError::Failed { rank: FAILING, source })) => {
            let source = source.to_string();
            assert!(source.contains(words), "{call}: {words:?} is wanted: {source}");
        }
        Err(error) => panic!("{call}: {error}"),
        Ok(_) => panic!("{call}: no error"),
    }
}

/// Makes each call with a fault on one rank, then without.
pub fn failing(device: &Device, ranks: &Ranks) -> Result<String> {
    let (Data { x, labels, .. }, own) = (Data::new(), ranks.share_of(ROWS));
    let (whole, labels) = (x.slice(s![own.clone(), ..]), &labels[own]);
    let model = Mlp::new(device, &WIDTHS, 3)?;

    let (torn, words) = (&broken(&x, ranks, false), "torn out");
    told("predict", model.predict_over(ranks, torn), words);
    told("evaluate", model.evaluate_over(ranks, torn, labels), words);
    told("evaluate_weighted", model.evaluate_weighted_over(ranks, torn, labels, &vec![1.0; labels.len()]), words);
    told("score", model.score_over(ranks, torn, labels), words);
    told("score_top_k", model.score_top_k_over(ranks, torn, labels, 2), words);
    told("confusion_matrix", model.confusion_matrix_over(ranks, torn, labels), words);

    let (mut wrong, words) = (labels.to_vec(), format!("row {BAD} has class 3; classes run from 0 to 2"));
    if ranks.rank() == FAILING {
        wrong[BAD] = 3;
    }
    told("evaluate", model.evaluate_over(ranks, whole, &wrong), &words);
    told("score", model.score_over(ranks, whole, &wrong), &words);
    told("score_top_k", model.score_top_k_over(ranks, whole, &wrong, 2), &words);
    told("confusion_matrix", model.confusion_matrix_over(ranks, whole, &wrong), &words);

    let (held, held_labels) = blobs(31, 6);
    let held_labels = &held_labels[ranks.share_of(31)];
    let bad_row = format!("validation of layer 2 is NaN or infinite for row {BAD}");
    for (is_nan, words) in [(false, "torn out"), (true, bad_row.as_str())] {
        let (mut model, options) = (model.clone(), FitOptions { epochs: 3, batch: 24, ..Default::default() });
        let trainer = Trainer::new(&options).over(ranks).validation_set(broken(&held, ranks, is_nan), held_labels);
        told("validation", trainer.fit(&mut model, whole, labels), words);
    }
    over_ranks::scores_of(device, ranks).map(|()| "well".into())
}

/// Asks for a confusion matrix for which there is no memory. One rank has a row, and the other has none.
pub fn without_room(ranks: &Ranks) -> Result<String> {
    let model = Mlp::new(&Device::cpu(), &[1, MOST_CLASSES], 0)?;
    let rows = ranks.share_of(1).len();
    let outcome = model.confusion_matrix_over(ranks, Array2::<f32>::ones((rows, 1)), &vec![0u32; rows]);
    let error = outcome.err().map(|error| error.to_string());
    let bytes = MOST_CLASSES * MOST_CLASSES * size_of::<u64>();
    let shape = format!("{MOST_CLASSES}x{MOST_CLASSES}");
    let wanted =
        format!("rank 0: confusion_matrix: {shape} needs {bytes} bytes of host memory, which could not be had");
    assert_eq!(error, Some(wanted));
    Ok("well".into())
}
