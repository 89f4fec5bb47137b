//! Targets without content, for dry runs.

use std::sync::Arc;

use crate::device::Device;
use crate::error::Result;
use crate::matrix::Matrix;
use crate::targets::{Kind, Targets};

/// Class ids or distributions without content, on a dry device.
pub(crate) fn planned_targets(dry: &Device, rows: usize, classes: usize, distributed: bool) -> Result<Targets> {
    let kind = match dry.context() {
        _ if distributed => Kind::Distributions(Matrix::planned(dry, "distributions", rows, classes)?),
        Some(gpu) => Kind::GpuClasses(Arc::new(gpu.buffer("class ids", rows, 1)?)),
        None => Kind::CpuClasses(Arc::new(vec![0; rows])),
    };
    Ok(Targets::made(dry, rows, classes, kind))
}
