//! Prediction and scoring for those who may not block their thread.

use ndarray::{Array2, ArrayView2};

use super::predict::check_rows;
use super::{Mlp, Parameters};
use crate::error::{Error, Result, Shape};
use crate::matrix::{Matrix, host_room};
use crate::ops::{self, PendingRead};
use crate::targets::{Label, Targets, ignored_rows};

impl Mlp {
    /// [`Mlp::predict`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2], [0.3, 0.4]];
    /// assert_eq!(pollster::block_on(model.predict_async(x.view()))?, model.predict(x.view())?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn predict_async(&self, x: ArrayView2<'_, f32>) -> Result<Vec<u32>> {
        self.check_inputs("predict", x)?;
        let mut classes = host_room("predict", x.nrows(), 1)?;
        let start = |rows| self.start_predict(x, rows);
        self.stream_async(x.nrows(), start, async |(batch, _)| batch.arrive_into(&mut classes).await).await?;
        Ok(classes)
    }

    /// [`Mlp::predict_proba`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2], [0.3, 0.4]];
    /// assert_eq!(pollster::block_on(model.predict_proba_async(x.view()))?, model.predict_proba(x.view())?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn predict_proba_async(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let op = "predict_proba";
        self.check_inputs(op, x)?;
        let shape = Shape { rows: x.nrows(), cols: self.classes() };
        let mut probs = host_room(op, shape.rows, shape.cols)?;
        let start = |rows| self.start_of(x, rows, ops::softmax);
        self.stream_async(x.nrows(), start, async |(batch, _)| batch.arrive_into(&mut probs).await).await?;
        let values = probs.len();
        Array2::from_shape_vec((shape.rows, shape.cols), probs).map_err(|_| Error::Length { op, shape, values })
    }

    /// [`Mlp::score`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::score`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let (model, x) = (Mlp::new(&Device::cpu(), &[2, 1], 0)?, ndarray::array![[0.1, 0.2]]);
    /// assert_eq!(pollster::block_on(model.score_async(x.view(), &[0u8]))?, 1.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn score_async<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<f64> {
        self.check_inputs("score", x)?;
        check_rows("score", x, labels.len())?;
        Targets::check(labels, self.classes())?;
        let mut hits = 0;
        let start = |rows| self.start_score(x, labels, rows);
        let finish = async |(batch, _): (PendingRead, Matrix)| {
            hits += batch.arrive().await?.correct;
            Ok(())
        };
        self.stream_async(x.nrows(), start, finish).await?;
        Ok(hits as f64 / (labels.len() - ignored_rows(labels)) as f64)
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
        let mut parameters = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let weights = layer.weights().to_array_async().await?;
            parameters.push(Parameters { weights, biases: layer.biases().to_array_async().await? });
        }
        Ok(parameters)
    }
}
