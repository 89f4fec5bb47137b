//! Dense: XW + b.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::kept;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::{Matrix, host_room, not_empty};
use crate::ops::{self, Activation};

/// Spread of normally distributed initial weights; biases begin at 0.
///
/// ```
/// use wgpu_mlp::layers::Init;
/// assert_eq!(Init::default().standard_deviation(64, 128), 0.01);
/// assert_eq!(Init::He.standard_deviation(50, 10), 0.2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Init {
    /// This standard deviation; the notebook has 0.01.
    Normal(f64),
    /// √(2 / inputs): keeps the scale through ReLU layers (He et al., [2015](https://arxiv.org/abs/1502.01852)).
    He,
    /// √(2 / (inputs + outputs)): keeps it through linear ones (Glorot and Bengio, 2010).
    Glorot,
}

impl Default for Init {
    fn default() -> Self {
        Init::Normal(0.01)
    }
}

impl Init {
    /// The standard deviation for a layer of this size.
    ///
    /// ```
    /// assert_eq!(wgpu_mlp::layers::Init::Glorot.standard_deviation(30, 20), 0.2);
    /// ```
    pub fn standard_deviation(self, inputs: usize, outputs: usize) -> f64 {
        match self {
            Init::Normal(deviation) => deviation,
            Init::He => (2.0 / inputs as f64).sqrt(),
            Init::Glorot => (2.0 / (inputs + outputs) as f64).sqrt(),
        }
    }

    /// Weights of a layer, row by row.
    pub(crate) fn draw<R: Rng + ?Sized>(self, inputs: usize, outputs: usize, rng: &mut R) -> Result<Vec<f32>> {
        not_empty("dense", inputs, outputs)?;
        let deviation = self.standard_deviation(inputs, outputs);
        let mut weights = host_room("dense", inputs, outputs)?;
        weights.extend((0..inputs * outputs).map(|_| {
            let normal: f64 = StandardNormal.sample(rng);
            (deviation * normal) as f32
        }));
        Ok(weights)
    }
}

/// A dense layer: forward act(XW + b); backward dW = XᵀdY, db = Σ_r dY, dX = dYWᵀ. The notebook's `Layer_Dense`.
///
/// X is `rows x inputs`, W `inputs x outputs`, b `1 x outputs`. With a ReLU fused in, dY is masked where Y is 0.
///
/// ```
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
/// use wgpu_mlp::{Device, Matrix, layers::Dense};
/// let device = Device::cpu();
/// let mut dense = Dense::new(&device, 64, 128, &mut ChaCha12Rng::seed_from_u64(7))?;
/// let y = dense.forward(&Matrix::zeros(&device, 5, 64)?)?;
/// assert_eq!(y.shape(), (5, 128));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dense {
    weights: Matrix,
    biases: Matrix,
    activation: Activation,
    input: Option<Matrix>,
    output: Option<Matrix>,
    dweights: Option<Matrix>,
    dbiases: Option<Matrix>,
}

