//! Mlp: the model's struct, constructors and getters.

use std::sync::Arc;

use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::train::state::TrainingState;
use super::train::step_shape::PreparedStep;
use crate::device::Device;
use crate::error::{Error, Result, Shape};
use crate::host_memory::not_empty;
use crate::layers::parameters::Parameters;
use crate::layers::{Dense, Init};
use crate::matrix::Matrix;
use crate::ops::{Activation, bank};

/// A multilayer perceptron: a dense softmax classifier with `fit`, `predict` and `score` as in scikit-learn.
///
/// The section "Errors" of a call has those that its own data and options cause. Every call can also return an error about memory
/// ([`Error::Limit`], [`Error::OutOfMemory`], [`Error::HostMemory`]) and an error that the device reports, such as
/// [`Error::DeviceLost`].
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
    pub(super) device: Device,
    pub(super) layers: Vec<Dense>,
    /// The names of the classes; empty if they have no names.
    pub(super) class_names: Arc<[String]>,
    /// The last copy of the parameters on the host.
    pub(super) copy: Arc<[Parameters]>,
    /// The state that the next [`Mlp::partial_fit`] continues from.
    pub(super) partial: Option<Box<TrainingState>>,
    /// The training steps whose kernels have been compiled.
    pub(super) prepared: Vec<PreparedStep>,
}

impl Mlp {
    /// A network with these widths: inputs, hidden layers, classes.
    ///
    /// The weights are √(2 / inputs) · N(0, 1) (He et al., [2015](https://arxiv.org/abs/1502.01852)), the biases 0.
    /// A generator on the host draws them from this seed, so they are equal on every device.
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

    /// A network whose initial weights are drawn with another distribution than in [`Mlp::new`].
    ///
    /// # Errors
    /// As [`Mlp::new`]; [`Error::Option`] also for a standard deviation that is negative or not finite.
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

    /// Resets all parameters to new initial values, drawn as by [`Mlp::with_init`], so that training starts anew.
    ///
    /// # Errors
    /// As [`Mlp::with_init`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Mlp, layers::Init};
    /// let mut model = Mlp::new(&Device::cpu(), &[4, 3], 1)?;
    /// model.reset(Init::He, 2)?;
    /// assert_eq!(model.parameters()?, Mlp::new(&Device::cpu(), &[4, 3], 2)?.parameters()?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn reset(&mut self, init: Init, seed: u64) -> Result<()> {
        let class_names = self.class_names.clone();
        *self = Mlp { class_names, ..Self::with_init(&self.device, &self.widths(), init, seed)? };
        Ok(())
    }

    /// The widths of the network: inputs, hidden layers, classes.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.weights().cols());
        std::iter::once(self.inputs()).chain(outputs).collect()
    }

    /// A network with these parameters, layer by layer. They may come from [`Mlp::parameters`] or from another program.
    ///
    /// # Errors
    /// [`Error::Option`] without layers; [`Error::Shape`] for biases that are not one row with a value for each column of their
    /// weights, or for a layer whose number of inputs is not the number of outputs of the layer before; otherwise as
    /// [`Mlp::new`].
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

    /// A network with these parameters. There must be at least one layer, and each layer must fit the next.
    pub(super) fn from_host(device: &Device, layers: Vec<Parameters>) -> Result<Self> {
        let arrays: Vec<_> = layers.iter().flat_map(|layer| [layer.weights.view(), layer.biases.view()]).collect();
        let matrices = bank::from_arrays(device, "parameters", &arrays)?;
        Ok(Mlp { copy: layers.into(), ..Self::from_matrices(device, matrices)? })
    }

    /// A network with these weights and biases, which alternate, and with ReLU between its layers.
    pub(super) fn from_matrices(device: &Device, parameters: Vec<Matrix>) -> Result<Self> {
        let (mut layers, mut rest) = (Vec::with_capacity(parameters.len() / 2), parameters.into_iter());
        while let (Some(weights), Some(biases)) = (rest.next(), rest.next()) {
            let activation = if rest.as_slice().is_empty() { Activation::None } else { Activation::Relu };
            layers.push(Dense::from_parameters(weights, biases)?.with_activation(activation));
        }
        let (class_names, copy) = (Arc::default(), Arc::default());
        Ok(Mlp { device: device.clone(), layers, class_names, copy, partial: None, prepared: Vec::new() })
    }

    /// Replaces the parameters by as many others. The names of the classes stay, and so does the list of steps whose kernels have
    /// been compiled.
    pub(super) fn replace_parameters(&mut self, layers: Vec<Parameters>) -> Result<()> {
        let new = Self::from_host(&self.device, layers)?;
        let (class_names, prepared) = (self.class_names.clone(), std::mem::take(&mut self.prepared));
        *self = Mlp { class_names, prepared, ..new };
        Ok(())
    }

    /// The shapes of all parameters: the weights and then the biases of each layer.
    pub(super) fn parameter_shapes(&self) -> Vec<(usize, usize)> {
        self.layers.iter().flat_map(|layer| [layer.weights().shape(), layer.biases().shape()]).collect()
    }

    /// The number of inputs, which are the features of a row.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.weights().rows())
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weights().cols())
    }

    /// The layers, first to last. All except the last apply ReLU to their outputs.
    pub fn layers(&self) -> &[Dense] {
        &self.layers
    }

    /// The device that holds the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

/// Refuses a width of 0, and fewer than two widths.
pub(crate) fn check_widths(widths: &[usize]) -> Result<()> {
    if widths.len() < 2 {
        let rule = "at least the inputs and the classes";
        return Err(Error::Option { op: "mlp", option: "widths", rule, value: widths.len() as f64 });
    }
    widths.windows(2).try_for_each(|pair| not_empty("dense", pair[0], pair[1]))
}
