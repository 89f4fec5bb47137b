//! dropout: some elements left out at random.

use ndarray::{Array2, ArrayView2};

use super::Real;
use crate::ops::DropoutChoice;

/// The first word of pcg4d: two rounds, of which the second is needed only so far.
#[inline(always)]
fn hash(choice: &DropoutChoice, element: u64) -> u32 {
    let place = [element as u32, (element >> 32) as u32, 0, 0];
    let mut word = [0u32; 4];
    for i in 0..4 {
        word[i] = (choice.key[i] ^ place[i]).wrapping_mul(choice.hash.multiplier).wrapping_add(choice.hash.increment);
    }
    // Each word in turn takes up the product of two others.
    for (i, a, b) in [(0, 1, 3), (1, 2, 0), (2, 0, 1), (3, 1, 2)] {
        word[i] = word[i].wrapping_add(word[a].wrapping_mul(word[b]));
    }
    let [x, y, _, w] = word.map(|word| word ^ (word >> choice.hash.shift));
    x.wrapping_add(y.wrapping_mul(w))
}

/// x · scale where the element's hash is not below the threshold, else 0.
pub fn dropout<T: Real>(x: ArrayView2<'_, T>, choice: DropoutChoice) -> Array2<T> {
    let (scale, cols) = (T::of(choice.scale.into()), x.ncols() as u64);
    let mut out = x.to_owned();
    for ((r, c), value) in out.indexed_iter_mut() {
        let kept = hash(&choice, r as u64 * cols + c as u64) >= choice.threshold;
        *value = if kept { *value * scale } else { T::zero() };
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_left_out_as_the_rate_says_and_others_each_time() {
        let ones = Array2::<f64>::ones((500, 400));
        let left = |rate, seed, counter| {
            dropout(ones.view(), DropoutChoice::new(rate, seed, counter).unwrap()).mapv(|y| y != 0.0)
        };
        for rate in [0.0, 0.1, 0.5, 0.9] {
            for seed in [0, 1, u64::MAX] {
                let kept = left(rate, seed, 3).iter().filter(|kept| **kept).count() as f64 / 200_000.0;
                // Five standard deviations of a share of 200,000 draws.
                let deviation = (f64::from(rate) * (1.0 - f64::from(rate)) / 200_000.0).sqrt();
                assert!((kept - (1.0 - f64::from(rate))).abs() <= 5.0 * deviation, "{rate}: {kept}");
            }
        }
        // Independent choices with rate 1/2 agree in half of the places.
        let first = left(0.5, 1, 1);
        for other in [left(0.5, 1, 2), left(0.5, 2, 1), left(0.5, 1 << 32, 1), left(0.5, 1, 1 << 32)] {
            let alike = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert!((98_000..102_000).contains(&alike), "{alike}");
        }
        // And so do neighbours, across and down.
        let (across, down) = (first.slice(ndarray::s![.., 1..]), first.slice(ndarray::s![1.., ..]));
        for neighbours in [across, down] {
            let alike = first.indexed_iter().filter(|(at, kept)| neighbours.get(*at) == Some(*kept)).count();
            assert!((97_500..102_000).contains(&alike), "{alike}");
        }
    }
}
