//! bias_add: one bias a column.

use bytemuck::{Pod, Zeroable};

use super::{COMMON, ELEMENTS, ELEMENTWISE, On, VALUES, fits, on};
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Access, BY_ONE, ElementLaunch, Kernel, LinearGrid, Operand};
use crate::matrix::Matrix;

pub(super) static KERNEL: Kernel = Kernel {
    name: "bias_add",
    source: &[COMMON, BY_ONE, VALUES, ELEMENTS, include_str!("../../shaders/bias_add.wgsl")],
    params: size_of::<Params>(),
    buffers: &[Access::Read, Access::Read, Access::Write],
    overrides: ELEMENTWISE,
    sizes: &[],
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    cols: u32,
}

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
            gpu.launch_elements(
                gpu.split("bias_add", x.rows(), x.cols())?,
                &ElementLaunch {
                    kernel: &KERNEL,
                    constants: &LinearGrid::constants(),
                    operands: &[Operand::Matrix(values), Operand::PerColumn(bias), Operand::Matrix(&out)],
                },
                |block, width| Params { count: block.words() / width, cols: block.cols.len() as u32 / width },
            )?;
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), out))
        }
    }
}
