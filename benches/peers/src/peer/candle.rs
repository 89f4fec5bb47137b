//! candle on the CPU.

use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer, SGD, loss, ops};
use ndarray::Array2;

use super::{Answer, Peer, Work, work};
use crate::job::LEARNING_RATE;

struct Candle;

pub fn open() -> Result<Box<dyn Peer>> {
    Ok(Box::new(Candle))
}

fn tensor(values: Array2<f32>) -> Result<Tensor> {
    let shape = values.dim();
    Ok(Tensor::from_vec(values.into_raw_vec_and_offset().0, shape, &Device::Cpu)?)
}

fn classes(labels: Vec<u32>) -> Result<Tensor> {
    let rows = labels.len();
    Ok(Tensor::from_vec(labels, rows, &Device::Cpu)?)
}

/// A layer, and the variables in it. candle keeps weights as outputs x inputs.
fn linear(weights: Array2<f32>) -> Result<(Linear, [Var; 2])> {
    let bias = Tensor::zeros(weights.ncols(), candle_core::DType::F32, &Device::Cpu)?;
    let variables = [Var::from_tensor(&tensor(weights)?.t()?.contiguous()?)?, Var::from_tensor(&bias)?];
    let layer = Linear::new(variables[0].as_tensor().clone(), Some(variables[1].as_tensor().clone()));
    Ok((layer, variables))
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

impl Peer for Candle {
    fn about(&self) -> String {
        format!("{} threads", candle_core::utils::get_num_threads())
    }

    fn train(&self, x: Array2<f32>, labels: Vec<u32>, weights: Vec<Array2<f32>>) -> Result<Box<dyn Work>> {
        let (x, labels) = (tensor(x)?, classes(labels)?);
        let (layers, variables): (Vec<_>, Vec<_>) =
            weights.into_iter().map(linear).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let mut optimizer = SGD::new(variables.into_iter().flatten().collect(), LEARNING_RATE.into())?;
        let step = move || {
            let mut outputs = x.clone();
            for (index, layer) in layers.iter().enumerate() {
                outputs = layer.forward(&if index > 0 { outputs.relu()? } else { outputs })?;
            }
            let loss = loss::cross_entropy(&outputs, &labels)?;
            optimizer.backward_step(&loss)?;
            Ok(loss.to_scalar::<f32>()?)
        };
        work(step, |loss| Ok(Answer::loss(*loss)))
    }

    fn matmul(&self, a: Array2<f32>, b: Array2<f32>) -> Result<Box<dyn Work>> {
        let (a, b) = (tensor(a)?, tensor(b)?);
        work(move || Ok(a.matmul(&b)?), |product| Ok(Answer::matrix(values(product)?)))
    }

    fn softmax(&self, logits: Array2<f32>) -> Result<Box<dyn Work>> {
        let logits = tensor(logits)?;
        work(move || Ok(ops::softmax_last_dim(&logits)?), |probs| Ok(Answer::matrix(values(probs)?)))
    }

    fn cross_entropy(&self, logits: Array2<f32>, labels: Vec<u32>) -> Result<Box<dyn Work>> {
        let (logits, labels) = (Var::from_tensor(&tensor(logits)?)?, classes(labels)?);
        let run = move || {
            let loss = loss::cross_entropy(&logits, &labels)?;
            let mut gradients = loss.backward()?;
            Ok((loss.to_scalar::<f32>()?, gradients.remove(&logits)))
        };
        work(run, |(loss, gradient)| {
            let matrix = gradient.as_ref().map(values).transpose()?.unwrap_or_default();
            Ok(Answer { loss: Some(*loss), matrix })
        })
    }
}
