//! Predictions and scores over ranks: each rank works on its own rows, and every rank gets the results for all rows.

use ndarray::Array2;

use super::model::Mlp;
use super::train::flat::checksum;
use super::train::joint::compare;
use crate::distributed::{Call, Numbers, Ranks};
use crate::error::{Error, RanksError, Result, Shape};
use crate::host_memory::host_filled;
use crate::metrics::ConfusionMatrix;
use crate::source::{RowSource, dim_of};
use crate::statistics::Statistics;
use crate::targets::{Label, ignored_rows};

impl Mlp {
    /// Predicts the classes of all ranks' rows, and returns all of them on every rank, in the order of the ranks. Each rank has
    /// its own rows, or none, so that all rows together can be larger than the memory of one machine. All ranks must have the same
    /// model; each call reads its parameters and compares a checksum of them.
    ///
    /// # Errors
    /// As [`Mlp::predict`], on every rank: see [`distributed`](crate::distributed). If no rank has a row, the source of every rank's
    /// error is [`Error::Empty`]. The error is [`RanksError::Differ`] if a rank has a model with other widths or other parameters.
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
        ranks.in_call(Call::Predict, || {
            let has_rows = self.begin_over(ranks, Call::Predict, (&x, 0), None)?;
            let own = if has_rows { self.predict(x)? } else { Vec::new() };
            ranks.joined(Call::Predict, &own)
        })
    }

    /// Evaluates loss and accuracy on the rows of all ranks, as [`Mlp::evaluate`] does on the rows of one process.
    ///
    /// # Errors
    /// As [`Mlp::evaluate`] and [`Mlp::predict_over`], on every rank.
    pub fn evaluate_over<L: Label>(&self, ranks: &Ranks, x: impl RowSource, labels: &[L]) -> Result<Statistics> {
        self.statistics_over(ranks, Call::Evaluate, (&x, labels.len()), || self.evaluate(&x, labels))
    }

    /// Evaluates loss and accuracy on the rows of all ranks with a weight for each row, as [`Mlp::evaluate_weighted`] does on the
    /// rows of one process.
    ///
    /// # Errors
    /// As [`Mlp::evaluate_weighted`] and [`Mlp::predict_over`], on every rank.
    pub fn evaluate_weighted_over<L: Label>(
        &self,
        ranks: &Ranks,
        x: impl RowSource,
        labels: &[L],
        weights: &[f32],
    ) -> Result<Statistics> {
        self.statistics_over(ranks, Call::EvaluateWeighted, (&x, labels.len().max(weights.len())), || {
            self.evaluate_weighted(&x, labels, weights)
        })
    }

    /// The accuracy on the rows of all ranks, as [`Mlp::score`] computes it for one process. It is NaN if no row of any rank
    /// counts.
    ///
    /// # Errors
    /// As [`Mlp::score`] and [`Mlp::predict_over`], on every rank.
    pub fn score_over<L: Label>(&self, ranks: &Ranks, x: impl RowSource, labels: &[L]) -> Result<f64> {
        self.share_over(ranks, (Call::Score, None), (&x, labels), |model, x| model.score(x, labels))
    }

    /// The top-k accuracy on the rows of all ranks, as [`Mlp::score_top_k`] computes it for one process.
    ///
    /// # Errors
    /// As [`Mlp::score_top_k`] and [`Mlp::predict_over`], on every rank; [`RanksError::Differ`] also if the ranks have different k.
    pub fn score_top_k_over<L: Label>(&self, ranks: &Ranks, x: impl RowSource, labels: &[L], k: usize) -> Result<f64> {
        self.share_over(ranks, (Call::ScoreTopK, Some(k)), (&x, labels), |model, x| model.score_top_k(x, labels, k))
    }

    /// The confusion matrix of the rows of all ranks, as [`Mlp::confusion_matrix`] computes it for one process.
    ///
    /// # Errors
    /// As [`Mlp::confusion_matrix`] and [`Mlp::predict_over`], on every rank.
    pub fn confusion_matrix_over<L: Label>(
        &self,
        ranks: &Ranks,
        x: impl RowSource,
        labels: &[L],
    ) -> Result<ConfusionMatrix> {
        ranks.in_call(Call::ConfusionMatrix, || {
            let (op, classes) = ("confusion_matrix", self.classes());
            let own: Vec<u64> = match self.begin_over(ranks, Call::ConfusionMatrix, (&x, labels.len()), None)? {
                true => self.confusion_matrix(x, labels)?.into_counts(),
                false => host_filled(op, (classes, classes), 0)?,
            };
            let sums = ranks.sum_counts(Call::ConfusionMatrix, &own)?;
            let (shape, values) = (Shape { rows: classes, cols: classes }, sums.len());
            let sums = Array2::from_shape_vec((classes, classes), sums);
            self.named(ConfusionMatrix::from_counts(sums.map_err(|_| Error::Length { op, shape, values })?))
        })
    }

    /// Begins a call over ranks: refuses ranks with different models or different k, and a call in which no rank has a row.
    /// Returns whether this rank has rows. There is a label for each row, so the source is asked for its rows only if there are no
    /// labels.
    fn begin_over(
        &self,
        ranks: &Ranks,
        call: Call,
        (x, labels): (&dyn RowSource, usize),
        k: Option<usize>,
    ) -> Result<bool> {
        // A call without ranks makes its own checks, and asks the source once.
        if ranks.size() == 1 {
            return Ok(true);
        }
        let own = if labels > 0 { labels } else { dim_of(call.name(), x)?.0 };
        let mut described = vec![
            ("the model's widths", format!("{:?}", self.widths())),
            ("the checksum of the model's parameters", format!("{:016x}", checksum(&self.parameters()?))),
        ];
        described.extend(k.map(|k| ("k", k.to_string())));
        compare(ranks, call, &described)?;
        let mut numbers = Numbers::default();
        numbers[0] = own as u64;
        if ranks.round(call, Ok(numbers))?.iter().all(|numbers| numbers[0] == 0) {
            let source = Error::Empty { op: call.name(), shape: Shape { rows: 0, cols: self.inputs() } };
            return Err(ranks.seen_by_all(call, RanksError::Failed { rank: 0, source: source.into() }));
        }
        Ok(own > 0)
    }

    /// Joins the statistics of all ranks. `own` computes those of this rank's rows, of which there are `rows`.
    fn statistics_over(
        &self,
        ranks: &Ranks,
        call: Call,
        (x, rows): (&dyn RowSource, usize),
        own: impl FnOnce() -> Result<Statistics>,
    ) -> Result<Statistics> {
        ranks.in_call(call, || {
            let has_rows = self.begin_over(ranks, call, (x, rows), None)?;
            let own = if has_rows { own()? } else { Statistics::default() };
            let Statistics { loss_sum, weight_sum, correct, rows: counted, non_finite_rows, first_bad_row } = own;
            let (bad, rows) = (first_bad_row.map_or(u64::MAX, |row| row), rows as u64);
            let numbers = [loss_sum.to_bits(), weight_sum.to_bits(), correct, counted, non_finite_rows, bad, rows, 0];
            let joined = |(all, before): (Statistics, u64), numbers: Numbers| {
                let [loss_sum, weight_sum, correct, rows, non_finite_rows, bad, of_rank, _] = numbers;
                let [loss_sum, weight_sum] = [loss_sum, weight_sum].map(f64::from_bits);
                let first_bad_row = (bad < u64::MAX).then_some(bad);
                let one = Statistics { loss_sum, weight_sum, correct, rows, non_finite_rows, first_bad_row };
                (all.join(one, before), before + of_rank)
            };
            Ok(ranks.round(call, Ok(numbers))?.into_iter().fold(Default::default(), joined).0)
        })
    }

    /// Computes a share over the rows of all ranks that count: the hits of all ranks divided by the rows of all ranks. `share`
    /// computes the share of this rank's rows.
    fn share_over<L: Label>(
        &self,
        ranks: &Ranks,
        (call, k): (Call, Option<usize>),
        (x, labels): (&dyn RowSource, &[L]),
        share: impl FnOnce(&Self, &dyn RowSource) -> Result<f64>,
    ) -> Result<f64> {
        ranks.in_call(call, || {
            let has_rows = self.begin_over(ranks, call, (x, labels.len()), k)?;
            let counted = labels.len() - ignored_rows(labels);
            let own = if has_rows { share(self, x)? } else { 0.0 };
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
