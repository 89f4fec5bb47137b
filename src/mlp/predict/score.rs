//! Scoring, a batch of rows at a time.

use std::ops::Range;

use ndarray::ArrayView2;

use super::check_rows;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::metrics::{self, ConfusionMatrix};
use crate::mlp::Mlp;
use crate::ops::{self, CrossEntropy, PendingRead, Statistics};
use crate::targets::{Label, Targets, ignored_rows};
use crate::waiting::{Waiting, at_once};

impl Mlp {
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
        at_once(self.score_by(Waiting::Blocking, x, labels))
    }

    pub(in crate::mlp) async fn score_by<L: Label>(
        &self,
        waiting: Waiting,
        x: ArrayView2<'_, f32>,
        labels: &[L],
    ) -> Result<f64> {
        self.check_scored("score", x, labels)?;
        let (mut batch, mut hits) = (Statistics::default(), 0);
        let start = |rows| self.start_score(x, labels, rows);
        self.stream(waiting, x.nrows(), start, &mut batch, |batch, _| hits += batch.correct as usize).await?;
        Ok(share_of(hits, labels))
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
        at_once(self.evaluate_by(Waiting::Blocking, x, labels))
    }

    pub(in crate::mlp) async fn evaluate_by<L: Label>(
        &self,
        waiting: Waiting,
        x: ArrayView2<'_, f32>,
        labels: &[L],
    ) -> Result<Statistics> {
        self.check_scored("evaluate", x, labels)?;
        let batch = |rows| self.labelled(x, labels, rows).map(|(x, targets)| (x, targets, CrossEntropy::default()));
        self.losses(waiting, x.nrows(), batch).await
    }

    /// What batches of so many rows in all add up to, each by its own loss.
    pub(in crate::mlp) async fn losses(
        &self,
        waiting: Waiting,
        rows: usize,
        mut batch: impl FnMut(Range<usize>) -> Result<(Matrix, Targets, CrossEntropy)>,
    ) -> Result<Statistics> {
        let (mut read, mut total, mut first) = (Statistics::default(), Statistics::default(), 0);
        let start = |rows| {
            let (x, targets, loss) = batch(rows)?;
            self.start_losses(x, &targets, &loss)
        };
        let seen = |read: &mut Statistics, rows| {
            total = total.join(*read, first);
            first += rows as u64;
        };
        self.stream(waiting, rows, start, &mut read, seen).await?;
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
        at_once(self.score_top_k_by(Waiting::Blocking, x, labels, k))
    }

    pub(in crate::mlp) async fn score_top_k_by<L: Label>(
        &self,
        waiting: Waiting,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        k: usize,
    ) -> Result<f64> {
        metrics::check_k("score_top_k", k)?;
        let ids = self.check_scored("score_top_k", x, labels)?;
        let (mut left, mut hits, mut logits) = (ids.iter(), 0, Vec::new());
        let start = |rows| self.start_of(x, rows, |logits| Ok(logits.clone()));
        let seen = |logits: &mut Vec<f32>, _| {
            hits += hits_in_top_k(logits, self.classes(), &mut left, k);
            logits.clear();
        };
        self.stream(waiting, x.nrows(), start, &mut logits, seen).await?;
        Ok(share_of(hits, labels))
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
        at_once(self.confusion_matrix_by(Waiting::Blocking, x, labels))
    }

    pub(in crate::mlp) async fn confusion_matrix_by<L: Label>(
        &self,
        waiting: Waiting,
        x: ArrayView2<'_, f32>,
        labels: &[L],
    ) -> Result<ConfusionMatrix> {
        self.check_scored("confusion_matrix", x, labels)?;
        ConfusionMatrix::new(labels, &self.predict_by(waiting, x).await?, self.classes())
    }

    /// How many of these rows are classified correctly, on its way.
    fn start_score<L: Label>(
        &self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        rows: Range<usize>,
    ) -> Result<(PendingRead, Matrix)> {
        let (x, targets) = self.labelled(x, labels, rows)?;
        Ok((ops::hits(&self.logits(&x)?, &targets)?.read_later()?, x))
    }

    /// The losses of a batch, on their way, and what keeps its input buffer.
    fn start_losses(&self, x: Matrix, targets: &Targets, loss: &CrossEntropy) -> Result<(PendingRead, Matrix)> {
        let head = ops::softmax_cross_entropy(&self.logits(&x)?, targets, loss)?;
        Ok((head.into_pending().read_later()?, x))
    }

    /// These rows and their labels on the device.
    fn labelled<L: Label>(
        &self,
        x: ArrayView2<'_, f32>,
        labels: &[L],
        rows: Range<usize>,
    ) -> Result<(Matrix, Targets)> {
        let targets = Targets::classes(&self.device, &labels[rows.clone()], self.classes())?;
        Ok((self.upload(x, rows)?, targets))
    }

    /// The labels as class ids, where features and labels can be scored.
    fn check_scored<L: Label>(&self, op: &'static str, x: ArrayView2<'_, f32>, labels: &[L]) -> Result<Vec<u32>> {
        self.check_inputs(op, x)?;
        check_rows(op, x, labels.len())?;
        Targets::check(labels, self.classes())
    }
}

/// How many rows of these logits have their class among the `k` most probable; takes the rows' classes out of `ids`.
fn hits_in_top_k<'a>(logits: &[f32], classes: usize, ids: &mut impl Iterator<Item = &'a u32>, k: usize) -> usize {
    logits.chunks(classes).zip(ids).filter(|(row, id)| metrics::in_top_k(row.iter().copied(), **id, k)).count()
}

/// Hits as a share of the rows that have a label.
fn share_of<L: Label>(hits: usize, labels: &[L]) -> f64 {
    hits as f64 / (labels.len() - ignored_rows(labels)) as f64
}
