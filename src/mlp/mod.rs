//! Mlp: a multilayer perceptron with ReLU between its layers and softmax at its end.

mod blame;
mod callback;
mod checkpoint;
mod file;
mod fit;
mod fit_async;
mod header;
mod history;
mod job;
mod options;
mod passes;
mod predict;
mod predict_async;
mod prepare;
mod rows;
mod step;
mod trainer;

use std::sync::Arc;

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::layers::{Dense, Init};
use crate::matrix::not_empty;
use crate::ops::{Activation, bank};
use crate::waiting::{Waiting, at_once};

pub use callback::{Callback, Run, Step};
use checkpoint::Course;
pub use history::{Epoch, History};
pub use options::{ClassWeights, EarlyStopping, FitOptions, Monitor};
use prepare::Prepared;
pub use step::StepOptions;
pub use trainer::Trainer;

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
    /// The parameters when they were last on the host.
    copy: Arc<[Parameters]>,
    /// Where [`Mlp::partial_fit`] goes on.
    partial: Option<Box<Course>>,
    /// Steps whose kernels were compiled.
    prepared: Vec<Prepared>,
}

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
    /// inputs x outputs.
    pub weights: Array2<f32>,
    /// 1 x outputs.
    pub biases: Array2<f32>,
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
        Self::with_init(device, widths, Init::He, seed)
    }

    /// Like [`Mlp::new`], with another spread of the first weights.
    ///
    /// # Errors
    /// As [`Mlp::new`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Mlp, layers::Init};
    /// let model = Mlp::with_init(&Device::cpu(), &[64, 128, 10], Init::Glorot, 42)?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_init(device: &Device, widths: &[usize], init: Init, seed: u64) -> Result<Self> {
        check_widths(widths)?;
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let layer = |pair: &[usize]| {
            let weights = init.draw(pair[0], pair[1], &mut rng)?;
            let (shape, values) = (Shape { rows: pair[0], cols: pair[1] }, weights.len());
            let weights = Array2::from_shape_vec((pair[0], pair[1]), weights);
            let weights = weights.map_err(|_| Error::Length { op: "mlp", shape, values })?;
            Ok(Parameters { weights, biases: Array2::zeros((1, pair[1])) })
        };
        Self::from_host(device, widths.windows(2).map(layer).collect::<Result<_>>()?)
    }

    /// Draws all parameters anew, as [`Mlp::with_init`] does: training starts over.
    ///
    /// # Errors
    /// As [`Mlp::new`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Mlp, layers::Init};
    /// let mut model = Mlp::new(&Device::cpu(), &[4, 3], 1)?;
    /// model.reset(Init::He, 2)?;
    /// assert_eq!(model.parameters()?, Mlp::new(&Device::cpu(), &[4, 3], 2)?.parameters()?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn reset(&mut self, init: Init, seed: u64) -> Result<()> {
        *self = Self::with_init(&self.device, &self.widths(), init, seed)?;
        Ok(())
    }

    /// Inputs, hidden layers, classes.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.weights().cols());
        std::iter::once(self.inputs()).chain(outputs).collect()
    }

    /// A network with these parameters, layer by layer: those of [`Mlp::parameters`], or of anything else.
    ///
    /// # Errors
    /// [`Error::Option`] without layers; [`Error::Shape`] for biases that are not one row with a value for each column of their
    /// weights, or for a layer with other inputs than the outputs of the one before; else as [`Mlp::new`].
    ///
    /// ```
    /// use ndarray::array;
    /// use wgpu_mlp::{Device, Mlp, Parameters};
    /// let layer = Parameters { weights: array![[1.0, -1.0], [0.0, 2.0]], biases: array![[0.5, 0.0]] };
    /// let model = Mlp::from_parameters(&Device::cpu(), vec![layer])?;
    /// assert_eq!(model.predict(array![[1.0, 0.0], [0.0, 1.0]].view())?, [0, 1]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn from_parameters(device: &Device, layers: Vec<Parameters>) -> Result<Self> {
        const OP: &str = "mlp";
        let inputs = layers.iter().take(1).map(|first| first.weights.nrows());
        let widths: Vec<_> = inputs.chain(layers.iter().map(|layer| layer.weights.ncols())).collect();
        check_widths(&widths)?;
        for (layer, inputs) in layers.iter().zip(widths) {
            let (weights, biases) = (layer.weights.dim(), layer.biases.dim());
            if biases != (1, weights.1) {
                let rule = "the biases must be one row with a value for each column of the weights";
                return Err(Error::Shape { op: OP, rule, left: weights.into(), right: biases.into() });
            }
            if weights.0 != inputs {
                let rule = "a layer must have as many inputs as the one before it has outputs";
                return Err(Error::Shape { op: OP, rule, left: (1, inputs).into(), right: weights.into() });
            }
        }
        Self::from_host(device, layers)
    }

    /// A network of these layers, of which there is at least one and each fits the next.
    fn from_host(device: &Device, layers: Vec<Parameters>) -> Result<Self> {
        let arrays: Vec<_> = layers.iter().flat_map(|layer| [layer.weights.view(), layer.biases.view()]).collect();
        let mut matrices = bank::from_arrays(device, "parameters", &arrays)?.into_iter();
        let mut dense = Vec::with_capacity(layers.len());
        while let (Some(weights), Some(biases)) = (matrices.next(), matrices.next()) {
            dense.push(Dense::from_parameters(weights, biases)?);
        }
        Ok(Mlp { copy: layers.into(), ..Self::from_layers(device, dense) })
    }

    /// Puts ReLU between the layers.
    pub(crate) fn from_layers(device: &Device, layers: Vec<Dense>) -> Self {
        let last = layers.len().saturating_sub(1);
        let activation = |index| if index < last { Activation::Relu } else { Activation::None };
        let layers = layers.into_iter().enumerate().map(|(i, layer)| layer.with_activation(activation(i))).collect();
        Mlp { device: device.clone(), layers, copy: Arc::default(), partial: None, prepared: Vec::new() }
    }

    /// Rows and columns of all parameters: weights and biases in turn.
    fn parameter_shapes(&self) -> Vec<(usize, usize)> {
        self.layers.iter().flat_map(|layer| [layer.weights().shape(), layer.biases().shape()]).collect()
    }

    /// The parameters, layer by layer, brought back to the host. On a GPU this waits.
    ///
    /// # Errors
    /// As [`Matrix::to_array`]; after [`Error::DeviceLost`] there is still [`Mlp::last_copy`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let parameters = Mlp::new(&Device::cpu(), &[64, 128, 10], 0)?.parameters()?;
    /// assert_eq!(parameters[1].biases.dim(), (1, 10));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn parameters(&self) -> Result<Vec<Parameters>> {
        at_once(self.parameters_by(Waiting::Blocking))
    }

    /// [`Mlp::parameters`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::parameters`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[4, 3], 0)?;
    /// assert_eq!(pollster::block_on(model.parameters_async())?, model.parameters()?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn parameters_async(&self) -> Result<Vec<Parameters>> {
        self.parameters_by(Waiting::Yielding).await
    }

    async fn parameters_by(&self, waiting: Waiting) -> Result<Vec<Parameters>> {
        let mut parameters = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let weights = layer.weights().to_array_by(waiting).await?;
            parameters.push(Parameters { weights, biases: layer.biases().to_array_by(waiting).await? });
        }
        Ok(parameters)
    }

    /// The parameters when they were last on the host: as made or loaded, or after the last [`Mlp::fit`]. In a long fit
    /// also after an epoch now and then, a second or more apart. No device is asked.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[64, 128, 10], 0)?;
    /// assert_eq!(model.last_copy(), model.parameters()?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn last_copy(&self) -> &[Parameters] {
        &self.copy
    }

    /// The same model on another device; from [`Mlp::last_copy`] if this model's own device is lost.
    ///
    /// # Errors
    /// As [`Mlp::parameters`] for any error but a lost device, and as [`Matrix::from_array`] on the other device.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::auto()?, &[64, 128, 10], 0)?;
    /// let moved = model.to_device(&Device::cpu())?;
    /// assert_eq!(moved.parameters()?, model.parameters()?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        at_once(self.to_device_by(Waiting::Blocking, device))
    }

    /// [`Mlp::to_device`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::to_device`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::auto()?, &[64, 128, 10], 0)?;
    /// let moved = pollster::block_on(model.to_device_async(&Device::cpu()))?;
    /// assert_eq!(moved.parameters()?, model.parameters()?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn to_device_async(&self, device: &Device) -> Result<Self> {
        self.to_device_by(Waiting::Yielding, device).await
    }

    async fn to_device_by(&self, waiting: Waiting, device: &Device) -> Result<Self> {
        let parameters = self.parameters_by(waiting).await;
        device.make_room(waiting).await?;
        match parameters {
            Ok(parameters) => Self::from_host(device, parameters),
            Err(Error::DeviceLost { .. }) => Self::from_host(device, self.copy.to_vec()),
            Err(error) => Err(error),
        }
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

/// Refuses fewer widths than a network needs.
pub(crate) fn check_widths(widths: &[usize]) -> Result<()> {
    if widths.len() < 2 {
        let rule = "at least the inputs and the classes";
        return Err(Error::Option { op: "mlp", option: "widths", rule, value: widths.len() as f64 });
    }
    widths.windows(2).try_for_each(|pair| not_empty("dense", pair[0], pair[1]))
}
