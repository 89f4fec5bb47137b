//! The spiral: three arms of points that no straight line separates, as in the example of this name.

use js_sys::{Float32Array, Uint8Array};
use rand_distr::{Distribution, StandardNormal};
use wasm_bindgen::prelude::*;
use wgpu_mlp::ndarray::Array2;
use wgpu_mlp::rand::SeedableRng;
use wgpu_mlp::rand::rngs::ChaCha12Rng;

use crate::js::{Answer, failed, object, refused};
use crate::task::{Rows, Task};

/// The arms of the spiral.
const CLASSES: usize = 3;
/// Points of an arm.
const POINTS: usize = 100;
/// The seed of the points.
const SEED: u64 = 12;
/// The standard deviation of a point's place along its arm.
const NOISE: f64 = 0.2;
/// Turns an arm's parameter into an angle.
const TWIST: f64 = 2.5;
/// The range of the parameter on one arm.
const SPAN: f64 = 4.0;
/// The regions' map shows the plane from -EDGE to EDGE.
const EDGE: f32 = 1.15;
/// The most pixels along the map's side.
const WIDEST: u32 = 512;

/// Points to learn from, and as many fresh ones.
pub fn task() -> Task {
    // Both are drawn from one stream, so the fresh points differ from those to learn from.
    let mut rng = ChaCha12Rng::seed_from_u64(SEED);
    let (train, held) = (draw(&mut rng), draw(&mut rng));
    Task::new(train, held, CLASSES)
}

/// r runs from 0 to 1 and t from 4k to 4(k + 1) along arm k; x = r sin(2.5 t), y = r cos(2.5 t), and every t is shifted by
/// 0.2 N(0, 1).
fn draw(rng: &mut ChaCha12Rng) -> Rows {
    let mut features = Array2::zeros((CLASSES * POINTS, 2));
    for (row, mut place) in features.rows_mut().into_iter().enumerate() {
        let radius = (row % POINTS) as f64 / (POINTS - 1) as f64;
        let noise: f64 = StandardNormal.sample(rng);
        let t = SPAN * ((row / POINTS) as f64 + radius) + NOISE * noise;
        place[0] = (radius * (TWIST * t).sin()) as f32;
        place[1] = (radius * (TWIST * t).cos()) as f32;
    }
    Rows { features, labels: (0..CLASSES * POINTS).map(|row| (row / POINTS) as u8).collect() }
}

/// The points to learn from and the arms they belong to.
pub fn points(task: &Task) -> JsValue {
    let places: Vec<f32> = task.train.features.iter().copied().collect();
    object([
        ("places", Float32Array::from(places.as_slice()).into()),
        ("labels", Uint8Array::from(task.train.labels.as_slice()).into()),
        ("edge", EDGE.into()),
    ])
}

/// The arms' probabilities at the middle of each pixel of a map, row by row from the top left.
pub async fn regions(task: &Task, side: u32) -> Answer {
    if !(1..=WIDEST).contains(&side) {
        return Err(refused(&format!("the map's side must be from 1 to {WIDEST} pixels")));
    }
    let (count, scale) = (side as usize, 2.0 * EDGE / side as f32);
    let places = Array2::from_shape_fn((count * count, 2), |(row, axis)| match axis {
        0 => scale * ((row % count) as f32 + 0.5) - EDGE,
        _ => EDGE - scale * ((row / count) as f32 + 0.5),
    });
    let shares = task.model()?.predict_proba_async(places.view()).await.map_err(failed)?;
    let shares: Vec<f32> = shares.iter().copied().collect();
    Ok(Float32Array::from(shares.as_slice()).into())
}
