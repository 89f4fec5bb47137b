//! Scores of a model on labelled rows: accuracy, loss, top-k accuracy, confusion matrix.

use std::ops::Range;

use super::checks::check_rows;
use super::model::Mlp;
use super::stream::InFlight;
use super::train::batches::LabelledRows;
use super::train::class_weights::{check_weights, moderating};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::host_memory::host_room;
use crate::matrix::Matrix;
use crate::metrics::{self, ConfusionMatrix};
use crate::ops::{self, CrossEntropy};
use crate::source::{RowSource, dim_of};
use crate::statistics::Statistics;
use crate::targets::{Label, Targets, ignored_rows};
use crate::waiting::{Waiting, blocking_and_async};

impl Mlp {
    blocking_and_async! {
        /// The accuracy: the share of rows whose most probable class is their label. A row with NaN is never correct. Rows with
        /// the label -100 are ignored. If all rows are ignored, the result is NaN. Rows have no weights here.
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
            let start = |rows| {
                let (x, targets) = self.labelled("score", x, labels, rows)?;
                Ok(InFlight::new(ops::hits(&self.logits(&x)?, &targets)?.read_later()?, x))
            };
            self.stream(waiting, labels.len(), start, &mut batch, |batch, _| hits += batch.correct as usize).await?;
            Ok(share_of(hits, labels))
        }

        /// Evaluates loss and accuracy on these rows, as Keras's `evaluate` does. Rows with the label -100 are ignored.
        /// [`Mlp::evaluate_weighted`] is for rows with weights.
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

        /// Evaluates loss and accuracy as [`Mlp::evaluate`] does, with a weight for each row. The loss is the mean by these weights,
        /// as in a training with [`Trainer::row_weights`](crate::Trainer::row_weights); it is NaN if all weights are 0. Accuracies
        /// are not weighted.
        ///
        /// # Errors
        /// As [`Mlp::score`]; [`Error::Shape`] also unless there is a weight for each row; [`Error::Weight`] for a weight that is
        /// negative or not finite.
        ///
        /// ```
        /// # use wgpu_mlp::{Device, Mlp};
        /// let (model, x) = (Mlp::new(&Device::cpu(), &[1, 2], 0)?, ndarray::array![[0.1], [0.2], [0.3]]);
        /// let without_the_last = model.evaluate_weighted(x.view(), &[0u8, 1, 1], &[1.0, 1.0, 0.0])?;
        /// let of_two = model.evaluate(x.slice(ndarray::s![..2, ..]), &[0u8, 1])?;
        /// assert!((without_the_last.mean_loss() - of_two.mean_loss()).abs() < 1e-6);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn evaluate_weighted, evaluate_weighted_async<L: Label>(
            &self,
            x: impl RowSource,
            labels: &[L],
            weights: &[f32],
        ) -> Result<Statistics> = |waiting| {
            let op = "evaluate_weighted";
            let x: &dyn RowSource = &x;
            let ids = self.check_scored(op, x, labels)?;
            let dim = (labels.len(), self.inputs());
            metrics::same_length(op, "there must be a weight for each row", dim.into(), weights.len())?;
            check_weights(op, "row", weights)?;
            let mut rows = LabelledRows::new(op, (x, dim.1), &ids, Some(weights));
            rows.weight_scale = moderating(rows.largest_weight());
            let batch = |range: Range<usize>| {
                let batch = rows.batch(&self.device, &range.collect::<Vec<_>>(), self.classes())?;
                let loss = CrossEntropy { sample_weights: batch.weights, ..Default::default() };
                Ok((batch.x, batch.targets, loss))
            };
            let sums = self.losses(waiting, labels.len(), batch).await?;
            let [loss_sum, weight_sum] = [sums.loss_sum, sums.weight_sum].map(|sum| sum / rows.weight_scale);
            Ok(Statistics { loss_sum, weight_sum, ..sums })
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
        /// predictions. A row with NaN is predicted as class 0, so it counts as correct here if that is its label, while
        /// [`Mlp::score`] never counts it as correct.
        ///
        /// # Errors
        /// As [`Mlp::score`]; [`Error::HostMemory`] if the host has no memory for a count for each pair of classes.
        pub fn confusion_matrix, confusion_matrix_async<L: Label>(
            &self,
            x: impl RowSource,
            labels: &[L],
        ) -> Result<ConfusionMatrix> = |waiting| {
            let x: &dyn RowSource = &x;
            self.check_scored("confusion_matrix", x, labels)?;
            // Room for the counts is sought before the rows are predicted, which may take long.
            drop(host_room::<u64>("confusion_matrix", self.classes(), self.classes())?);
            let predictions = self.predict_rows(waiting, "confusion_matrix", x, labels.len()).await?;
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
            let head = ops::softmax_cross_entropy(&self.logits(&x)?, &targets, &loss)?;
            Ok(InFlight::new(head.into_pending().read_later()?, x))
        };
        let arrived = |read: &mut Statistics, rows| {
            total = total.join(*read, first);
            first += rows as u64;
        };
        self.stream(waiting, rows, start, &mut read, arrived).await?;
        Ok(total)
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
        let dim = dim_of(op, x)?;
        self.check_inputs(op, dim)?;
        check_rows(op, dim, labels.len())?;
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
