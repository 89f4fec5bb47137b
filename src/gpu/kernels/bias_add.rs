//! The kernel of bias_add.

use super::column_sum::{self, Params};
use crate::error::Result;
use crate::gpu::{Access, Buffer, Context, Form, Kernel, Launch, View};

const OP: &str = "bias_add";

pub(super) static KERNEL: Kernel = Kernel {
    name: OP,
    file: "elements/bias_add.wgsl",
    forms: Form::BY_FOUR,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: &["WIDTH", "LANES", "DEPTH"],
    sizes: &[],
};

/// Adds a bias: X + b, of X's shape; b has a value for each column.
pub(crate) fn bias_add(gpu: &Context, [x, bias]: [&Buffer; 2], (rows, cols): (usize, usize)) -> Result<Buffer> {
    let out = gpu.buffer(OP, rows, cols)?;
    let split = gpu.split(OP, rows, cols)?;
    let (form, width, grid) = column_sum::grid(gpu, split, cols);
    for block in split.blocks() {
        let params = Params::new(&grid, block.rows.len(), block.cols.len() / width);
        let part = |of| View::of(of, cols, block.rows.clone(), block.cols.clone());
        let launch = Launch {
            kernel: &KERNEL,
            constants: &grid.constants(),
            params,
            buffers: &[part(x), View::of(bias, cols, 0..1, block.cols.clone()), part(&out)],
            groups: params.groups(),
        };
        gpu.dispatch(launch, form)?;
    }
    Ok(out)
}
