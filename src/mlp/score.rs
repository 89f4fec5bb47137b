//! Scores of a model on labelled rows: accuracy, loss, top-k accuracy, confusion matrix.

use std::ops::Range;

use super::checks::check_rows;
use super::model::Mlp;
use super::stream::InFlight;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::metrics::{self, ConfusionMatrix};
use crate::ops::{self, CrossEntropy, PendingRead};
use crate::source::RowSource;
use crate::statistics::Statistics;
use crate::targets::{Label, Targets, ignored_rows};
use crate::waiting::{Waiting, blocking_and_async};

impl Mlp {
    blocking_and_async! {
        /// The accuracy: the share of rows whose most probable class is their label. A row with NaN is never correct. Rows with
        /// the label -100 are ignored. If all rows are ignored, the result is NaN.
        ///
        /// # Errors
        /// As [`Mlp::predict`]; [`Error::Shape`] unless there is a label for each row; [`Error::Target`] for a label
        /// that is not a class.
        ///
        /// ```
        /// # use wgpu_mlp::{Device, Mlp};
        /// let model = Mlp::new(&Device::cpu(), &[2, 1], 0)?;
        /// assert_eq!(model.score(ndarray::array![[0.1, 0.2]].view(), &[0u8])?, 1.0);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn score, score_async<L: Label>(&self, x: impl RowSource, labels: &[L]) -> Result<f64> = |waiting| {
            let x: &dyn RowSource = &x;
            self.check_scored("score", x, labels)?;
            let (mut batch, mut hits) = (Statistics::default(), 0);
            let start = |rows| self.start_score("score", x, labels, rows);
            self.stream(waiting, labels.len(), start, &mut batch, |batch, _| hits += batch.correct as usize).await?;
            Ok(share_of(hits, labels))
        }

        /// Evaluates loss and accuracy on these rows, as Keras's `evaluate` does. Rows with the label -100 are ignored.
        ///
        /// # Errors
        /// As [`Mlp::score`].
        pub fn evaluate, evaluate_async<L: Label>(
            &self,
            x: impl RowSource,
            labels: &[L],
        ) -> Result<Statistics> = |waiting| {
            let x: &dyn RowSource = &x;
            self.check_scored("evaluate", x, labels)?;
            let batch = |rows| self.labelled("evaluate", x, labels, rows).map(|(x, targets)| (x, targets, CrossEntropy::default()));
            self.losses(waiting, labels.len(), batch).await
        }

        /// The top-k accuracy: the share of rows whose label is among their `k` most probable classes.
        ///
        /// If classes are equally probable, the lower one comes first. A row with NaN is never a hit. The result is
        /// [`metrics::top_k_accuracy`] of the logits, but the host holds the logits of only one batch at a time. With k = 1 it
        /// equals [`Mlp::score`].
        ///
        /// # Errors
        /// As [`Mlp::score`]; [`Error::Option`] for k = 0.
        pub fn score_top_k, score_top_k_async<L: Label>(
            &self,
            x: impl RowSource,
            labels: &[L],
            k: usize,
        ) -> Result<f64> = |waiting| {
            metrics::check_k("score_top_k", k)?;
            let x: &dyn RowSource = &x;
            let ids = self.check_scored("score_top_k", x, labels)?;
            let (mut left, mut hits, mut logits) = (ids.iter(), 0, Vec::new());
            let start = |rows| self.start_by_class("score_top_k", x, rows, |logits| Ok(logits.clone()));
            let arrived = |logits: &mut Vec<f32>, _| {
                hits += hits_in_top_k(logits, self.classes(), &mut left, k);
                logits.clear();
            };
            self.stream(waiting, labels.len(), start, &mut logits, arrived).await?;
            Ok(share_of(hits, labels))
        }

        /// The confusion matrix of the predictions of [`Mlp::predict`] for these rows. Its rows are labels, its columns
        /// predictions.
        ///
        /// # Errors
        /// As [`Mlp::score`].
        pub fn confusion_matrix, confusion_matrix_async<L: Label>(
            &self,
            x: impl RowSource,
            labels: &[L],
        ) -> Result<ConfusionMatrix> = |waiting| {
            let x: &dyn RowSource = &x;
            self.check_scored("confusion_matrix", x, labels)?;
            let predictions = self.predict_by(waiting, "confusion_matrix", x).await?;
            self.named(ConfusionMatrix::new(labels, &predictions, self.classes())?)
        }
    }

    /// Computes the statistics of this number of rows, batch by batch. `batch` uploads a batch and returns it with its loss
    /// options.
    pub(super) async fn losses(
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
        let arrived = |read: &mut Statistics, rows| {
            total = total.join(*read, first);
            first += rows as u64;
        };
        self.stream(waiting, rows, start, &mut read, arrived).await?;
        Ok(total)
    }

    /// Starts to count the rows that are classified correctly among these.
    fn start_score<L: Label>(
        &self,
        op: &'static str,
        x: &dyn RowSource,
        labels: &[L],
        rows: Range<usize>,
    ) -> Result<InFlight<PendingRead>> {
        let (x, targets) = self.labelled(op, x, labels, rows)?;
        Ok(InFlight::new(ops::hits(&self.logits(&x)?, &targets)?.read_later()?, x))
    }

    /// Starts to compute the losses of a batch.
    fn start_losses(&self, x: Matrix, targets: &Targets, loss: &CrossEntropy) -> Result<InFlight<PendingRead>> {
        let head = ops::softmax_cross_entropy(&self.logits(&x)?, targets, loss)?;
        Ok(InFlight::new(head.into_pending().read_later()?, x))
    }

    /// Uploads the features and labels of these rows.
    fn labelled<L: Label>(
        &self,
        op: &'static str,
        x: &dyn RowSource,
        labels: &[L],
        rows: Range<usize>,
    ) -> Result<(Matrix, Targets)> {
        let targets = Targets::classes(&self.device, &labels[rows.clone()], self.classes())?;
        Ok((self.upload(op, x, rows)?, targets))
    }

    /// Checks that features and labels fit each other and the model, and returns the labels as class ids.
    fn check_scored<L: Label>(&self, op: &'static str, x: &dyn RowSource, labels: &[L]) -> Result<Vec<u32>> {
        self.check_inputs(op, x)?;
        check_rows(op, x, labels.len())?;
        Targets::check(labels, self.classes())
    }
}

/// The number of rows whose class is among the `k` most probable, by these logits. Takes the rows' classes from `ids`.
fn hits_in_top_k<'a>(logits: &[f32], classes: usize, ids: &mut impl Iterator<Item = &'a u32>, k: usize) -> usize {
    logits.chunks(classes).zip(ids).filter(|(row, id)| metrics::in_top_k(row.iter().copied(), **id, k)).count()
}

/// The number of hits divided by the number of rows that are not ignored.
fn share_of<L: Label>(hits: usize, labels: &[L]) -> f64 {
    hits as f64 / (labels.len() - ignored_rows(labels)) as f64
}
