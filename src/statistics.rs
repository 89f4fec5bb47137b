//! Statistics of a batch: sums of losses and weights, correct rows, and rows that are not finite.

#[cfg(feature = "serde")]
use crate::saved_number as saved;

/// Statistics of a batch: sums of losses and weights, and the numbers of correct rows and of rows that are not finite.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let logits = Matrix::from_slice(&device, 2, 2, &[1.0, -1.0, f32::NAN, 0.0])?;
/// let targets = Targets::classes(&device, &[0u8, 1], 2)?;
/// let stats = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?.stats()?;
/// assert_eq!((stats.rows, stats.correct), (2, 1));
/// assert_eq!((stats.non_finite_rows, stats.first_bad_row), (1, Some(1)));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Statistics {
    /// The sum of the rows' weighted losses. A GPU adds groups of rows in f32, at least the rows of a workgroup. So the sum is
    /// infinite if one of these partial sums is above the largest f32, 3.4 · 10³⁸, even if every loss is finite.
    #[cfg_attr(feature = "serde", serde(serialize_with = "saved::write", deserialize_with = "saved::or_nan"))]
    pub loss_sum: f64,
    /// The sum of the rows' weights, by which the mean is divided. It is added up in the same way as the losses.
    #[cfg_attr(feature = "serde", serde(serialize_with = "saved::write", deserialize_with = "saved::or_nan"))]
    pub weight_sum: f64,
    /// The number of rows whose first maximum is at their class.
    pub correct: u64,
    /// The number of rows that count: all rows except those with the label -100 or an ignored class.
    pub rows: u64,
    /// The number of counted rows whose own loss is NaN or infinite.
    pub non_finite_rows: u64,
    /// The first counted row whose loss is NaN or infinite.
    pub first_bad_row: Option<u64>,
}

impl Statistics {
    /// The weighted mean of the losses; NaN if no row counts or all weights are 0, as in PyTorch.
    pub fn mean_loss(&self) -> f64 {
        if self.weight_sum == 0.0 { f64::NAN } else { self.loss_sum / self.weight_sum }
    }

    /// The share of the counted rows that are correct; NaN if no row counts.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }

    /// Joins the statistics of two batches. The rows of `other` are numbered from `rows_before`, the number of rows in all
    /// earlier batches.
    pub(crate) fn join(self, other: Statistics, rows_before: u64) -> Statistics {
        Statistics {
            loss_sum: self.loss_sum + other.loss_sum,
            weight_sum: self.weight_sum + other.weight_sum,
            correct: self.correct + other.correct,
            rows: self.rows + other.rows,
            non_finite_rows: self.non_finite_rows + other.non_finite_rows,
            first_bad_row: self.first_bad_row.or(other.first_bad_row.map(|row| row + rows_before)),
        }
    }
}
