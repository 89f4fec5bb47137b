//! dropout: elements left out by a hash of seed, counter and the element's number.

use ndarray::Array2;

/// Dropout: x / (1 - rate) if the element is kept, else 0.
pub fn dropout(x: &Array2<f64>, rate: f32, seed: u64, counter: u64) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |(r, c)| {
        let element = (r * x.ncols() + c) as u64;
        if keeps(rate, seed, counter, element) { x[[r, c]] / (1.0 - f64::from(rate)) } else { 0.0 }
    })
}

/// Dropout of the rows of a larger matrix that have these numbers in it.
pub fn dropout_rows(x: &Array2<f64>, rows: &[u64], rate: f32, seed: u64, counter: u64) -> Array2<f64> {
    Array2::from_shape_fn(x.dim(), |(r, c)| {
        let element = u128::from(rows[r]) * x.ncols() as u128 + c as u128;
        if keeps(rate, seed, counter, element as u64) { x[[r, c]] / (1.0 - f64::from(rate)) } else { 0.0 }
    })
}

/// Whether dropout keeps an element: its draw is not below the rate, as a share of 2³².
pub fn keeps(rate: f32, seed: u64, counter: u64, element: u64) -> bool {
    f64::from(draw(seed, counter, element)) >= (f64::from(rate) * 4_294_967_296.0).floor()
}

/// The draw of dropout for an element, out of 2³². It uses the hash pcg4d (Jarzynski and Olano, 2020, "Hash Functions for GPU
/// Rendering", listing 8). Seed and counter are hashed, low words first. The element's number is xored into the first two words of
/// the result, and the four words are hashed again. The draw is the first word.
pub fn draw(seed: u64, counter: u64, element: u64) -> u32 {
    let halves = |number: u64| [number as u32, (number >> 32) as u32];
    let ([s0, s1], [c0, c1], [e0, e1]) = (halves(seed), halves(counter), halves(element));
    let [k0, k1, k2, k3] = pcg4d([s0, s1, c0, c1]);
    let [draw, ..] = pcg4d([k0 ^ e0, k1 ^ e1, k2, k3]);
    draw
}

/// The hash of four words, as published.
fn pcg4d(v: [u32; 4]) -> [u32; 4] {
    let modulus = 1u64 << 32;
    let of = |wide: u64| (wide % modulus) as u32;
    let product = |a: u32, b: u32| of(u64::from(a) * u64::from(b));
    let plus = |a: u32, b: u32| of(u64::from(a) + u64::from(b));
    let [mut x, mut y, mut z, mut w] = v.map(|word| plus(product(word, 1_664_525), 1_013_904_223));
    for round in 0..2 {
        x = plus(x, product(y, w));
        y = plus(y, product(z, x));
        z = plus(z, product(x, y));
        w = plus(w, product(y, z));
        if round == 0 {
            [x, y, z, w] = [x, y, z, w].map(|word| word ^ (word >> 16));
        }
    }
    [x, y, z, w]
}
