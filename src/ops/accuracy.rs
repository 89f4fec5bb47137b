//! accuracy: the share of rows whose maximum is in the column of their class.

use super::operands::{OnTargets, on_targets};
use super::pending::Pending;
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;
use crate::statistics::Statistics;
use crate::targets::Targets;
use crate::waiting::{Waiting, blocking_and_async};

blocking_and_async! {
    /// The accuracy: the share of rows whose first maximum is their class, or the first maximum of their distribution. It is the
    /// mean of 1\[argmax(x) = class\]. `x` holds probabilities or logits, `rows x classes`. A row with NaN is a miss. Rows with the
    /// label -100 do not count; if no other rows are left, the mean is NaN. On a GPU this waits.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless there is a target a row and a column a class;
    /// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding; the errors of [`Matrix::to_array`] while
    /// waiting.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Matrix, Targets, ops};
    /// let device = Device::cpu();
    /// let probs = Matrix::from_slice(&device, 3, 3, &[0.2, 0.7, 0.1, 0.5, 0.1, 0.4, 0.02, 0.9, 0.08])?;
    /// let targets = Targets::classes(&device, &[0u8, 1, 1], 3)?;
    /// assert_eq!(ops::accuracy(&probs, &targets)?, 1.0 / 3.0);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub free fn accuracy, accuracy_async(x: &Matrix, targets: &Targets) -> Result<f64> = |waiting| {
        accuracy_by(waiting, x, targets).await
    }
}

pub(crate) async fn accuracy_by(waiting: Waiting, x: &Matrix, targets: &Targets) -> Result<f64> {
    let hits = hits(x, targets)?.read_by(waiting).await?;
    Ok(hits.correct as f64 / (targets.rows() - targets.ignored_rows()) as f64)
}

/// The statistics of the rows that are correct, to be read later.
pub(crate) fn hits(x: &Matrix, targets: &Targets) -> Result<Pending> {
    match on_targets("accuracy", x, targets)? {
        OnTargets::Cpu(values, y) => {
            let correct = cpu::accuracy(values, y);
            Ok(Pending::ready(Statistics { correct, rows: x.rows() as u64, ..Default::default() }))
        }
        OnTargets::Gpu(gpu, values, y) => Ok(Pending::recorded(kernels::hits(gpu, values, y, x.shape())?)),
    }
}
