//! Init: the spread of a layer's first weights.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{Error, Result};
use crate::host_memory::{host_room, not_empty};

/// Spread of normally distributed initial weights; biases begin at 0.
///
/// ```
/// use wgpu_mlp::layers::Init;
/// assert_eq!(Init::default().standard_deviation(64, 128), 0.01);
/// assert_eq!(Init::He.standard_deviation(50, 10), 0.2);
/// assert_eq!(Init::Glorot.standard_deviation(30, 20), 0.2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Init {
    /// Weights with this standard deviation, at least 0 and finite; the notebook has 0.01.
    Normal(f64),
    /// A standard deviation of √(2 / inputs), which keeps the scale of activations through ReLU layers (He et al., [2015](https://arxiv.org/abs/1502.01852)).
    He,
    /// A standard deviation of √(2 / (inputs + outputs)), which keeps the scale through linear layers (Glorot and Bengio, 2010).
    Glorot,
}

impl Default for Init {
    fn default() -> Self {
        Init::Normal(0.01)
    }
}

impl Init {
    /// The standard deviation for a layer of this size.
    pub fn standard_deviation(self, inputs: usize, outputs: usize) -> f64 {
        match self {
            Init::Normal(deviation) => deviation,
            Init::He => (2.0 / inputs as f64).sqrt(),
            Init::Glorot => (2.0 / (inputs as f64 + outputs as f64)).sqrt(),
        }
    }

    /// Random weights of a layer, row by row.
    pub(crate) fn draw<R: Rng + ?Sized>(self, inputs: usize, outputs: usize, rng: &mut R) -> Result<Vec<f32>> {
        not_empty("dense", inputs, outputs)?;
        let deviation = self.standard_deviation(inputs, outputs);
        // Checked as f32, which the weights are: 1e39 is finite in f64 but not in f32.
        if !(deviation >= 0.0 && (deviation as f32).is_finite()) {
            let (option, rule) = ("standard_deviation", "from 0 to 3.4e38, the largest f32");
            return Err(Error::Option { op: "dense", option, rule, value: deviation });
        }
        let mut weights = host_room("dense", inputs, outputs)?;
        weights.extend((0..inputs * outputs).map(|_| {
            let normal: f64 = StandardNormal.sample(rng);
            (deviation * normal) as f32
        }));
        Ok(weights)
    }
}