impl Dense {
    /// Weights 0.01 · N(0, 1), biases 0. The random numbers are drawn on the host: the same on every device.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) without inputs or outputs; else as [`Matrix::from_array`].
    ///
    /// ```
    /// use rand::{SeedableRng, rngs::ChaCha12Rng};
    /// use wgpu_mlp::{Device, layers::Dense};
    /// let dense = Dense::new(&Device::cpu(), 3, 2, &mut ChaCha12Rng::seed_from_u64(7))?;
    /// assert_eq!(dense.biases().to_array()?.sum(), 0.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn new<R: Rng + ?Sized>(device: &Device, inputs: usize, outputs: usize, rng: &mut R) -> Result<Self> {
        Self::with_init(device, inputs, outputs, Init::default(), rng)
    }

    /// Like [`Dense::new`], with another spread of the weights.
    ///
    /// # Errors
    /// As [`Dense::new`].
    ///
    /// ```
    /// use rand::{SeedableRng, rngs::ChaCha12Rng};
    /// use wgpu_mlp::{Device, layers::{Dense, Init}};
    /// let dense = Dense::with_init(&Device::cpu(), 3, 2, Init::He, &mut ChaCha12Rng::seed_from_u64(7))?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_init<R: Rng + ?Sized>(
        device: &Device,
        inputs: usize,
        outputs: usize,
        init: Init,
        rng: &mut R,
    ) -> Result<Self> {
        let weights = Matrix::from_slice(device, inputs, outputs, &init.draw(inputs, outputs, rng)?)?;
        Self::from_parameters(weights, Matrix::zeros(device, 1, outputs)?)
    }

    /// A layer with these weights, `inputs x outputs`, and biases, `1 x outputs`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless the biases are one row as wide as the weights; [`Error::OtherDevice`](crate::Error::OtherDevice) unless both live
    /// on one device.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let weights = Matrix::from_slice(&device, 1, 2, &[1.0, 2.0])?;
    /// let dense = Dense::from_parameters(weights, Matrix::zeros(&device, 1, 2)?)?;
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn from_parameters(weights: Matrix, biases: Matrix) -> Result<Self> {
        let rule = "the biases must be one row with a value for each weight column";
        ops::fits("dense", rule, &weights, &biases, biases.shape() == (1, weights.cols()))?;
        ops::on("dense", [&weights, &biases])?;
        let activation = Activation::None;
        Ok(Dense { weights, biases, activation, input: None, output: None, dweights: None, dbiases: None })
    }

    /// The same layer with the activation fused into it.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense, ops::Activation};
    /// let device = Device::cpu();
    /// let dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// let dense = dense.with_activation(Activation::Relu);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// act(XW + b), keeping what `backward` needs.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless X has a column for each input.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let weights = Matrix::from_slice(&device, 1, 2, &[1.0, 2.0])?;
    /// let mut dense = Dense::from_parameters(weights, Matrix::zeros(&device, 1, 2)?)?;
    /// let y = dense.forward(&Matrix::from_slice(&device, 1, 1, &[3.0])?)?;
    /// assert_eq!(y.to_array()?.row(0).to_vec(), [3.0, 6.0]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn forward(&mut self, x: &Matrix) -> Result<Matrix> {
        let y = self.infer(x)?;
        self.input = Some(x.clone());
        self.output = Some(y.clone());
        Ok(y)
    }

    /// act(XW + b), keeping nothing.
    ///
    /// # Errors
    /// As [`Dense::forward`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// assert_eq!(dense.infer(&Matrix::zeros(&device, 5, 3)?)?.shape(), (5, 2));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn infer(&self, x: &Matrix) -> Result<Matrix> {
        ops::linear(x, &self.weights, &self.biases, self.activation)
    }

    /// dX = dY Wᵀ; leaves dW = Xᵀ dY and db = Σ_r dY in [`Dense::dweights`] and [`Dense::dbiases`].
    ///
    /// # Errors
    /// [`Error::NoForward`](crate::Error::NoForward) before a forward pass; [`Error::Shape`](crate::Error::Shape) unless dY has the shape of Y.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let weights = Matrix::from_slice(&device, 1, 2, &[1.0, 2.0])?;
    /// let mut dense = Dense::from_parameters(weights, Matrix::zeros(&device, 1, 2)?)?;
    /// dense.forward(&Matrix::from_slice(&device, 1, 1, &[3.0])?)?;
    /// let dx = dense.backward(&Matrix::from_slice(&device, 1, 2, &[1.0, 1.0])?)?;
    /// assert_eq!(dx.to_array()?[[0, 0]], 3.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn backward(&mut self, dy: &Matrix) -> Result<Matrix> {
        let dy = self.backward_parameters(dy)?;
        ops::matmul_nt(&dy, &self.weights)
    }

    /// Like [`Dense::backward`] without dX, which a network's first layer has no use for. Gives dY as it stands
    /// behind the activation.
    ///
    /// # Errors
    /// As [`Dense::backward`].
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let mut dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// let y = dense.forward(&Matrix::zeros(&device, 5, 3)?)?;
    /// dense.backward_parameters(&y)?;
    /// assert!(dense.dweights().is_some());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn backward_parameters(&mut self, dy: &Matrix) -> Result<Matrix> {
        let output = kept("dense", &self.output)?;
        ops::same_shape("dense", output, dy)?;
        let dy = match self.activation {
            Activation::None => dy.clone(),
            Activation::Relu => ops::relu_backward(output, dy)?,
        };
        let (dweights, dbiases) = ops::linear_gradients(kept("dense", &self.input)?, &dy)?;
        (self.dweights, self.dbiases) = (Some(dweights), Some(dbiases));
        Ok(dy)
    }

    /// The weights, `inputs x outputs`.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// assert_eq!(dense.weights().shape(), (3, 2));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// The biases, `1 x outputs`.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// assert_eq!(dense.biases().shape(), (1, 2));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn biases(&self) -> &Matrix {
        &self.biases
    }

    /// The weights' gradient; `None` before a backward pass.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// assert!(dense.dweights().is_none());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn dweights(&self) -> Option<&Matrix> {
        self.dweights.as_ref()
    }

    /// The biases' gradient; `None` before a backward pass.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense};
    /// let device = Device::cpu();
    /// let dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// assert!(dense.dbiases().is_none());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn dbiases(&self) -> Option<&Matrix> {
        self.dbiases.as_ref()
    }

    /// Each parameter with its gradient, as far as there is one, in the order weights, biases: what an optimizer wants.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, layers::Dense, ops};
    /// let device = Device::cpu();
    /// let mut dense = Dense::from_parameters(Matrix::zeros(&device, 3, 2)?, Matrix::zeros(&device, 1, 2)?)?;
    /// let y = dense.forward(&Matrix::zeros(&device, 5, 3)?)?;
    /// dense.backward(&y)?;
    /// for (parameter, gradient) in dense.parameters_mut() {
    ///     ops::sgd(parameter, gradient, 0.1)?;
    /// }
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = (&mut Matrix, &Matrix)> {
        let weights = self.dweights.as_ref().map(|gradient| (&mut self.weights, gradient));
        let biases = self.dbiases.as_ref().map(|gradient| (&mut self.biases, gradient));
        weights.into_iter().chain(biases)
    }

    /// Lets go of what the passes left, so that its memory can serve others.
    pub(crate) fn forget(&mut self) {
        (self.input, self.output, self.dweights, self.dbiases) = (None, None, None, None);
    }

    /// Weights and biases.
    pub(crate) fn all_parameters_mut(&mut self) -> [&mut Matrix; 2] {
        [&mut self.weights, &mut self.biases]
    }

    /// Inputs and outputs.
    pub(crate) fn widths(&self) -> (usize, usize) {
        self.weights.shape()
    }
}
