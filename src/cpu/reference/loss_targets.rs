//! Targets of a loss: the mass of every class in every row, and the rows' weights.

use ndarray::Array2;

/// The targets of a loss, after weights and smoothing.
pub struct LossTargets {
    /// The mass q of each class, rows x classes, as [`mass`] defines it.
    pub q: Array2<f64>,
    /// Whether a loss is a sum over all classes, as for distributions and smoothed ids; otherwise it is the term of the row's class.
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

/// The mass q = w ((1 - s) y + s / C) of a class: the target's share y, smoothed by s over C classes, times the weights of class
/// and row.
pub fn mass(share: f64, smoothing: f64, classes: usize, weight: f64) -> f64 {
    weight * ((1.0 - smoothing) * share + smoothing / classes as f64)
}

/// The divisor of gradients: the sum of the rows' weights for a mean, else 1. It is infinity if that sum is 0, so that the gradients
/// are 0.
pub fn divisor(mean: bool, weights: &[Option<f64>]) -> f64 {
    let divisor = if mean { weights.iter().flatten().sum() } else { 1.0 };
    if divisor == 0.0 { f64::INFINITY } else { divisor }
}
