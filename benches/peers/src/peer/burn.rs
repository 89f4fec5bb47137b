//! Burn, on wgpu and on flex, its CPU backend.

use anyhow::{Context, Result, anyhow};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::module::linear;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use ndarray::Array2;

use super::{Answer, Peer, Work, work};
use crate::job::LEARNING_RATE;

struct Burn {
    device: Device,
    /// The adapter's name, on wgpu.
    adapter: Option<String>,
}

pub fn adapter() -> Result<Box<dyn Peer>> {
    let device = Device::wgpu(Default::default());
    let identity = device.identity().context("Burn's device does not say what it is")?;
    Ok(Box::new(Burn { device, adapter: Some(identity.name) }))
}

pub fn flex() -> Result<Box<dyn Peer>> {
    Ok(Box::new(Burn { device: Device::flex(), adapter: None }))
}

impl Burn {
    fn tensor(&self, values: Array2<f32>, device: &Device) -> Tensor<2> {
        let shape = [values.nrows(), values.ncols()];
        Tensor::from_data(TensorData::new(values.into_raw_vec_and_offset().0, shape), device)
    }

    fn classes(&self, labels: Vec<u32>, device: &Device) -> Tensor<1, Int> {
        let rows = labels.len();
        Tensor::from_data(TensorData::new(labels, [rows]), device)
    }

    fn loss(&self, device: &Device) -> CrossEntropyLoss {
        CrossEntropyLossConfig::new().init(device)
    }
}

/// A weight after a step of plain gradient descent.
fn descend<const D: usize>(weight: &Tensor<D>, gradients: &Gradients) -> Result<Tensor<D>> {
    let gradient = weight.grad(gradients).context("a weight without a gradient")?;
    Ok(Tensor::from_inner(weight.clone().inner() - gradient * LEARNING_RATE).require_grad())
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.clone().try_into_data().map_err(|error| anyhow!("{error:?}"))?;
    data.try_into_vec::<f32>().map_err(|error| anyhow!("{error:?}"))
}

fn scalar(tensor: Tensor<1>) -> Result<f32> {
    tensor.try_into_scalar::<f32>().map_err(|error| anyhow!("{error:?}"))
}

fn wait(device: &Device) -> Result<()> {
    device.sync().map_err(|error| anyhow!("{error:?}"))
}

impl Peer for Burn {
    fn about(&self) -> String {
        match &self.adapter {
            Some(name) => name.clone(),
            None => format!("{} threads", crate::machine::threads()),
        }
    }

    fn adapter(&self) -> Option<String> {
        self.adapter.clone()
    }

    /// Both are chosen when Burn is compiled, for its wgpu backend.
    fn variant(&self) -> &'static str {
        match (&self.adapter, cfg!(feature = "autotune"), cfg!(feature = "fusion")) {
            (None, _, _) => "",
            (_, false, false) => "no autotune, no fusion",
            (_, true, false) => "autotune, no fusion",
            (_, false, true) => "fusion, no autotune",
            (_, true, true) => "autotune, fusion",
        }
    }

    fn train(&self, x: Array2<f32>, labels: Vec<u32>, weights: Vec<Array2<f32>>) -> Result<Box<dyn Work>> {
        let device = self.device.clone().autodiff();
        let layer = |weights: Array2<f32>| {
            let bias = Tensor::<1>::zeros([weights.ncols()], &device).require_grad();
            (self.tensor(weights, &device).require_grad(), bias)
        };
        let mut layers: Vec<_> = weights.into_iter().map(layer).collect();
        let (x, labels, loss) = (self.tensor(x, &device), self.classes(labels, &device), self.loss(&device));
        let step = move || {
            let mut outputs = x.clone();
            for (layer, (weights, bias)) in layers.iter().enumerate() {
                let inputs = if layer > 0 { relu(outputs) } else { outputs };
                outputs = linear(inputs, weights.clone(), Some(bias.clone()));
            }
            let loss = loss.forward(outputs, labels.clone());
            let gradients = loss.backward();
            for (weights, bias) in &mut layers {
                (*weights, *bias) = (descend(weights, &gradients)?, descend(bias, &gradients)?);
            }
            scalar(loss)
        };
        work(step, |loss| Ok(Answer::loss(*loss)))
    }

    fn matmul(&self, a: Array2<f32>, b: Array2<f32>) -> Result<Box<dyn Work>> {
        let device = self.device.clone();
        let (a, b) = (self.tensor(a, &device), self.tensor(b, &device));
        let run = move || {
            let product = a.clone().matmul(b.clone());
            wait(&device)?;
            Ok(product)
        };
        work(run, |product| Ok(Answer::matrix(values(product)?)))
    }

    fn softmax(&self, logits: Array2<f32>) -> Result<Box<dyn Work>> {
        let device = self.device.clone();
        let logits = self.tensor(logits, &device);
        let run = move || {
            let probs = softmax(logits.clone(), 1);
            wait(&device)?;
            Ok(probs)
        };
        work(run, |probs| Ok(Answer::matrix(values(probs)?)))
    }

    fn cross_entropy(&self, logits: Array2<f32>, labels: Vec<u32>) -> Result<Box<dyn Work>> {
        let device = self.device.clone().autodiff();
        let logits = self.tensor(logits, &device).require_grad();
        let (labels, loss) = (self.classes(labels, &device), self.loss(&device));
        let run = move || {
            let loss = loss.forward(logits.clone(), labels.clone());
            let gradient = logits.grad(&loss.backward()).context("no gradient")?;
            let loss = scalar(loss)?;
            wait(&device)?;
            Ok((loss, gradient))
        };
        work(run, |(loss, gradient)| Ok(Answer { loss: Some(*loss), matrix: values(gradient)? }))
    }
}
