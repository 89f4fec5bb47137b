//! Parameters of the losses: weights, ignored rows, smoothing and reduction.

use ndarray::ArrayView1;

use super::maximum::first_maximum;
use super::sum::pairwise;
use super::{Real, TargetView};

/// The parameters of a loss.
#[derive(Clone, Copy, Debug)]
pub struct LossParams<'a, T> {
    /// A weight for each class; without it every weight is 1.
    pub weights: Option<ArrayView1<'a, T>>,
    /// A weight for each row; without it every weight is 1.
    pub samples: Option<ArrayView1<'a, T>>,
    /// Rows of this class are ignored, as are rows whose id is none of the classes.
    pub ignored: Option<u32>,
    /// The part of each target that is spread over all classes.
    pub smoothing: T,
    /// Whether the gradient is divided by the sum of the rows' weights.
    pub mean: bool,
}

impl<T: Real> LossParams<'_, T> {
    /// The row's weight in a mean: its own weight times the weight of its class; `None` for an ignored row.
    pub(super) fn row_weight(&self, targets: &TargetView<'_, T>, r: usize, cols: usize) -> Option<T> {
        let own = self.samples.map_or(T::one(), |samples| samples[r]);
        match targets {
            TargetView::Classes(classes) if Some(classes[r]) == self.ignored || classes[r] as usize >= cols => None,
            TargetView::Classes(classes) => Some(self.weights.map_or(own, |w| own * w[classes[r] as usize])),
            TargetView::Distributions(_) => Some(own),
        }
    }

    /// The divisor of gradients: the sum of the rows' weights for a mean, else 1. It is infinity if that sum is 0, so that the
    /// gradients are 0.
    pub(super) fn divisor(&self, weights: &[T]) -> T {
        let sum = if self.mean { pairwise([weights], |[weight]| weight) } else { T::one() };
        if sum == T::zero() { T::infinity() } else { sum }
    }

    /// Writes the masses q_c = v w_c ((1 - s) y_c + s / C) of a row, and returns its class.
    pub(super) fn fill_masses(&self, masses: &mut [T], targets: &TargetView<'_, T>, r: usize) -> usize {
        let (rest, spread) = (T::one() - self.smoothing, self.smoothing / T::of(masses.len() as f64));
        let class = match targets {
            TargetView::Classes(classes) => {
                let class = classes[r] as usize;
                masses.fill(spread);
                masses[class] = rest + spread;
                class
            }
            TargetView::Distributions(rows) => {
                let row = rows.row(r);
                for (mass, share) in masses.iter_mut().zip(row) {
                    *mass = rest * *share + spread;
                }
                first_maximum(row.as_standard_layout().as_slice().unwrap_or_default())
            }
        };
        if let Some(weights) = self.weights {
            for (mass, weight) in masses.iter_mut().zip(weights) {
                *mass = *weight * *mass;
            }
        }
        if let Some(samples) = self.samples {
            masses.iter_mut().for_each(|mass| *mass = samples[r] * *mass);
        }
        class
    }
}
