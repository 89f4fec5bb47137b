//! Outputs of a case: the results of its ops, recorded and not read yet.

use ndarray::Array2;

use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Head, Pending, Statistics};
use crate::targets::Targets;
use crate::waiting::Waiting;

/// One result that can be read as a matrix.
pub(super) enum Output {
    Matrix(Matrix),
    /// One class a row.
    Classes(Targets),
    /// The statistics of `softmax_cross_entropy`.
    Statistics(Pending),
    /// The accuracy of this matrix against these targets; the op runs when it is read.
    Accuracy(Matrix, Targets),
}

impl From<Matrix> for Output {
    fn from(matrix: Matrix) -> Self {
        Output::Matrix(matrix)
    }
}

impl Output {
    /// The output as the only one of its case.
    pub fn alone(matrix: Matrix) -> Vec<Output> {
        vec![matrix.into()]
    }

    /// The three outputs of a cross-entropy op: losses, gradient and statistics.
    pub fn of_cross_entropy(head: Head) -> Vec<Output> {
        vec![head.losses().clone().into(), head.dlogits().clone().into(), Output::Statistics(head.into_pending())]
    }

    /// Reads the output from the device.
    pub async fn read(&self, waiting: Waiting) -> Result<Array2<f32>> {
        Ok(match self {
            Output::Matrix(matrix) => matrix.to_array_by(waiting).await?,
            Output::Classes(targets) => {
                let classes = targets.to_classes_by(waiting).await?;
                Array2::from_shape_fn((classes.len(), 1), |(row, _)| classes[row] as f32)
            }
            Output::Statistics(pending) => statistics_row(&pending.read_by(waiting).await?).mapv(|x| x as f32),
            Output::Accuracy(x, targets) => {
                Array2::from_elem((1, 1), ops::accuracy_by(waiting, x, targets).await? as f32)
            }
        })
    }
}

/// The fields of the statistics as one row, so that they are compared as a matrix is. No first bad row is -1.
fn statistics_row(stats: &Statistics) -> Array2<f64> {
    let first_bad = stats.first_bad_row.map_or(-1.0, |row| row as f64);
    let counts = [stats.correct, stats.rows, stats.non_finite_rows].map(|count| count as f64);
    let values = [stats.loss_sum, stats.weight_sum, counts[0], counts[1], counts[2], first_bad];
    Array2::from_shape_fn((1, values.len()), |(_, c)| values[c])
}
