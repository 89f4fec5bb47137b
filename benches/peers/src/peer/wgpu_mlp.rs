//! This crate, on an adapter and on its CPU path.

use anyhow::Result;
use ndarray::Array2;
use wgpu_mlp::{Device, DeviceKind, Matrix, Mlp, Optimizer, OptimizerState, Parameters, Targets, ops};

use super::{Answer, Peer, Work, work};
use crate::job::LEARNING_RATE;

struct WgpuMlp(Device);

pub fn adapter() -> Result<Box<dyn Peer>> {
    Ok(Box::new(WgpuMlp(Device::gpu()?)))
}

pub fn cpu() -> Result<Box<dyn Peer>> {
    Ok(Box::new(WgpuMlp(Device::cpu())))
}

impl Peer for WgpuMlp {
    fn about(&self) -> String {
        let info = self.0.info();
        format!("{} ({}, {})", info.name, info.backend, info.driver)
    }

    fn adapter(&self) -> Option<String> {
        let info = self.0.info();
        (info.kind != DeviceKind::Cpu).then(|| info.name.clone())
    }

    fn train(&self, x: Array2<f32>, labels: Vec<u32>, weights: Vec<Array2<f32>>) -> Result<Box<dyn Work>> {
        let x = Matrix::from_array(&self.0, x.view())?;
        let layer = |weights: Array2<f32>| Parameters { biases: Array2::zeros((1, weights.ncols())), weights };
        let mut model = Mlp::from_parameters(&self.0, weights.into_iter().map(layer).collect())?;
        let targets = Targets::classes(&self.0, &labels, model.classes())?;
        let mut state = OptimizerState::new(Optimizer::sgd(LEARNING_RATE.into()));
        let step = move || Ok(model.train_step(&x, &targets, &mut state)?.read()?.mean_loss() as f32);
        work(step, |loss| Ok(Answer::loss(*loss)))
    }

    fn matmul(&self, a: Array2<f32>, b: Array2<f32>) -> Result<Box<dyn Work>> {
        let device = self.0.clone();
        let (a, b) = (Matrix::from_array(&device, a.view())?, Matrix::from_array(&device, b.view())?);
        let run = move || {
            let product = ops::matmul(&a, &b)?;
            device.wait()?;
            Ok(product)
        };
        work(run, |product| Ok(Answer::matrix(values(product)?)))
    }

    fn softmax(&self, logits: Array2<f32>) -> Result<Box<dyn Work>> {
        let device = self.0.clone();
        let logits = Matrix::from_array(&device, logits.view())?;
        let run = move || {
            let probs = ops::softmax(&logits)?;
            device.wait()?;
            Ok(probs)
        };
        work(run, |probs| Ok(Answer::matrix(values(probs)?)))
    }

    fn cross_entropy(&self, logits: Array2<f32>, labels: Vec<u32>) -> Result<Box<dyn Work>> {
        let device = self.0.clone();
        let targets = Targets::classes(&device, &labels, logits.ncols())?;
        let logits = Matrix::from_array(&device, logits.view())?;
        let run = move || {
            let head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
            let loss = head.stats()?.mean_loss() as f32;
            device.wait()?;
            Ok((loss, head))
        };
        work(run, |(loss, head)| Ok(Answer { loss: Some(*loss), matrix: values(head.dlogits())? }))
    }
}

fn values(matrix: &Matrix) -> Result<Vec<f32>> {
    Ok(matrix.to_array()?.into_raw_vec_and_offset().0)
}
