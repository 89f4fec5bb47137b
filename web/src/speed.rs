//! Jobs to measure: a product, a softmax, and a training step, with inputs from the page.

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;
use wgpu_mlp::ndarray::Array2;
use wgpu_mlp::{Device, Matrix, Mlp, Optimizer, OptimizerState, Parameters, Targets, ops};

use crate::js::{Answer, Fields, failed, object, refused};

/// The widths of the network whose step is measured.
const WIDTHS: [usize; 3] = [784, 512, 10];
/// The columns of the softmax.
const COLUMNS: usize = 1000;
/// The step size of plain gradient descent.
const RATE: f64 = 0.01;
/// The most rows of a job.
const MOST: u32 = 1 << 16;

/// A job with its operands on the device.
pub enum Job {
    /// A product of two square matrices.
    Matmul(Matrix, Matrix),
    /// A softmax of each row.
    Softmax(Matrix),
    /// A training step.
    Step(Box<Step>),
}

/// A model, its optimizer, and a batch.
pub struct Step {
    model: Mlp,
    optimizer: OptimizerState,
    x: Matrix,
    targets: Targets,
}

impl Job {
    /// Brings the operands of a job to the device: `first` and `second` for a product, `first` for a softmax, and for a step
    /// the batch in `first`, the weights of both layers in `second`, and a class for each row.
    pub async fn prepare(device: &Device, about: &JsValue, inputs: (Vec<f32>, Vec<f32>, Vec<u8>)) -> Answer<Self> {
        let (fields, (first, second, labels)) = (Fields(about), inputs);
        let rows = fields.count("size", MOST)?;
        match fields.text("op")?.as_str() {
            "matmul" => {
                Ok(Job::Matmul(upload(device, rows, rows, first).await?, upload(device, rows, rows, second).await?))
            }
            "softmax" => Ok(Job::Softmax(upload(device, rows, COLUMNS, first).await?)),
            "step" => {
                let x = upload(device, rows, WIDTHS[0], first).await?;
                let targets = Targets::classes(device, &labels, WIDTHS[2]).map_err(failed)?;
                let model = Mlp::from_parameters(device, parameters(second)?).map_err(failed)?;
                let optimizer = OptimizerState::new(Optimizer::sgd(RATE));
                Ok(Job::Step(Box::new(Step { model, optimizer, x, targets })))
            }
            other => Err(refused(&format!("there is no job {other}"))),
        }
    }

    /// Runs the job this number of times and waits for the last run.
    pub async fn run(&mut self, device: &Device, times: usize) -> Answer<()> {
        for _ in 0..times {
            device.ready_async().await.map_err(failed)?;
            match self {
                Job::Matmul(a, b) => drop(ops::matmul(a, b).map_err(failed)?),
                Job::Softmax(x) => drop(ops::softmax(x).map_err(failed)?),
                Job::Step(step) => drop(step.take().map_err(failed)?),
            }
        }
        device.wait_async().await.map_err(failed)
    }

    /// The results of the job at these indices, or the losses of as many steps as there are indices.
    pub async fn sample(&mut self, places: &[u32]) -> Answer {
        let found = match self {
            Job::Matmul(a, b) => read(&ops::matmul(a, b).map_err(failed)?, places).await?,
            Job::Softmax(x) => read(&ops::softmax(x).map_err(failed)?, places).await?,
            Job::Step(step) => {
                let mut losses = Vec::new();
                for _ in places {
                    let statistics = step.take().map_err(failed)?.read_async().await.map_err(failed)?;
                    losses.push(statistics.mean_loss() as f32);
                }
                losses
            }
        };
        Ok(Float32Array::from(found.as_slice()).into())
    }
}

impl Step {
    fn take(&mut self) -> wgpu_mlp::Result<ops::Pending> {
        self.model.train_step(&self.x, &self.targets, &mut self.optimizer)
    }
}

async fn upload(device: &Device, rows: usize, columns: usize, values: Vec<f32>) -> Answer<Matrix> {
    let rule = |_| refused(&format!("a matrix of {rows} x {columns} has another number of values"));
    let array = Array2::from_shape_vec((rows, columns), values).map_err(rule)?;
    Matrix::from_array_async(device, array.view()).await.map_err(failed)
}

async fn read(result: &Matrix, places: &[u32]) -> Answer<Vec<f32>> {
    let array = result.to_array_async().await.map_err(failed)?;
    let values = array.as_slice().unwrap_or_default();
    let found = places.iter().map(|place| values.get(*place as usize).copied()).collect::<Option<Vec<_>>>();
    found.ok_or_else(|| refused("a place is beyond the result"))
}

/// The layers' parameters: these weights, first those of the hidden layer, and biases of 0.
fn parameters(mut weights: Vec<f32>) -> Answer<Vec<Parameters>> {
    let [inputs, hidden, classes] = WIDTHS;
    if weights.len() != inputs * hidden + hidden * classes {
        return Err(refused("the weights are not those of two layers"));
    }
    let last = weights.split_off(inputs * hidden);
    let layer = |rows, columns, weights| -> Answer<Parameters> {
        let weights =
            Array2::from_shape_vec((rows, columns), weights).map_err(|_| refused("the weights do not fit"))?;
        Ok(Parameters { weights, biases: Array2::zeros((1, columns)) })
    };
    Ok(vec![layer(inputs, hidden, weights)?, layer(hidden, classes, last)?])
}

/// The numbers that the page needs to draw inputs and to turn times into speeds.
pub fn shapes() -> JsValue {
    let [inputs, hidden, classes] = WIDTHS.map(|width| JsValue::from_f64(width as f64));
    let columns = JsValue::from_f64(COLUMNS as f64);
    object([("columns", columns), ("inputs", inputs), ("hidden", hidden), ("classes", classes), ("rate", RATE.into())])
}
