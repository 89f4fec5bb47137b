//! Mlp: a multilayer perceptron with ReLU between its layers and softmax at its end.

mod file;
mod fit;
mod header;
mod predict;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::layers::{Dense, Init};
use crate::ops::Activation;

pub use fit::{Epoch, FitOptions, History};

/// A dense softmax classifier: `fit`, `predict`, `score`, `save`, as scikit-learn's users know them.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, FitOptions, Mlp, Optimizer};
/// let x = array![[0., 0.], [0., 1.], [1., 0.], [1., 1.]];
/// let labels = [0u8, 1, 1, 0];
/// let mut model = Mlp::new(&Device::auto()?, &[2, 16, 2], 7)?;
/// let options = FitOptions { epochs: 200, batch: 4, optimizer: Optimizer::adam(0.03), ..Default::default() };
/// model.fit(x.view(), &labels, &options)?;
/// assert_eq!(model.predict(x.view())?, [0, 1, 1, 0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mlp {
    device: Device,
    layers: Vec<Dense>,
}

impl Mlp {
    /// A network with these widths: inputs, hidden layers, classes.
    ///
    /// The weights are √(2 / inputs) · N(0, 1) (He et al., [2015](https://arxiv.org/abs/1502.01852)), the biases 0,
    /// drawn on the host from a generator with this seed: the same on every device.
    ///
    /// # Errors
    /// [`Error::Option`] for fewer than two widths; [`Error::Empty`] for a width of 0.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[64, 128, 10], 42)?;
    /// assert_eq!((model.inputs(), model.classes()), (64, 10));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn new(device: &Device, widths: &[usize], seed: u64) -> Result<Self> {
        if widths.len() < 2 {
            let rule = "at least the inputs and the classes";
            return Err(Error::Option { op: "mlp", option: "widths", rule, value: widths.len() as f64 });
        }
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let layer = |pair: &[usize]| Dense::with_init(device, pair[0], pair[1], Init::He, &mut rng);
        Self::from_layers(device, widths.windows(2).map(layer).collect::<Result<_>>()?)
    }

    /// Puts ReLU between the layers, of which there is at least one.
    fn from_layers(device: &Device, layers: Vec<Dense>) -> Result<Self> {
        let last = layers.len() - 1;
        let activation = |index| if index < last { Activation::Relu } else { Activation::None };
        let layers = layers.into_iter().enumerate().map(|(i, layer)| layer.with_activation(activation(i))).collect();
        Ok(Mlp { device: device.clone(), layers })
    }

    /// Number of features that a row must have.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// assert_eq!(Mlp::new(&Device::cpu(), &[4, 3], 0)?.inputs(), 4);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weights().rows())
    }

    /// Number of classes.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// assert_eq!(Mlp::new(&Device::cpu(), &[4, 3], 0)?.classes(), 3);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weights().cols())
    }

    /// The layers, first to last; all but the last have ReLU built in.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// assert_eq!(Mlp::new(&Device::cpu(), &[64, 128, 10], 0)?.layers()[1].weights().shape(), (128, 10));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn layers(&self) -> &[Dense] {
        &self.layers
    }

    /// The device that the parameters live on.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, DeviceKind, Mlp};
    /// assert_eq!(Mlp::new(&Device::cpu(), &[4, 3], 0)?.device().info().kind, DeviceKind::Cpu);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn device(&self) -> &Device {
        &self.device
    }
}
