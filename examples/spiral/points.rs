//! The points: `spiral_data` of the book "Neural Networks from Scratch", and of the Python package nnfs.

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

/// The arms of the spiral.
pub(crate) const CLASSES: usize = 3;
/// The standard deviation of a point's place along its arm.
const NOISE: f64 = 0.2;
/// Turns an arm's parameter into an angle.
const TWIST: f64 = 2.5;
/// The range of the parameter on one arm.
const SPAN: f64 = 4.0;

/// Points of the plane and the arms they belong to.
pub(crate) struct Points {
    /// Points x 2, all within the unit circle.
    pub(crate) places: Array2<f32>,
    pub(crate) labels: Vec<u8>,
}

impl Points {
    /// r runs from 0 to 1 and t from 4k to 4(k + 1) along arm k; x = r sin(2.5 t), y = r cos(2.5 t), and every t is moved
    /// by 0.2 N(0, 1).
    pub(crate) fn draw(points: usize, rng: &mut ChaCha12Rng) -> Self {
        let mut places = Array2::zeros((CLASSES * points, 2));
        for (row, mut place) in places.rows_mut().into_iter().enumerate() {
            let radius = (row % points) as f64 / points.saturating_sub(1).max(1) as f64;
            let noise: f64 = StandardNormal.sample(rng);
            let t = SPAN * ((row / points) as f64 + radius) + NOISE * noise;
            place[0] = (radius * (TWIST * t).sin()) as f32;
            place[1] = (radius * (TWIST * t).cos()) as f32;
        }
        Points { places, labels: (0..CLASSES * points).map(|row| (row / points) as u8).collect() }
    }
}

pub(crate) fn rng(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}
