//! bias_add: one bias a column.

use super::column_sum::{self, Params};
use super::{On, fits, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, Form, Kernel, Launch, View};
use crate::matrix::Matrix;

pub(super) static KERNEL: Kernel = Kernel {
    name: "bias_add",
    file: "elements/bias_add.wgsl",
    forms: Form::BY_FOUR,
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: &["WIDTH", "LANES", "DEPTH"],
    sizes: &[],
};

/// X + b, for X `rows x cols` and b `1 x cols`, added to every row.
///
/// Error: one rounding, u |x + b| / 2.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless b is one row as wide as X.
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = Matrix::from_array(&device, array![[1., 2.], [3., 4.]].view())?;
/// let b = Matrix::from_array(&device, array![[10., 20.]].view())?;
/// assert_eq!(ops::bias_add(&x, &b)?.to_array()?, array![[11., 22.], [13., 24.]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn bias_add(x: &Matrix, bias: &Matrix) -> Result<Matrix> {
    let rule = "the bias must be one row with a value for each column";
    fits("bias_add", rule, x, bias, bias.shape() == (1, x.cols()))?;
    match on("bias_add", [x, bias])? {
        On::Cpu([values, bias]) => Ok(Matrix::on_cpu(x.device(), cpu::bias_add(values, bias.row(0)))),
        On::Gpu(gpu, [values, bias]) => {
            let out = gpu.buffer("bias_add", x.rows(), x.cols())?;
            let split = gpu.split("bias_add", x.rows(), x.cols())?;
            let (form, width, grid) = column_sum::grid(gpu, split, x.cols());
            for block in split.blocks() {
                let params = Params::new(&grid, block.rows.len(), block.cols.len() / width);
                let part = |of| View::of(of, x.cols(), block.rows.clone(), block.cols.clone());
                let launch = Launch {
                    kernel: &KERNEL,
                    constants: &grid.constants(),
                    params,
                    buffers: &[part(values), View::of(bias, x.cols(), 0..1, block.cols.clone()), part(&out)],
                    groups: params.groups(),
                };
                gpu.dispatch(launch, form)?;
            }
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), out))
        }
    }
}
