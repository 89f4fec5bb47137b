//! The digits: 8 x 8 pixels each. A fifth of every class is held out, and each other digit gets a changed copy.

use js_sys::{Float32Array, Uint8Array, Uint32Array};
use wgpu_mlp::data::{CsvOptions, SplitOptions, Table, read_csv_from};
use wgpu_mlp::metrics::ConfusionMatrix;
use wgpu_mlp::ndarray::{Array2, Axis, concatenate};
use wgpu_mlp::rand::SeedableRng;
use wgpu_mlp::rand::rngs::ChaCha12Rng;

use crate::js::{Answer, failed, object, refused};
use crate::task::{Rows, Task};
use crate::warp;

/// Pixels of a digit.
pub const PIXELS: usize = 64;
/// The digits 0 to 9.
pub const CLASSES: usize = 10;
/// The seed of the split, and of the copies.
const SEED: u64 = 7;
/// The value of a pixel that is completely ink.
const INK: f32 = 16.0;

/// Reads the lines of `examples/data/digits.csv.gz`, unpacked: 64 pixels from 0 to 16 and the label.
pub fn read(csv: &str) -> Answer<Task> {
    let table = read_csv_from(csv.as_bytes(), &CsvOptions::default()).map_err(failed)?;
    let ink = |value: &f32| (0.0..=INK).contains(value);
    if table.features.ncols() != PIXELS || table.classes.len() != CLASSES || !table.features.iter().all(ink) {
        return Err(refused("the file of digits must have 64 pixels from 0 to 16 in each line, and ten classes"));
    }
    let options = SplitOptions { test_fraction: 0.2, stratify: true, seed: SEED };
    let (train, held) = table.split(&options).map_err(failed)?;
    let mut train = rows(train);
    let copies = warp::copies(&train.features, &mut ChaCha12Rng::seed_from_u64(SEED));
    train.features = concatenate![Axis(0), train.features, copies];
    train.labels.extend_from_within(..);
    Ok(Task::new(train, rows(held), CLASSES))
}

fn rows(table: Table) -> Rows {
    let labels = table.labels.iter().map(|label| *label as u8).collect();
    Rows { features: table.features / INK, labels }
}

/// The model's predictions for the digits held out: the confusion matrix, and the misread digits.
pub async fn held_out(task: &Task) -> Answer {
    let (model, held) = (task.model()?, &task.held);
    let shares = model.predict_proba_async(held.features.view()).await.map_err(failed)?;
    let read: Vec<u32> = shares.rows().into_iter().map(|row| best(row.iter().copied())).collect();
    let matrix = ConfusionMatrix::new(&held.labels, &read, CLASSES).map_err(failed)?;
    let counts: Vec<u32> = matrix.counts().iter().map(|count| *count as u32).collect();

    let misread: Vec<usize> = (0..read.len()).filter(|&row| read[row] != u32::from(held.labels[row])).collect();
    let pixels: Vec<f32> = misread.iter().flat_map(|&row| held.features.row(row).to_vec()).collect();
    let of_misread = |value: &dyn Fn(usize) -> u8| misread.iter().map(|&row| value(row)).collect::<Vec<u8>>();
    let labels = of_misread(&|row| held.labels[row]);
    let answers = of_misread(&|row| read[row] as u8);
    let sure: Vec<f32> = misread.iter().map(|&row| shares[[row, read[row] as usize]]).collect();
    Ok(object([
        ("rows", (read.len() as f64).into()),
        ("accuracy", matrix.accuracy().into()),
        ("counts", Uint32Array::from(counts.as_slice()).into()),
        ("pixels", Float32Array::from(pixels.as_slice()).into()),
        ("labels", Uint8Array::from(labels.as_slice()).into()),
        ("read", Uint8Array::from(answers.as_slice()).into()),
        ("shares", Float32Array::from(sure.as_slice()).into()),
    ]))
}

/// The index of the largest share; of equal shares, the first one's.
fn best(shares: impl Iterator<Item = f32>) -> u32 {
    let larger =
        |best: (u32, f32), (class, share): (usize, f32)| if share > best.1 { (class as u32, share) } else { best };
    shares.enumerate().fold((0, f32::NEG_INFINITY), larger).0
}

/// The probabilities of the classes for rows of 64 pixels from 0 to 1.
pub async fn probabilities(task: &Task, features: Vec<f32>) -> Answer {
    if features.is_empty() || !features.len().is_multiple_of(PIXELS) {
        return Err(refused(&format!("a digit has {PIXELS} pixels; got {} values", features.len())));
    }
    if features.iter().any(|value| !value.is_finite()) {
        return Err(refused("pixels must be finite numbers"));
    }
    let rows = features.len() / PIXELS;
    let features = Array2::from_shape_vec((rows, PIXELS), features).map_err(|_| refused("the digits are not whole"))?;
    let shares = task.model()?.predict_proba_async(features.view()).await.map_err(failed)?;
    let shares: Vec<f32> = shares.iter().copied().collect();
    Ok(Float32Array::from(shares.as_slice()).into())
}
