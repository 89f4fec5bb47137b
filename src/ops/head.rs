//! The results of a loss: the rows' losses, the gradient of the logits, and statistics.

use ndarray::Array2;

use super::pending::Pending;
use crate::device::Device;
use crate::error::Result;
use crate::gpu::kernels::LossBuffers;
use crate::matrix::Matrix;
use crate::statistics::Statistics;
use crate::waiting::{Waiting, blocking_and_async};

/// The head of a classifier, computed for a batch: losses, gradient and statistics, as
/// [`softmax_cross_entropy`](super::softmax_cross_entropy) and [`linear_cross_entropy`](super::linear_cross_entropy) return them.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, Targets, ops};
/// let device = Device::cpu();
/// let (logits, targets) = (Matrix::zeros(&device, 2, 3)?, Targets::classes(&device, &[0, 2], 3)?);
/// let head: ops::Head = ops::softmax_cross_entropy(&logits, &targets, &Default::default())?;
/// assert_eq!((head.losses().shape(), head.dlogits().shape()), ((2, 1), (2, 3)));
/// assert!((head.stats()?.mean_loss() - 3f64.ln()).abs() < 1e-6);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Debug)]
pub struct Head {
    losses: Matrix,
    dlogits: Matrix,
    pending: Pending,
}

impl Head {
    /// The results of the CPU path.
    pub(super) fn on_cpu(device: &Device, losses: Array2<f32>, dlogits: Array2<f32>, statistics: Statistics) -> Self {
        Head {
            losses: Matrix::on_cpu(device, losses),
            dlogits: Matrix::on_cpu(device, dlogits),
            pending: Pending::ready(statistics),
        }
    }

    /// The results for `rows x classes` logits on a GPU, which have been recorded and may not have run yet.
    pub(super) fn on_gpu(device: &Device, (rows, classes): (usize, usize), buffers: LossBuffers) -> Self {
        Head {
            losses: Matrix::on_gpu(device, rows, 1, buffers.losses),
            dlogits: Matrix::on_gpu(device, rows, classes, buffers.dlogits),
            pending: Pending::recorded(buffers.records),
        }
    }

    /// The rows' losses, weighted but not reduced, `rows x 1`.
    pub fn losses(&self) -> &Matrix {
        &self.losses
    }

    /// The gradient of the reduced loss with respect to the logits, `rows x classes`.
    pub fn dlogits(&self) -> &Matrix {
        &self.dlogits
    }

    blocking_and_async! {
        /// The statistics of the batch. On a GPU this waits.
        ///
        /// # Errors
        /// As [`Matrix::to_array`].
        pub fn stats, stats_async(&self) -> Result<Statistics> = |waiting| {
            self.stats_by(waiting).await
        }
    }

    pub(crate) async fn stats_by(&self, waiting: Waiting) -> Result<Statistics> {
        self.pending.read_by(waiting).await
    }

    /// The statistics alone, which can be read later.
    pub(crate) fn into_pending(self) -> Pending {
        self.pending
    }
}
