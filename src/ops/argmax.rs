//! argmax: from probabilities or logits to classes.

use std::sync::Arc;

use super::{BY_ROW, On, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Form, Kernel, Operand, RowLaunch, Window};
use crate::matrix::Matrix;
use crate::targets::{Kind, Targets};

pub(super) static KERNEL: Kernel = Kernel {
    name: "argmax",
    file: "rows/argmax.wgsl",
    forms: Form::BY_LANES_ALONG,
    params: size_of::<Window>(),
    buffers: &[Access::Read, Access::Write],
    overrides: BY_ROW,
    sizes: &["HELD"],
};

/// The first column that holds each row's maximum; the first NaN where a row has one, as NumPy's `argmax`. Exact.
///
/// The result are class ids that stay on the device; [`Targets::to_classes`] reads them.
///
/// # Errors
/// None of its own.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_slice(&Device::cpu(), 2, 3, &[0.2, 0.7, 0.1, 0.4, 0.2, 0.4])?;
/// assert_eq!(ops::argmax(&x)?.to_classes()?, [1, 0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn argmax(x: &Matrix) -> Result<Targets> {
    let (rows, cols) = x.shape();
    let kind = match on("argmax", [x])? {
        On::Cpu([values]) => Kind::CpuClasses(Arc::new(cpu::argmax(values))),
        On::Gpu(gpu, [values]) => {
            let split = gpu.split_rows("argmax", rows, cols, cols)?;
            let classes = gpu.buffer("argmax", rows, 1)?;
            split.launch(
                gpu,
                &RowLaunch {
                    kernel: &KERNEL,
                    inputs: 1,
                    constants: &split.constants(),
                    operands: &[Operand::Matrix(values), Operand::PerRow(&classes, 1)],
                },
                |window| window,
            )?;
            Kind::GpuClasses(Arc::new(classes))
        }
    };
    Ok(Targets::made(x.device(), rows, cols, kind))
}
