//! Makes `examples/data/flowers.csv`: 150 flowers of three kinds, of which two overlap. No flower was measured.
//!
//! ```text
//! cargo run --release --example make_flowers > examples/data/flowers.csv
//! ```

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

/// A kind's name, and the means and standard deviations of its petals and sepals, in cm.
type Kind = (&'static str, [f64; 4], [f64; 4]);

const KINDS: [Kind; 3] = [
    ("aster", [1.8, 0.4, 4.8, 3.3], [0.25, 0.10, 0.35, 0.35]),
    ("lily", [4.3, 1.3, 5.9, 2.8], [0.45, 0.20, 0.50, 0.30]),
    ("rose", [5.4, 1.9, 6.6, 3.0], [0.50, 0.25, 0.60, 0.30]),
];
const OF_EACH: usize = 50;
const SEED: u64 = 7;

/// Prints the file.
pub fn main() {
    let mut rng = ChaCha12Rng::seed_from_u64(SEED);
    println!("petal_length,petal_width,sepal_length,sepal_width,kind");
    for (name, means, deviations) in KINDS {
        for _ in 0..OF_EACH {
            // A large flower is large in all its parts.
            let size: f64 = StandardNormal.sample(&mut rng);
            let cells = means.iter().zip(deviations).map(|(mean, deviation)| {
                let own: f64 = StandardNormal.sample(&mut rng);
                format!("{:.1}", (mean + deviation * (0.7 * size + 0.7 * own)).max(0.1))
            });
            println!("{},{name}", cells.collect::<Vec<_>>().join(","));
        }
    }
}
