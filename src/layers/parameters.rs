//! Parameters of a layer on the host.

use ndarray::Array2;

/// A layer's parameters on the host.
///
/// ```
/// # use wgpu_mlp::{Device, Mlp};
/// let model = Mlp::new(&Device::cpu(), &[4, 3], 0)?;
/// assert_eq!(model.parameters()?[0].weights.dim(), (4, 3));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The weights, `inputs x outputs`.
    pub weights: Array2<f32>,
    /// The biases, `1 x outputs`.
    pub biases: Array2<f32>,
}
