//! Activations that a product applies to its sums.

/// The activation that [`linear`](crate::ops::linear) applies to the sums.
///
/// ```
/// assert_eq!(wgpu_mlp::ops::Activation::default(), wgpu_mlp::ops::Activation::None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Activation {
    /// Nothing: XW + b.
    #[default]
    None,
    /// max(XW + b, 0).
    Relu,
}
