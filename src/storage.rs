//! The storage of a matrix, in host memory or on a device, and values on their way from a device.

use std::sync::Arc;

use ndarray::Array2;

use crate::cpu::Kept;
use crate::error::Result;
use crate::gpu::{Buffer, Reading};
use crate::waiting::{Arrive, Waiting};

/// The storage of a matrix's values.
#[derive(Clone)]
pub(crate) enum Storage {
    /// An array in host memory, in standard layout.
    Cpu(Arc<Kept>),
    /// A buffer of a device.
    Gpu(Arc<Buffer>),
}

impl Storage {
    /// The array in host memory, if the matrix is there.
    pub fn cpu(&self) -> Option<&Array2<f32>> {
        if let Storage::Cpu(array) = self { Some(array) } else { None }
    }

    /// The device buffer, if the matrix is there.
    pub fn gpu(&self) -> Option<&Buffer> {
        if let Storage::Gpu(buffer) = self { Some(buffer) } else { None }
    }
}

/// Values that are ready, or that are still being read from a device.
pub(crate) enum Later<T> {
    Ready(Vec<T>),
    Reading(Reading<T>),
}

impl<T: bytemuck::AnyBitPattern + Send + Sync> Arrive for Later<T> {
    type Values = Vec<T>;

    async fn arrive(self, waiting: Waiting, values: &mut Vec<T>) -> Result<()> {
        match self {
            Later::Ready(ready) => values.extend_from_slice(&ready),
            Later::Reading(reading) => reading.arrive_into(waiting, values).await?,
        }
        Ok(())
    }
}
