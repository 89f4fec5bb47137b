//! The kernel of argmax.

use super::constants::BY_ROW;
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Operand, RowLaunch, Window};

const OP: &str = "argmax";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "rows/argmax.wgsl",
    forms: Form::BY_LANES_ALONG,
    params: size_of::<Window>(),
    buffers: &[Access::Read, Access::Write],
    overrides: BY_ROW,
    sizes: &["HELD"],
};

/// The class id of each row's maximum.
pub(crate) fn argmax(gpu: &Context, scores: &Buffer, (rows, cols): (usize, usize)) -> Result<Buffer> {
    let split = gpu.split_rows(OP, rows, cols, cols)?;
    let classes = gpu.buffer(OP, rows, 1)?;
    let launch = RowLaunch {
        kernel: &KERNEL,
        inputs: 1,
        constants: &split.constants(),
        operands: &[Operand::Matrix(scores), Operand::PerRow(&classes, 1)],
    };
    split.launch(gpu, &launch, |window| window)?;
    Ok(classes)
}
