//! Prediction and scoring for those who may not block their thread.

use ndarray::{Array2, ArrayView2};

use super::predict::score::{hits_in_top_k, share_of};
use super::predict::shaped;
use super::{Mlp, Parameters};
use crate::error::{Result, Shape};
use crate::matrix::{Later, Matrix, host_room};
use crate::metrics::{self, ConfusionMatrix};
use crate::ops::{self, CrossEntropy, PendingRead, Statistics};
use crate::targets::Label;

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
        self.by_class_async("predict_proba", x, ops::softmax).await
    }

    /// [`Mlp::predict_log_proba`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2], [0.3, 0.4]];
    /// assert_eq!(pollster::block_on(model.predict_log_proba_async(x.view()))?, model.predict_log_proba(x.view())?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn predict_log_proba_async(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.by_class_async("predict_log_proba", x, ops::log_softmax).await
    }

    /// What `of` makes of the logits, a value a class.
    async fn by_class_async(
        &self,
        op: &'static str,
        x: ArrayView2<'_, f32>,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<Array2<f32>> {
        self.check_inputs(op, x)?;
        let shape = Shape { rows: x.nrows(), cols: self.classes() };
        let mut made = host_room(op, shape.rows, shape.cols)?;
        let start = |rows| self.start_of(x, rows, of);
        self.stream_async(x.nrows(), start, async |(batch, _)| batch.arrive_into(&mut made).await).await?;
        shaped(op, shape, made)
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
        self.check_scored("score", x, labels)?;
        let mut hits = 0;
        let start = |rows| self.start_score(x, labels, rows);
        let finish = async |(batch, _): (PendingRead, Matrix)| {
            hits += batch.arrive().await?.correct as usize;
            Ok(())
        };
        self.stream_async(x.nrows(), start, finish).await?;
        Ok(share_of(hits, labels))
    }

    /// [`Mlp::evaluate`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::score`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let (model, x) = (Mlp::new(&Device::cpu(), &[2, 3], 0)?, ndarray::array![[0.1, 0.2], [0.3, 0.4]]);
    /// let result = pollster::block_on(model.evaluate_async(x.view(), &[0u8, 2]))?;
    /// assert_eq!(result, model.evaluate(x.view(), &[0u8, 2])?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn evaluate_async<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<Statistics> {
        self.check_scored("evaluate", x, labels)?;
        let (mut total, mut first) = (Statistics::default(), 0);
        let start = |rows: std::ops::Range<usize>| {
            let (batch, targets) = self.labelled(x, labels, rows.clone())?;
            Ok((self.start_losses(batch, &targets, &CrossEntropy::default())?, rows.len()))
        };
        let finish = async |((batch, _), rows): ((PendingRead, Matrix), usize)| {
            total = total.join(batch.arrive().await?, first);
            first += rows as u64;
            Ok(())
        };
        self.stream_async(x.nrows(), start, finish).await?;
        Ok(total)
    }

    /// [`Mlp::score_top_k`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::score_top_k`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let (model, x) = (Mlp::new(&Device::cpu(), &[2, 3], 0)?, ndarray::array![[0.1, 0.2]]);
    /// assert_eq!(pollster::block_on(model.score_top_k_async(x.view(), &[2u8], 3))?, 1.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn score_top_k_async<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L], k: usize) -> Result<f64> {
        metrics::check_k("score_top_k", k)?;
        let ids = self.check_scored("score_top_k", x, labels)?;
        let (mut left, mut hits) = (ids.iter(), 0);
        let start = |rows| self.start_of(x, rows, |logits| Ok(logits.clone()));
        let finish = async |(batch, _): (Later<f32>, Matrix)| {
            let mut logits = Vec::new();
            batch.arrive_into(&mut logits).await?;
            hits += hits_in_top_k(&logits, self.classes(), &mut left, k);
            Ok(())
        };
        self.stream_async(x.nrows(), start, finish).await?;
        Ok(share_of(hits, labels))
    }

    /// [`Mlp::confusion_matrix`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Mlp::score`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let (model, x) = (Mlp::new(&Device::cpu(), &[2, 3], 0)?, ndarray::array![[0.1, 0.2], [0.3, 0.4]]);
    /// let matrix = pollster::block_on(model.confusion_matrix_async(x.view(), &[0u8, 2]))?;
    /// assert_eq!(matrix, model.confusion_matrix(x.view(), &[0u8, 2])?);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub async fn confusion_matrix_async<L: Label>(
        &self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
    ) -> Result<ConfusionMatrix> {
        self.check_scored("confusion_matrix", x, labels)?;
        ConfusionMatrix::new(labels, &self.predict_async(x).await?, self.classes())
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
