//! Slanted and stretched copies of digits, so that a network also learns to read handwriting that is not in the data.

use wgpu_mlp::ndarray::{Array2, ArrayView1};
use wgpu_mlp::rand::distr::{Distribution, StandardUniform};
use wgpu_mlp::rand::rngs::ChaCha12Rng;

/// Pixels along a digit's side.
const SIDE: usize = 8;
/// The middle of a digit.
const MIDDLE: f32 = 3.5;
/// The largest slant: pixels to the side for each pixel down.
const SLANT: f32 = 0.3;
/// The largest change of the width, as a share of it.
const STRETCH: f32 = 0.25;
/// The largest shifts to the side and down, in pixels.
const SHIFT: (f32, f32) = (0.5, 0.3);

/// A copy of each digit, each changed at random.
pub fn copies(digits: &Array2<f32>, rng: &mut ChaCha12Rng) -> Array2<f32> {
    let mut copies = Array2::zeros(digits.dim());
    for (digit, mut copy) in digits.rows().into_iter().zip(copies.rows_mut()) {
        let mut within = |most: f32| {
            let share: f32 = StandardUniform.sample(rng);
            most * (2.0 * share - 1.0)
        };
        let (slant, width) = (within(SLANT), 1.0 + within(STRETCH));
        let (across, down) = (within(SHIFT.0), within(SHIFT.1));
        for (place, pixel) in copy.iter_mut().enumerate() {
            let (x, y) = ((place % SIDE) as f32 - MIDDLE, (place / SIDE) as f32 - MIDDLE);
            *pixel = between(digit, x / width + slant * y + MIDDLE + across, y + MIDDLE + down);
        }
    }
    copies
}

/// The value between pixels, by bilinear interpolation; beyond the edges it is paper.
fn between(digit: ArrayView1<'_, f32>, x: f32, y: f32) -> f32 {
    let inside = |value: f32| (0.0..SIDE as f32).contains(&value).then_some(value as usize);
    let pixel = |x: f32, y: f32| inside(x).zip(inside(y)).map_or(0.0, |(x, y)| digit[SIDE * y + x]);
    let (left, top) = (x.floor(), y.floor());
    let (right, bottom) = (x - left, y - top);
    let row = |y: f32| (1.0 - right) * pixel(left, y) + right * pixel(left + 1.0, y);
    (1.0 - bottom) * row(top) + bottom * row(top + 1.0)
}
