//! Prediction and scoring for those who may not block their thread.

use ndarray::{Array2, ArrayView2};

use super::Mlp;
use crate::error::Result;
use crate::metrics::ConfusionMatrix;
use crate::ops::{self, Statistics};
use crate::targets::Label;
use crate::waiting::Waiting;

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
        self.predict_by(Waiting::Yielding, x).await
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
        self.by_class(Waiting::Yielding, "predict_proba", x, ops::softmax).await
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
        self.by_class(Waiting::Yielding, "predict_log_proba", x, ops::log_softmax).await
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
        self.score_by(Waiting::Yielding, x, labels).await
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
        self.evaluate_by(Waiting::Yielding, x, labels).await
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
        self.score_top_k_by(Waiting::Yielding, x, labels, k).await
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
        self.confusion_matrix_by(Waiting::Yielding, x, labels).await
    }
}
