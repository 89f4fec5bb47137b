//! dropout: some elements left out at random, the same ones on every device.

use super::{On, on};
use crate::cpu;
use crate::error::{Error, Result, Shape};
use crate::gpu::kernels;
use crate::matrix::Matrix;

const OP: &str = "dropout";
const OF_ROWS: &str = "dropout_rows";

/// Dropout of X: each element becomes 0 with probability `rate`, and the others are divided by 1 - rate, so that the mean stays
/// (Srivastava et al., [2014](https://jmlr.org/papers/v15/srivastava14a.html), in its inverted form).
///
/// A hash of integers ([pcg4d](https://jcgt.org/published/0009/03/02/)) decides which elements stay. It depends only on `seed`,
/// `counter` and the element's place in the matrix, so every device makes the same choice. Each step of a training uses another
/// counter. Error: at most u |x / (1 - rate)|, u = 2⁻²³. NaN and infinity become 0 where they are left out.
///
/// # Errors
/// [`Error::Option`] unless the rate is at least 0 and below 1.
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_slice(&Device::cpu(), 10, 100, &[1.0; 1000])?;
/// let y = ops::dropout(&x, 0.5, 7, 0)?.to_array()?;
/// assert!(y.iter().all(|y| [0.0, 2.0].contains(y)));
/// assert!((y.mean().unwrap() - 1.0).abs() < 0.15);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn dropout(x: &Matrix, rate: f32, seed: u64, counter: u64) -> Result<Matrix> {
    check_rate(OP, rate)?;
    match on(OP, [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::dropout(values, rate, seed, counter))),
        On::Gpu(gpu, [values]) => {
            let out = kernels::dropout(gpu, values, x.shape(), rate, [seed, counter])?;
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), out))
        }
    }
}

/// The [`dropout`] of some rows of a larger matrix. `rows` holds each row's number in that matrix. The op leaves out the elements
/// that [`dropout`] of the whole matrix leaves out of these rows. So a batch that is spread over several devices loses the same
/// elements as in one piece.
///
/// Error: that of [`dropout`].
///
/// # Errors
/// As [`dropout`]; [`Error::Shape`] unless there is a number for each row.
///
/// ```
/// use ndarray::s;
/// use wgpu_mlp::{Device, Matrix, ops};
/// let device = Device::cpu();
/// let x = ndarray::Array2::<f32>::ones((4, 50));
/// let all = ops::dropout(&Matrix::from_array(&device, x.view())?, 0.5, 7, 0)?;
/// let last = ops::dropout_rows(&Matrix::from_array(&device, x.slice(s![3..4, ..]))?, &[3], 0.5, 7, 0)?;
/// assert_eq!(last.to_array()?.row(0), all.to_array()?.row(3));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn dropout_rows(x: &Matrix, rows: &[u64], rate: f32, seed: u64, counter: u64) -> Result<Matrix> {
    check_rate(OF_ROWS, rate)?;
    if rows.len() != x.rows() {
        let right = Shape { rows: rows.len(), cols: 1 };
        return Err(Error::Shape { op: OF_ROWS, rule: "there must be a number for each row", left: x.dims(), right });
    }
    // Element numbers wrap around at 2⁶⁴.
    let first: Vec<u64> = rows.iter().map(|row| row.wrapping_mul(x.cols() as u64)).collect();
    match on(OF_ROWS, [x])? {
        On::Cpu([values]) => Ok(Matrix::on_cpu(x.device(), cpu::dropout_rows(values, &first, rate, seed, counter))),
        On::Gpu(gpu, [values]) => {
            let out = kernels::dropout_rows(gpu, values, (x.cols(), &first), rate, [seed, counter])?;
            Ok(Matrix::on_gpu(x.device(), x.rows(), x.cols(), out))
        }
    }
}

/// Refuses a rate below 0, or not below 1.
pub(crate) fn check_rate(op: &'static str, rate: f32) -> Result<()> {
    let rule = "from 0 up to but not including 1";
    if (0.0..1.0).contains(&rate) {
        Ok(())
    } else {
        Err(Error::Option { op, option: "rate", rule, value: rate.into() })
    }
}

/// The gradient of [`dropout`] with the same rate, seed and counter: dY with the same elements left out and scaled.
///
/// # Errors
/// As [`dropout`].
///
/// ```
/// use wgpu_mlp::{Device, Matrix, ops};
/// let x = Matrix::from_slice(&Device::cpu(), 1, 3, &[1.0, 2.0, 3.0])?;
/// let (y, dx) = (ops::dropout(&x, 0.5, 7, 0)?, ops::dropout_backward(&x, 0.5, 7, 0)?);
/// assert_eq!(y.to_array()?, dx.to_array()?);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn dropout_backward(dy: &Matrix, rate: f32, seed: u64, counter: u64) -> Result<Matrix> {
    dropout(dy, rate, seed, counter)
}
