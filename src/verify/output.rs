//! Outputs of a case, as the ops leave them: recorded, and not read yet.

use ndarray::Array2;

use super::head::record;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::ops::{self, Pending};
use crate::targets::Targets;
use crate::waiting::Waiting;

/// What an op has made, or what it is to be asked of.
pub(super) enum Output {
    Matrix(Matrix),
    /// A class a row.
    Classes(Targets),
    /// Of `softmax_cross_entropy`.
    Statistics(Pending),
    /// Of this matrix against these targets.
    Accuracy(Matrix, Targets),
}

impl From<Matrix> for Output {
    fn from(matrix: Matrix) -> Self {
        Output::Matrix(matrix)
    }
}

impl Output {
    /// Brings it to the host.
    pub async fn read(&self, waiting: Waiting) -> Result<Array2<f32>> {
        Ok(match self {
            Output::Matrix(matrix) => matrix.to_array_by(waiting).await?,
            Output::Classes(targets) => {
                let classes = targets.to_classes_by(waiting).await?;
                Array2::from_shape_fn((classes.len(), 1), |(row, _)| classes[row] as f32)
            }
            Output::Statistics(pending) => record(&pending.read_by(waiting).await?).mapv(|x| x as f32),
            Output::Accuracy(x, targets) => {
                Array2::from_elem((1, 1), ops::accuracy_by(waiting, x, targets).await? as f32)
            }
        })
    }
}
