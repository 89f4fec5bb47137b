//! Activations that a product applies to its results.

/// The activation that [`linear`](crate::ops::linear) applies to XW + b.
///
/// ```
/// assert_eq!(wgpu_mlp::ops::Activation::default(), wgpu_mlp::ops::Activation::None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Activation {
    /// No activation: XW + b.
    #[default]
    None,
    /// The activation ReLU: max(XW + b, 0).
    Relu,
}
