//! Penalties: L1 and L2 terms that are added to the loss for large parameters.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::layers::parameters::Parameters;
use crate::options::PenaltyRates;

/// A penalty on a layer's parameters: the loss grows by l1 Σ |w| + l2 Σ w². Weights and biases each have an l1 and an l2.
///
/// The gradient of the penalty is l1 · sign(w) + 2 · l2 · w, with sign(0) = 0.
/// [`OptimizerState::with_penalties`](super::OptimizerState::with_penalties) adds it to the gradient of the loss.
///
/// ```
/// use wgpu_mlp::Penalty;
/// let penalty = Penalty { l2_weights: 5e-4, l2_biases: 5e-4, ..Default::default() };
/// assert_eq!(penalty.l1_weights, 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Penalty {
    /// The factor of the sum of the weights' magnitudes.
    pub l1_weights: f64,
    /// The factor of the sum of the weights' squares.
    pub l2_weights: f64,
    /// The factor of the sum of the biases' magnitudes.
    pub l1_biases: f64,
    /// The factor of the sum of the biases' squares.
    pub l2_biases: f64,
}

impl Penalty {
    /// The loss that the penalty adds for these parameters.
    ///
    /// ```
    /// use ndarray::array;
    /// use wgpu_mlp::{Parameters, Penalty};
    /// let layer = Parameters { weights: array![[1.0], [-2.0]], biases: array![[3.0]] };
    /// let penalty = Penalty { l1_weights: 0.5, l2_biases: 0.25, ..Default::default() };
    /// assert_eq!(penalty.loss(&layer), 0.5 * 3.0 + 0.25 * 9.0);
    /// ```
    pub fn loss(&self, parameters: &Parameters) -> f64 {
        let [weights, biases] = self.rates();
        let of = |rates: PenaltyRates, values: &Array2<f32>| {
            let sum = |term: fn(f64) -> f64| values.iter().map(|w| term(f64::from(*w))).sum::<f64>();
            // A factor of 0 adds nothing, not 0 times the sum: 0 times infinity is NaN.
            let share = |factor: f64, term| if factor == 0.0 { 0.0 } else { factor * sum(term) };
            share(rates.l1, f64::abs) + share(rates.l2, |w| w * w)
        };
        of(weights, &parameters.weights) + of(biases, &parameters.biases)
    }

    /// The rates of the weights and of the biases.
    pub(super) fn rates(&self) -> [PenaltyRates; 2] {
        let Penalty { l1_weights, l2_weights, l1_biases, l2_biases } = *self;
        [PenaltyRates { l1: l1_weights, l2: l2_weights }, PenaltyRates { l1: l1_biases, l2: l2_biases }]
    }

    /// Refuses factors that are negative or not finite.
    pub(crate) fn check(&self) -> Result<()> {
        let Penalty { l1_weights, l2_weights, l1_biases, l2_biases } = *self;
        let weights = [("l1_weights", l1_weights), ("l2_weights", l2_weights)];
        for (option, value) in weights.into_iter().chain([("l1_biases", l1_biases), ("l2_biases", l2_biases)]) {
            // The kernel takes twice the value, as f32.
            let rule = match value >= 0.0 && value.is_finite() {
                true if ((2.0 * value) as f32).is_finite() => continue,
                true => "at most 1.7e38, half of the largest f32",
                false => "at least 0 and finite",
            };
            return Err(Error::Option { op: "penalty", option, rule, value });
        }
        Ok(())
    }
}
