//! Prediction and scoring, a batch of rows at a time.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::Mlp;
use crate::error::{Error, Result, Shape};
use crate::matrix::{Later, Matrix, host_room, not_empty};
use crate::metrics::{self, ConfusionMatrix};
use crate::ops::{self, CrossEntropy, PendingRead, Statistics};
use crate::targets::{Label, Targets, ignored_rows};

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
        let mut classes = host_room("predict", x.nrows(), 1)?;
        self.stream(x.nrows(), |rows| self.start_predict(x, rows), |(batch, _)| batch.finish_into(&mut classes))?;
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
        self.by_class("predict_proba", x, ops::softmax)
    }

    /// The logarithm of each class's probability, `rows x classes`: finite where [`Mlp::predict_proba`] rounds to 0.
    ///
    /// # Errors
    /// As [`Mlp::predict`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let x = ndarray::array![[0.1, 0.2]];
    /// let (logs, probs) = (model.predict_log_proba(x.view())?, model.predict_proba(x.view())?);
    /// assert!((logs[[0, 1]].exp() - probs[[0, 1]]).abs() < 1e-6);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict_log_proba(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.by_class("predict_log_proba", x, ops::log_softmax)
    }

    /// What `of` makes of the logits, a value a class.
    fn by_class(
        &self,
        op: &'static str,
        x: ArrayView2<'_, f32>,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<Array2<f32>> {
        self.check_inputs(op, x)?;
        let shape = Shape { rows: x.nrows(), cols: self.classes() };
        let mut made = host_room(op, shape.rows, shape.cols)?;
        self.stream(x.nrows(), |rows| self.start_of(x, rows, of), |(batch, _)| batch.finish_into(&mut made))?;
        let values = made.len();
        Array2::from_shape_vec((shape.rows, shape.cols), made).map_err(|_| Error::Length { op, shape, values })
    }

    /// The share of rows whose most probable class is their label; a row with NaN is a miss. Rows
    /// labelled -100 do not count.
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
        let mut hits = 0;
        self.stream(
            x.nrows(),
            |rows| self.start_score(x, labels, rows),
            |(batch, _)| {
                hits += batch.finish()?.correct;
                Ok(())
            },
        )?;
        Ok(hits as f64 / (labels.len() - ignored_rows(labels)) as f64)
    }

    /// Loss and accuracy on these rows: Keras's `evaluate`. Rows labelled -100 do not count.
    ///
    /// # Errors
    /// As [`Mlp::score`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let result = model.evaluate(ndarray::array![[0.1, 0.2], [0.3, 0.4]].view(), &[0u8, 2])?;
    /// println!("loss {:.3}, accuracy {:.3}", result.mean_loss(), result.accuracy());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn evaluate<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<Statistics> {
        self.check_inputs("evaluate", x)?;
        check_rows("evaluate", x, labels.len())?;
        Targets::check(labels, self.classes())?;
        self.losses(x.nrows(), |rows| {
            let targets = Targets::classes(&self.device, &labels[rows.clone()], self.classes())?;
            Ok((self.upload(x, rows)?, targets, CrossEntropy::default()))
        })
    }

    /// What batches of so many rows in all add up to, each by its own loss.
    pub(super) fn losses(
        &self,
        rows: usize,
        mut batch: impl FnMut(Range<usize>) -> Result<(Matrix, Targets, CrossEntropy)>,
    ) -> Result<Statistics> {
        let (mut total, mut first) = (Statistics::default(), 0);
        self.stream(
            rows,
            |rows| {
                let (x, targets, loss) = batch(rows.clone())?;
                let head = ops::softmax_cross_entropy(&self.logits(&x)?, &targets, &loss)?;
                Ok((head.into_pending().read_later()?, x, rows.len()))
            },
            |(statistics, _, rows)| {
                total = total.join(statistics.finish()?, first);
                first += rows as u64;
                Ok(())
            },
        )?;
        Ok(total)
    }

    /// The share of rows whose label is among their `k` most probable classes; of equal ones the lower class comes first, a
    /// row with NaN is a miss: [`metrics::top_k_accuracy`] of the logits, of which the host holds a batch at a time.
    /// With k = 1 it is [`Mlp::score`].
    ///
    /// # Errors
    /// As [`Mlp::score`]; [`Error::Option`] for k = 0.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let (x, labels) = (ndarray::array![[0.1, 0.2], [0.3, -0.2]], [0u8, 2]);
    /// assert_eq!(model.score_top_k(x.view(), &labels, 1)?, model.score(x.view(), &labels)?);
    /// assert_eq!(model.score_top_k(x.view(), &labels, 3)?, 1.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn score_top_k<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L], k: usize) -> Result<f64> {
        self.check_inputs("score_top_k", x)?;
        check_rows("score_top_k", x, labels.len())?;
        metrics::check_k("score_top_k", k)?;
        let classes = self.classes();
        let ids = Targets::check(labels, classes)?;
        let mut left = ids.iter();
        let mut hits = 0;
        self.stream(
            x.nrows(),
            |rows| self.start_of(x, rows, |logits| Ok(logits.clone())),
            |(batch, _)| {
                let mut logits = Vec::new();
                batch.finish_into(&mut logits)?;
                let rows = logits.chunks(classes).zip(left.by_ref());
                hits += rows.filter(|(row, id)| metrics::in_top_k(row.iter().copied(), **id, k)).count();
                Ok(())
            },
        )?;
        Ok(hits as f64 / (labels.len() - ignored_rows(labels)) as f64)
    }

    /// How often [`Mlp::predict`] takes each class for each: row = label, column = prediction.
    ///
    /// # Errors
    /// As [`Mlp::score`].
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    /// let matrix = model.confusion_matrix(ndarray::array![[0.1, 0.2], [0.3, -0.2]].view(), &[0u8, 2])?;
    /// assert_eq!(matrix.support(), [1, 0, 1]);
    /// println!("{matrix}\n{}", matrix.report());
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn confusion_matrix<L: Label>(&self, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<ConfusionMatrix> {
        self.check_inputs("confusion_matrix", x)?;
        check_rows("confusion_matrix", x, labels.len())?;
        Targets::check(labels, self.classes())?;
        ConfusionMatrix::new(labels, &self.predict(x)?, self.classes())
    }

    /// Goes through the rows in batches of which two are under way: while the device works on one, the next is uploaded.
    ///
    /// `start` records a batch and gives what `finish` waits for, in the same order; what it gives also keeps the
    /// batch's input buffer, so that the two batches never share one. When the device's memory runs out, the batch
    /// before is finished first, and if that does not help, batches become half as long.
    pub(super) async fn stream_async<S>(
        &self,
        rows: usize,
        mut start: impl FnMut(Range<usize>) -> Result<S>,
        mut finish: impl AsyncFnMut(S) -> Result<()>,
    ) -> Result<()> {
        let mut under_way: Option<S> = None;
        let (mut first, mut batch) = (0, self.batch_rows());
        while first < rows {
            let range = first..rows.min(first.saturating_add(batch));
            let before = match start(range.clone()) {
                Ok(started) => {
                    first = range.end;
                    under_way.replace(started)
                }
                Err(Error::OutOfMemory { .. }) if under_way.is_some() => under_way.take(),
                Err(Error::OutOfMemory { .. }) if range.len() > 1 => {
                    batch = range.len() / 2;
                    log::warn!("out of device memory: going on with batches of {batch} rows");
                    None
                }
                Err(error) => return Err(error),
            };
            if let Some(before) = before {
                finish(before).await?;
            }
        }
        match under_way {
            Some(last) => finish(last).await,
            None => Ok(()),
        }
    }

    /// The same where `finish` blocks.
    fn stream<S>(
        &self,
        rows: usize,
        start: impl FnMut(Range<usize>) -> Result<S>,
        mut finish: impl FnMut(S) -> Result<()>,
    ) -> Result<()> {
        pollster::block_on(self.stream_async(rows, start, async |started| finish(started)))
    }

    /// The classes of these rows, on their way.
    pub(super) fn start_predict(&self, x: ArrayView2<'_, f32>, rows: Range<usize>) -> Result<(Later<u32>, Matrix)> {
        let x = self.upload(x, rows)?;
        Ok((ops::argmax(&self.logits(&x)?)?.read_later()?, x))
    }

    /// What `of` makes of these rows' logits, on its way.
    pub(super) fn start_of(
        &self,
        x: ArrayView2<'_, f32>,
        rows: Range<usize>,
        of: fn(&Matrix) -> Result<Matrix>,
    ) -> Result<(Later<f32>, Matrix)> {
        let x = self.upload(x, rows)?;
        Ok((of(&self.logits(&x)?)?.read_later()?, x))
    }

    /// How many of these rows are classified correctly, on its way.
    pub(super) fn start_score<L: Label>(
        &self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        rows: Range<usize>,
    ) -> Result<(PendingRead, Matrix)> {
        let targets = Targets::classes(&self.device, &labels[rows.clone()], self.classes())?;
        let x = self.upload(x, rows)?;
        Ok((ops::hits(&self.logits(&x)?, &targets)?.read_later()?, x))
    }

    fn upload(&self, x: ArrayView2<'_, f32>, rows: Range<usize>) -> Result<Matrix> {
        Matrix::from_array(&self.device, x.slice_axis(Axis(0), Slice::from(rows)))
    }

    pub(crate) fn logits(&self, x: &Matrix) -> Result<Matrix> {
        let mut activations = x.clone();
        for layer in &self.layers {
            activations = layer.infer(&activations)?;
        }
        Ok(activations)
    }

    /// Rows a batch, so that its widest layer holds about [`BATCH_VALUES`].
    pub(crate) fn batch_rows(&self) -> usize {
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
