//! Options of optimizers, as plain data.

/// The constants of [`momentum`](crate::ops::momentum).
///
/// ```
/// use wgpu_mlp::ops::MomentumOptions;
/// let options = MomentumOptions { nesterov: true, ..Default::default() };
/// assert_eq!((options.learning_rate, options.momentum), (0.01, 0.9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct MomentumOptions {
    /// The learning rate.
    pub learning_rate: f64,
    /// The share of the velocity that remains after a step, from 0 up to but not including 1, also when it is rounded to f32.
    pub momentum: f64,
    /// Whether to use Nesterov's momentum: steps are along dw + momentum · velocity instead of the velocity alone.
    pub nesterov: bool,
}

impl Default for MomentumOptions {
    fn default() -> Self {
        MomentumOptions { learning_rate: 0.01, momentum: 0.9, nesterov: false }
    }
}

/// The constants of [`adagrad`](crate::ops::adagrad); the default is PyTorch's.
///
/// ```
/// use wgpu_mlp::ops::AdaGradOptions;
/// assert_eq!(AdaGradOptions::default(), AdaGradOptions { learning_rate: 0.01, epsilon: 1e-10 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AdaGradOptions {
    /// The learning rate.
    pub learning_rate: f64,
    /// The epsilon that is added to the root, so that nothing is divided by zero. Squares are f32, as in PyTorch, so the square
    /// of a gradient below 10⁻¹⁹ may be 0. The gradient is then divided by epsilon alone. If epsilon is far below 10⁻¹⁹, such a
    /// step is too long: up to 10⁻¹⁹ / epsilon times the learning rate.
    pub epsilon: f64,
}

impl Default for AdaGradOptions {
    fn default() -> Self {
        AdaGradOptions { learning_rate: 0.01, epsilon: 1e-10 }
    }
}

/// The constants of [`rmsprop`](crate::ops::rmsprop); the default is PyTorch's.
///
/// ```
/// use wgpu_mlp::ops::RmsPropOptions;
/// let options = RmsPropOptions::default();
/// assert_eq!((options.learning_rate, options.decay, options.epsilon), (0.01, 0.99, 1e-8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RmsPropOptions {
    /// The learning rate.
    pub learning_rate: f64,
    /// The decay of the mean of the squared gradients, PyTorch's `alpha`. It is from 0 up to but not including 1, also when it is
    /// rounded to f32.
    pub decay: f64,
    /// The epsilon that is added to the root, so that nothing is divided by zero. An epsilon below 10⁻¹⁷ may make steps of tiny
    /// gradients too long, as [`AdaGradOptions::epsilon`] explains.
    pub epsilon: f64,
}

impl Default for RmsPropOptions {
    fn default() -> Self {
        RmsPropOptions { learning_rate: 0.01, decay: 0.99, epsilon: 1e-8 }
    }
}

/// The constants of Adam; the default is that of the paper and of PyTorch.
///
/// The decays are rounded to f32, but the share of the new value, 1 - β, is computed in f64. If β is close to 1, they no longer
/// add up to 1: the mean of a constant then differs from it by up to 3 · 10⁻⁸ / (1 - β), which is 3 percent at β = 1 - 10⁻⁶. With
/// the default β₂ = 0.999 the difference is less than 3 · 10⁻⁵.
///
/// ```
/// use wgpu_mlp::ops::AdamOptions;
/// let options = AdamOptions { learning_rate: 0.01, ..Default::default() };
/// assert_eq!((options.beta1, options.beta2, options.epsilon), (0.9, 0.999, 1e-8));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AdamOptions {
    /// The learning rate.
    pub learning_rate: f64,
    /// The decay β₁ of the mean of the gradients, from 0 up to but not including 1, also when it is rounded to f32.
    pub beta1: f64,
    /// The decay β₂ of the mean of the squared gradients, from 0 up to but not including 1, also when it is rounded to f32.
    pub beta2: f64,
    /// The epsilon that is added to the root, so that nothing is divided by zero. An epsilon below 10⁻¹⁷ may make steps of tiny
    /// gradients too long, as [`AdaGradOptions::epsilon`] explains.
    pub epsilon: f64,
    /// The decoupled weight decay λ: each step also multiplies every parameter by 1 - learning rate · λ. If it is not 0, this is
    /// AdamW.
    pub weight_decay: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        AdamOptions { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// Rates of the penalties on a matrix of parameters: l1 Σ |w| + l2 Σ w² is added to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PenaltyRates {
    pub l1: f64,
    pub l2: f64,
}

/// A number that clipping adds to the norm before it divides the limit by it, as PyTorch's `clip_grad_norm_` does.
pub(crate) const CLIP_EPSILON: f64 = 1e-6;
