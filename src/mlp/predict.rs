//! Prediction: classes, probabilities and logits.

use std::ops::Range;

use ndarray::Array2;

use super::model::Mlp;
use super::stream::InFlight;
use crate::error::{Error, Result, Shape};
use crate::host_memory::host_room;
use crate::matrix::Matrix;
use crate::ops;
use crate::source::{RowSource, Wanted, dim_of};
use crate::storage::Later;
use crate::waiting::{Waiting, blocking_and_async};

impl Mlp {
    blocking_and_async! {
        /// Predicts the most probable class of each row; `x` is `rows x inputs`. A single row has two dimensions, too:
        /// `row.insert_axis(Axis(0))` makes one row of an array of one dimension. A row with NaN gets class 0.
        ///
        /// # Errors
        /// [`Error::Shape`] unless x has a column for each input; [`Error::Empty`] without rows; [`Error::Source`] for a row
        /// that cannot be read.
        ///
        /// ```
        /// # use wgpu_mlp::{Device, Mlp};
        /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
        /// let classes: Vec<u32> = model.predict(ndarray::array![[0.1, 0.2], [0.3, 0.4]].view())?;
        /// assert_eq!(classes.len(), 2);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn predict, predict_async(&self, x: impl RowSource) -> Result<Vec<u32>> = |waiting| {
            let x: &dyn RowSource = &x;
            let dim = dim_of("predict", x)?;
            self.check_inputs("predict", dim)?;
            self.predict_rows(waiting, "predict", x, dim.0).await
        }

        /// Predicts the probability of each class of each row, as `rows x classes`.
        ///
        /// # Errors
        /// As [`Mlp::predict`].
        pub fn predict_proba, predict_proba_async(&self, x: impl RowSource) -> Result<Array2<f32>> = |waiting| {
            self.predict_by_class(waiting, "predict_proba", &x, ops::softmax).await
        }

        /// Predicts the logarithm of the probability of each class of each row, as `rows x classes`. It stays finite if a
        /// probability is so small that [`Mlp::predict_proba`] rounds it to 0.
        ///
        /// # Errors
        /// As [`Mlp::predict`].
        pub fn predict_log_proba, predict_log_proba_async(&self, x: impl RowSource) -> Result<Array2<f32>> = |waiting| {
            self.predict_by_class(waiting, "predict_log_proba", &x, ops::log_softmax).await
        }
    }

    /// Predicts the classes of this number of rows, which are known to fit the model.
    pub(super) async fn predict_rows(
        &self,
        waiting: Waiting,
        op: &'static str,
        x: &dyn RowSource,
        rows: usize,
    ) -> Result<Vec<u32>> {
        let mut classes = host_room(op, rows, 1)?;
        let start = |rows| {
            let x = self.upload(op, x, rows)?;
            Ok(InFlight::new(ops::argmax(&self.logits(&x)?)?.read_later()?, x))
        };
        self.stream(waiting, rows, start, &mut classes, |_, _| {}).await?;
        Ok(classes)
    }

    /// Predicts a value for each class. `of` computes the values from the logits.
    async fn predict_by_class(
        &self,
        waiting: Waiting,
        op: &'static str,
        x: &dyn RowSource,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<Array2<f32>> {
        let dim = dim_of(op, x)?;
        self.check_inputs(op, dim)?;
        let shape = Shape { rows: dim.0, cols: self.classes() };
        let mut values = host_room(op, shape.rows, shape.cols)?;
        let start = |rows| self.start_by_class(op, x, rows, of);
        self.stream(waiting, shape.rows, start, &mut values, |_, _| {}).await?;
        let (length, array) = (values.len(), Array2::from_shape_vec((shape.rows, shape.cols), values));
        array.map_err(|_| Error::Length { op, shape, values: length })
    }

    /// Starts to compute a value for each class of these rows. `of` computes the values from the logits.
    pub(super) fn start_by_class(
        &self,
        op: &'static str,
        x: &dyn RowSource,
        rows: Range<usize>,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<InFlight<Later<f32>>> {
        let x = self.upload(op, x, rows)?;
        Ok(InFlight::new(of(&self.logits(&x)?)?.read_later()?, x))
    }

    /// Uploads these rows of the features.
    pub(super) fn upload(&self, op: &'static str, x: &dyn RowSource, rows: Range<usize>) -> Result<Matrix> {
        let rows: Vec<usize> = rows.collect();
        Matrix::from_rows(&self.device, Wanted::new(op, x, self.inputs(), &rows))
    }

    /// The logits of features that are already on the model's device, with a dispatch for each layer. Features are
    /// `rows x inputs`, and logits `rows x classes`.
    ///
    /// The dispatches are recorded. The call waits for none of them, and copies nothing to the host. [`ops::softmax`] computes
    /// probabilities from the logits, and [`ops::argmax`] classes; both results stay on the device. All rows are computed at
    /// once, while [`Mlp::predict`] works in batches.
    ///
    /// # Errors
    /// [`Error::Shape`] unless x has a column for each input; [`Error::OtherDevice`] if x is on another device;
    /// [`Error::OutOfMemory`] if the device has no memory for a layer's outputs.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Mlp, ops};
    /// let device = Device::auto()?;
    /// let model = Mlp::new(&device, &[2, 8, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2], [0.3, 0.4]];
    /// let on_device = Matrix::from_array(&device, x.view())?;
    /// let probs = ops::softmax(&model.logits(&on_device)?)?;
    /// assert_eq!(probs.to_array()?, model.predict_proba(x.view())?); // only this waits
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn logits(&self, x: &Matrix) -> Result<Matrix> {
        let mut activations = x.clone();
        for layer in &self.layers {
            activations = layer.infer(&activations)?;
        }
        Ok(activations)
    }
}
