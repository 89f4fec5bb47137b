//! Predictions and scores over ranks: each rank works on its own rows, and every rank gets the results for all rows.

use ndarray::Array2;

use super::model::Mlp;
use crate::distributed::{Call, Numbers, Ranks};
use crate::error::{Error, Result, Shape};
use crate::host_memory::host_filled;
use crate::metrics::ConfusionMatrix;
use crate::source::{RowSource, dim_of};
use crate::statistics::Statistics;
use crate::targets::{Label, ignored_rows};

/// The name of the model's number of classes, which must be equal on all ranks.
const CLASSES: &str = "the model's classes";

impl Mlp {
    /// Predicts the classes of all ranks' rows, and returns all of them on every rank, in the order of the ranks. Each rank has
    /// its own rows, or none, so that all rows together can be larger than the memory of one machine.
    ///
    /// # Errors
    /// As [`Mlp::predict`], on every rank: see [`distributed`](crate::distributed).
    ///
    /// ```
    /// use wgpu_mlp::distributed::Ranks;
    /// use wgpu_mlp::{Device, Mlp};
    /// let x = ndarray::array![[0.1, 0.2], [0.3, 0.4], [-0.5, 0.6]];
    /// let alone = Mlp::new(&Device::cpu(), &[2, 3], 0)?.predict(x.view())?;
    /// let over = Ranks::in_threads(2, |ranks| {
    ///     let model = Mlp::new(&Device::cpu(), &[2, 3], 0)?;
    ///     model.predict_over(ranks, x.slice(ndarray::s![ranks.share_of(3), ..]))
    /// });
    /// assert_eq!(over.into_iter().collect::<Result<Vec<_>, _>>()?, [alone.clone(), alone]);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn predict_over(&self, ranks: &Ranks, x: impl RowSource) -> Result<Vec<u32>> {
        in_call(ranks, Call::Predict, || {
            ranks.same(Call::Predict, CLASSES, self.classes() as u64)?;
            let without = ranks.size() > 1 && dim_of("predict", &x)?.0 == 0;
            let own = if without { Vec::new() } else { self.predict(x)? };
            ranks.joined(Call::Predict, &own)
        })
    }

    /// Evaluates loss and accuracy on the rows of all ranks, as [`Mlp::evaluate`] does on the rows of one process.
    ///
    /// # Errors
    /// As [`Mlp::evaluate`], on every rank.
    pub fn evaluate_over<L: Label>(&self, ranks: &Ranks, x: impl RowSource, labels: &[L]) -> Result<Statistics> {
        in_call(ranks, Call::Evaluate, || {
            ranks.same(Call::Evaluate, CLASSES, self.classes() as u64)?;
            let rows = dim_of("evaluate", &x)?.0 as u64;
            let without = ranks.size() > 1 && labels.is_empty() && rows == 0;
            let own = if without { Statistics::default() } else { self.evaluate(x, labels)? };
            let Statistics { loss_sum, weight_sum, correct, rows: counted, non_finite_rows, first_bad_row } = own;
            let bad = first_bad_row.map_or(u64::MAX, |row| row);
            let numbers = [loss_sum.to_bits(), weight_sum.to_bits(), correct, counted, non_finite_rows, bad, rows, 0];
            let joined = |(all, before): (Statistics, u64), numbers: Numbers| {
                let [loss_sum, weight_sum, correct, rows, non_finite_rows, bad, of_rank, _] = numbers;
                let [loss_sum, weight_sum] = [loss_sum, weight_sum].map(f64::from_bits);
                let first_bad_row = (bad < u64::MAX).then_some(bad);
                let one = Statistics { loss_sum, weight_sum, correct, rows, non_finite_rows, first_bad_row };
                (all.join(one, before), before + of_rank)
            };
            Ok(ranks.round(Call::Evaluate, Ok(numbers))?.into_iter().fold(Default::default(), joined).0)
        })
    }

    /// The accuracy on the rows of all ranks, as [`Mlp::score`] computes it for one process. It is NaN if no row of any rank
    /// counts.
    ///
    /// # Errors
    /// As [`Mlp::score`], on every rank.
    pub fn score_over<L: Label>(&self, ranks: &Ranks, x: impl RowSource, labels: &[L]) -> Result<f64> {
        self.share_over(ranks, (Call::Score, 1), (&x, labels), |model, x| model.score(x, labels))
    }

    /// The top-k accuracy on the rows of all ranks, as [`Mlp::score_top_k`] computes it for one process.
    ///
    /// # Errors
    /// As [`Mlp::score_top_k`], on every rank.
    pub fn score_top_k_over<L: Label>(&self, ranks: &Ranks, x: impl RowSource, labels: &[L], k: usize) -> Result<f64> {
        self.share_over(ranks, (Call::ScoreTopK, k), (&x, labels), |model, x| model.score_top_k(x, labels, k))
    }

    /// The confusion matrix of the rows of all ranks, as [`Mlp::confusion_matrix`] computes it for one process.
    ///
    /// # Errors
    /// As [`Mlp::confusion_matrix`], on every rank.
    pub fn confusion_matrix_over<L: Label>(
        &self,
        ranks: &Ranks,
        x: impl RowSource,
        labels: &[L],
    ) -> Result<ConfusionMatrix> {
        in_call(ranks, Call::ConfusionMatrix, || {
            let (op, classes) = ("confusion_matrix", self.classes());
            ranks.same(Call::ConfusionMatrix, CLASSES, classes as u64)?;
            let empty = ranks.size() > 1 && labels.is_empty() && dim_of(op, &x)?.0 == 0;
            let own: Vec<u64> = match empty {
                true => host_filled(op, (classes, classes), 0)?,
                false => self.confusion_matrix(x, labels)?.counts().iter().copied().collect(),
            };
            let sums = ranks.sum_counts(Call::ConfusionMatrix, &own)?;
            let (shape, values) = (Shape { rows: classes, cols: classes }, sums.len());
            let sums = Array2::from_shape_vec((classes, classes), sums);
            self.named(ConfusionMatrix::from_counts(sums.map_err(|_| Error::Length { op, shape, values })?))
        })
    }

    /// Computes a share over the rows of all ranks that count: the hits of all ranks divided by the rows of all ranks. `share`
    /// computes the share of this rank's rows.
    fn share_over<L: Label>(
        &self,
        ranks: &Ranks,
        (call, k): (Call, usize),
        (x, labels): (&dyn RowSource, &[L]),
        share: impl FnOnce(&Self, &dyn RowSource) -> Result<f64>,
    ) -> Result<f64> {
        in_call(ranks, call, || {
            ranks.same(call, CLASSES, self.classes() as u64)?;
            ranks.same(call, "k", k as u64)?;
            let counted = labels.len() - ignored_rows(labels);
            // A call without rows is an error, but one of several ranks may have no rows.
            let without = ranks.size() > 1 && labels.is_empty() && dim_of("score", x)?.0 == 0;
            let own = if without { 0.0 } else { share(self, x)? };
            let mut numbers = Numbers::default();
            // The share times the number of rows that count is the number of hits. If no row counts, the share is NaN, which
            // becomes 0 hits.
            (numbers[0], numbers[1]) = ((own * counted as f64).round() as u64, counted as u64);
            let all = ranks.round(call, Ok(numbers))?;
            let [hits, counted] = [0, 1].map(|index| all.iter().map(|numbers| numbers[index]).sum::<u64>());
            Ok(hits as f64 / counted as f64)
        })
    }
}

/// Makes a call over ranks, and returns the same outcome on all of them.
fn in_call<T>(ranks: &Ranks, call: Call, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let leaving = ranks.leaving(call);
    let outcome = work();
    leaving.not_early();
    ranks.settled(call, outcome)
}
