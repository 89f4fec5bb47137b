//! The dense layer: XW + b.

use rand::Rng;

use super::init::Init;
use super::kept;
use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Activation, GradientRoom, InputGradient};

/// A dense layer: forward act(XW + b); backward dW = XᵀdY, db = Σ_r dY, dX = dYWᵀ. The notebook's `Layer_Dense`.
///
/// X is `rows x inputs`, W `inputs x outputs`, b `1 x outputs`. If a ReLU is fused in, dY is set to 0 where Y is 0.
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
    /// A layer with weights 0.01 · N(0, 1) and biases 0. The random numbers are drawn on the host, so they are the same on every
    /// device.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) without inputs or outputs; else as [`Matrix::from_array`].
    pub fn new<R: Rng + ?Sized>(device: &Device, inputs: usize, outputs: usize, rng: &mut R) -> Result<Self> {
        Self::with_init(device, inputs, outputs, Init::default(), rng)
    }

    /// A layer as [`Dense::new`] makes it, with another spread of the weights.
    ///
    /// # Errors
    /// As [`Dense::new`]; [`Error::Option`](crate::Error::Option) for a standard deviation that is negative or not finite.
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

    /// The layer with this activation fused into it.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// The forward pass act(XW + b). It keeps the matrices that `backward` needs.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless X has a column for each input.
    pub fn forward(&mut self, x: &Matrix) -> Result<Matrix> {
        let y = self.infer(x)?;
        self.input = Some(x.clone());
        self.output = Some(y.clone());
        Ok(y)
    }

    /// The forward pass act(XW + b) for inference: it keeps nothing for a backward pass.
    ///
    /// # Errors
    /// As [`Dense::forward`].
    pub fn infer(&self, x: &Matrix) -> Result<Matrix> {
        ops::linear(x, &self.weights, &self.biases, self.activation)
    }

    /// The backward pass: returns dX = dY Wᵀ, and leaves dW = Xᵀ dY and db = Σ_r dY in [`Dense::dweights`] and [`Dense::dbiases`].
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
        let (x, dy) = self.before_activation("backward", dy)?;
        let room = GradientRoom::of_layer(x.device(), x.rows(), self.widths())?;
        let (gradients, dx) = room.all(x, &dy, InputGradient::Plain(&self.weights), |_| Ok(()))?;
        self.keep(room.whole(&gradients)?);
        Ok(dx)
    }

    /// The backward pass without dX, which a network's first layer does not need. Returns dY multiplied by the mask of the fused
    /// ReLU.
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
        let (x, dy) = self.before_activation("backward_parameters", dy)?;
        let gradients = ops::linear_gradients(x, &dy)?;
        self.keep(gradients);
        Ok(dy)
    }

    /// The input that the forward pass kept, and the gradient of XW + b, computed from the gradient of the output. `call` is the
    /// method that the error without a forward pass names.
    fn before_activation(&self, call: &'static str, dy: &Matrix) -> Result<(&Matrix, Matrix)> {
        let output = kept("dense", call, &self.output)?;
        ops::same_shape("dense", output, dy)?;
        let dy = match self.activation {
            Activation::None => dy.clone(),
            Activation::Relu => ops::relu_backward(output, dy)?,
        };
        Ok((kept("dense", call, &self.input)?, dy))
    }

    /// Keeps the gradients of both parameters.
    fn keep(&mut self, (dweights, dbiases): (Matrix, Matrix)) {
        (self.dweights, self.dbiases) = (Some(dweights), Some(dbiases));
    }

    /// The weights, `inputs x outputs`.
    pub fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// The biases, `1 x outputs`.
    pub fn biases(&self) -> &Matrix {
        &self.biases
    }

    /// The weights' gradient; `None` before a backward pass.
    pub fn dweights(&self) -> Option<&Matrix> {
        self.dweights.as_ref()
    }

    /// The biases' gradient; `None` before a backward pass.
    pub fn dbiases(&self) -> Option<&Matrix> {
        self.dbiases.as_ref()
    }

    /// The weights and the biases, each with its gradient if there is one, as
    /// [`OptimizerState::step`](crate::OptimizerState::step) takes them.
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

    /// Weights and biases.
    pub(crate) fn all_parameters_mut(&mut self) -> [&mut Matrix; 2] {
        [&mut self.weights, &mut self.biases]
    }

    /// Inputs and outputs.
    pub(crate) fn widths(&self) -> (usize, usize) {
        self.weights.shape()
    }
}
