//! Prediction and scoring, a batch of rows at a time.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::Mlp;
use crate::error::{Error, Result, Shape};
use crate::matrix::{Matrix, not_empty};
use crate::ops;
use crate::targets::{Label, Targets};

/// A batch holds about this many values in its widest layer.
const BATCH_VALUES: usize = 1 << 22;

impl Mlp {
    /// The most probable class of each row; `x` is `rows x inputs`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless x has a column for each input; [`Error::Empty`] without rows.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let classes: Vec<u32> = model.predict(ndarray::array![[0.1, 0.2], [0.3, 0.4]].view())?;
    /// assert_eq!(classes.len(), 2);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict(&self, x: ArrayView2<'_, f32>) -> Result<Vec<u32>> {
        self.check_inputs("predict", x)?;
        let mut classes = Vec::new();
        for rows in x.axis_chunks_iter(Axis(0), self.batch_rows()) {
            classes.extend(ops::argmax(&self.logits(rows)?)?.to_classes()?);
        }
        Ok(classes)
    }

    /// The probability of each class, `rows x classes`.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let probs = model.predict_proba(ndarray::array![[0.1, 0.2]].view())?;
    /// assert!((probs.sum() - 1.0).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict_proba(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.check_inputs("predict_proba", x)?;
        let probs = x
            .axis_chunks_iter(Axis(0), self.batch_rows())
            .map(|rows| ops::softmax(&self.logits(rows)?)?.to_array())
            .collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = probs.iter().map(|probs| probs.view()).collect();
        let (left, right) = (Shape::from(x.dim()), Shape { rows: x.nrows(), cols: self.classes() });
        let rule = "the batches must have one width";
        concatenate(Axis(0), &views).map_err(|_| Error::Shape { op: "predict_proba", rule, left, right })
    }

    /// The share of rows whose most probable class is their label; a row with NaN is a miss.
    ///
    /// # Errors
    /// As [`Mlp::predict`]; [`Error::Shape`] unless there is a label a row; [`Error::Target`] for a label that is no
    /// class.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 1], 0)?;
    /// assert_eq!(model.score(ndarray::array![[0.1, 0.2]].view(), &[0u8])?, 1.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn score<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<f64> {
        self.check_inputs("score", x)?;
        check_rows("score", x, labels.len())?;
        Targets::check(labels, self.classes())?;
        let mut hits = 0.0;
        let batch = self.batch_rows();
        for (rows, labels) in x.axis_chunks_iter(Axis(0), batch).zip(labels.chunks(batch)) {
            let targets = Targets::classes(&self.device, labels, self.classes())?;
            hits += ops::accuracy(&self.logits(rows)?, &targets)? * labels.len() as f64;
        }
        Ok(hits / labels.len() as f64)
    }

    fn logits(&self, x: ArrayView2<'_, f32>) -> Result<Matrix> {
        let mut activations = Matrix::from_array(&self.device, x)?;
        for layer in &self.layers {
            activations = layer.infer(&activations)?;
        }
        Ok(activations)
    }

    /// Rows a batch, so that its widest layer holds about [`BATCH_VALUES`].
    fn batch_rows(&self) -> usize {
        let widest = self.layers.iter().map(|layer| layer.weights().cols()).fold(self.inputs(), usize::max);
        (BATCH_VALUES / widest).max(1)
    }

    pub(super) fn check_inputs(&self, op: &'static str, x: ArrayView2<'_, f32>) -> Result<()> {
        let (rows, cols) = x.dim();
        not_empty(op, rows, cols)?;
        if cols != self.inputs() {
            let right =
                Shape { rows: self.inputs(), cols: self.layers.first().map_or(0, |layer| layer.weights().cols()) };
            let rule = "features must have a column for each input of the first layer";
            return Err(Error::Shape { op, rule, left: Shape { rows, cols }, right });
        }
        Ok(())
    }
}

/// An error unless there is a label for each row.
pub(super) fn check_rows(op: &'static str, x: ArrayView2<'_, f32>, labels: usize) -> Result<()> {
    if x.nrows() != labels {
        let right = Shape { rows: labels, cols: 1 };
        return Err(Error::Shape { op, rule: "there must be a label for each row", left: x.dim().into(), right });
    }
    Ok(())
}
