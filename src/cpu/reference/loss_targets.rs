//! Targets of a loss: the mass of every class in every row, and the rows' weights.

use ndarray::Array2;

/// The targets of a loss, with weights and smoothing worked in.
pub struct LossTargets {
    /// q, rows x classes: the mass of each class, as [`mass`] defines it.
    pub q: Array2<f64>,
    /// Whether a loss adds up all classes, as it does for distributions and smoothed ids; else it takes the row's class alone.
    pub all_classes: bool,
    /// Each row's class: its id, or its distribution's first maximum.
    pub class: Vec<usize>,
    /// Each row's weight in a mean; none for ignored rows.
    pub weights: Vec<Option<f64>>,
    /// The divisor of gradients, as [`divisor`] defines it.
    pub divisor: f64,
}

impl LossTargets {
    /// Whether the row is not ignored.
    pub fn counts(&self, row: usize) -> bool {
        self.weights[row].is_some()
    }

    /// Σ q of the row.
    pub fn total(&self, row: usize) -> f64 {
        self.q.row(row).iter().sum()
    }
}

/// q = w ((1 - s) y + s / C): the target's share y of a class, smoothed by s over C classes, times the weights of class and row.
pub fn mass(share: f64, smoothing: f64, classes: usize, weight: f64) -> f64 {
    weight * ((1.0 - smoothing) * share + smoothing / classes as f64)
}

/// The divisor of gradients: the sum of the rows' weights for a mean, else 1. Infinity for a mean over nothing, so that
/// gradients are 0.
pub fn divisor(mean: bool, weights: &[Option<f64>]) -> f64 {
    let divisor = if mean { weights.iter().flatten().sum() } else { 1.0 };
    if divisor == 0.0 { f64::INFINITY } else { divisor }
}
