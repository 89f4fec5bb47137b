//! argmax: from probabilities or logits to classes. It also gives the classes of targets that are distributions.

use std::sync::Arc;

use super::{On, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::kernels;
use crate::matrix::Matrix;
use crate::storage::Later;
use crate::targets::{Kind, Targets};
use crate::waiting::{Waiting, blocking_and_async};

/// The argmax of each row: the first column that holds the row's maximum, or its first NaN, as in NumPy's `argmax`. Exact.
///
/// The resulting class ids stay on the device; [`Targets::to_classes`] reads them.
///
/// # Errors
/// [`Error::Limit`](crate::Error::Limit) for rows that are longer than a GPU's binding.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_slice(&Device::cpu(), 2, 3, &[0.2, 0.7, 0.1, 0.4, 0.2, 0.4])?;
/// assert_eq!(ops::argmax(&x)?.to_classes()?, [1, 0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn argmax(x: &Matrix) -> Result<Targets> {
    let kind = match on("argmax", [x])? {
        On::Cpu([values]) => Kind::CpuClasses(Arc::new(cpu::argmax(values))),
        On::Gpu(gpu, [values]) => Kind::GpuClasses(Arc::new(kernels::argmax(gpu, values, x.shape())?)),
    };
    Ok(Targets::made(x.device(), x.rows(), x.cols(), kind))
}

impl Targets {
    blocking_and_async! {
        /// The class of each row. For a distribution it is the column of the first maximum. For an ignored row it is -100 as a
        /// u32, whatever label marked the row. On a GPU this waits.
        ///
        /// # Errors
        /// As [`Matrix::to_array`].
        pub fn to_classes, to_classes_async(&self) -> Result<Vec<u32>> = |waiting| {
            self.to_classes_by(waiting).await
        }
    }

    pub(crate) async fn to_classes_by(&self, waiting: Waiting) -> Result<Vec<u32>> {
        let chosen = match self.kind() {
            Kind::Distributions(shares) => Some(argmax(shares)?),
            _ => None,
        };
        match chosen.as_ref().unwrap_or(self).kind() {
            Kind::CpuClasses(ids) => Ok(ids.as_ref().clone()),
            Kind::GpuClasses(buffer) => buffer.context().read(waiting, buffer).await,
            // argmax gives class ids.
            Kind::Distributions(_) => Ok(Vec::new()),
        }
    }

    /// Starts to read the class of each row. The call does not wait for the device.
    pub(crate) fn read_later(&self) -> Result<Later<u32>> {
        match self.kind() {
            Kind::CpuClasses(ids) => Ok(Later::Ready(ids.as_ref().clone())),
            Kind::GpuClasses(buffer) => Ok(Later::Reading(buffer.context().read_later(buffer)?)),
            Kind::Distributions(shares) => argmax(shares)?.read_later(),
        }
    }
}
