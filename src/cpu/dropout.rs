//! dropout: sets some elements to 0 at random.

use ndarray::{Array2, ArrayView2};

use super::Real;

/// The hash pcg4d (Jarzynski and Olano, 2020), with the constants of the generator of Numerical Recipes.
#[inline(always)]
fn pcg4d(words: [u32; 4]) -> [u32; 4] {
    let mut words = words.map(|word| word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    for round in 0..2 {
        // Each word in turn adds the product of two others.
        for (i, a, b) in [(0, 1, 3), (1, 2, 0), (2, 0, 1), (3, 1, 2)] {
            words[i] = words[i].wrapping_add(words[a].wrapping_mul(words[b]));
        }
        if round == 0 {
            words = words.map(|word| word ^ (word >> 16));
        }
    }
    words
}

/// The two 32-bit halves of a number, the lower one first.
#[inline(always)]
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// Dropout: x / (1 - rate) if the element's hash, as a share of 2³², is at least the rate, else 0. The hash depends on seed,
/// counter and the element's number in row-major order.
pub fn dropout<T: Real>(x: ArrayView2<'_, T>, rate: f32, seed: u64, counter: u64) -> Array2<T> {
    let cols = x.ncols() as u64;
    by_rows(x, |r| r as u64 * cols, rate, [seed, counter])
}

/// The [`dropout`] of some rows of a larger matrix. For each row there is the number of its first element in that matrix.
pub fn dropout_rows<T: Real>(x: ArrayView2<'_, T>, first: &[u64], rate: f32, seed: u64, counter: u64) -> Array2<T> {
    by_rows(x, |r| first[r], rate, [seed, counter])
}

fn by_rows<T: Real>(
    x: ArrayView2<'_, T>,
    first: impl Fn(usize) -> u64,
    rate: f32,
    [seed, counter]: [u64; 2],
) -> Array2<T> {
    let ([a, b], [c, d]) = (halves(seed), halves(counter));
    let key = pcg4d([a, b, c, d]);
    let threshold = (f64::from(rate) * 2f64.powi(32)) as u32;
    let scale = T::of(f64::from((1.0 / (1.0 - f64::from(rate))) as f32));
    let mut out = x.to_owned();
    for ((r, c), value) in out.indexed_iter_mut() {
        let [low, high] = halves(first(r).wrapping_add(c as u64));
        let kept = pcg4d([key[0] ^ low, key[1] ^ high, key[2], key[3]])[0] >= threshold;
        *value = if kept { *value * scale } else { T::zero() };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_pcg4d() {
        // These values come from the published formula, computed without this crate.
        assert_eq!(pcg4d([0; 4]), [0x0f02_f829, 0x2d56_8769, 0x32b0_c43b, 0xd325_48ea]);
        assert_eq!(pcg4d([1, 2, 3, 4]), [0x3622_cd16, 0xf114_71d8, 0xe110_9b3f, 0x02b9_4c2f]);
    }

    #[test]
    fn as_many_are_left_out_as_the_rate_says_and_others_each_time() {
        let ones = Array2::<f64>::ones((500, 400));
        let left = |rate, seed, counter| dropout(ones.view(), rate, seed, counter).mapv(|y| y != 0.0);
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
