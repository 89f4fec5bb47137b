//! Banks: lists of matrices in one buffer of their device, side by side, so that one launch serves all of them. Matrices that do
//! not fit into one binding together have buffers of their own.

use ndarray::ArrayView2;

use crate::device::Device;
use crate::error::Result;
use crate::gpu::bank::{self, GradientSource, PartialSums};
use crate::gpu::{Buffer, Context};
use crate::matrix::Matrix;

/// Matrices of these shapes, whose content is undefined; on the CPU path they are zeros.
pub(crate) fn room(device: &Device, name: &'static str, shapes: &[(usize, usize)]) -> Result<Vec<Matrix>> {
    list(device, name, shapes, Context::buffer)
}

/// Matrices of zeros, of these shapes.
pub(crate) fn zeros(device: &Device, name: &'static str, shapes: &[(usize, usize)]) -> Result<Vec<Matrix>> {
    list(device, name, shapes, Context::zeros)
}

/// Matrices with the content of these arrays.
pub(crate) fn from_arrays(device: &Device, name: &'static str, arrays: &[ArrayView2<'_, f32>]) -> Result<Vec<Matrix>> {
    let Some(gpu) = device.context() else {
        return arrays.iter().map(|array| Matrix::from_array(device, *array)).collect();
    };
    let matrices = room(device, name, &arrays.iter().map(|array| array.dim()).collect::<Vec<_>>())?;
    for (buffer, array) in matrices.iter().filter_map(|matrix| matrix.storage().gpu()).zip(arrays) {
        gpu.write(buffer, array.as_standard_layout().as_slice().unwrap_or_default())?;
    }
    Ok(matrices)
}

fn list(
    device: &Device,
    name: &'static str,
    shapes: &[(usize, usize)],
    new: impl Fn(&Context, &'static str, usize, usize) -> Result<Buffer>,
) -> Result<Vec<Matrix>> {
    let Some(gpu) = device.context() else {
        return shapes.iter().map(|(rows, cols)| Matrix::zeros(device, *rows, *cols)).collect();
    };
    let buffers = bank::buffers(gpu, shapes, |rows, cols| new(gpu, name, rows, cols))?;
    let matrix = |(buffer, (rows, cols)): (Buffer, &(usize, usize))| Matrix::on_gpu(device, *rows, *cols, buffer);
    Ok(buffers.into_iter().zip(shapes).map(matrix).collect())
}

/// Gives each matrix that shares its buffer with a clone a buffer of its own, so that a kernel may write it in place. Only matrices
/// on a GPU need this. Matrices that were neighbours in a bank are neighbours afterwards.
pub(crate) fn make_unique(name: &'static str, matrices: &mut [&mut Matrix]) -> Result<()> {
    let mut rest = matrices;
    while let Some(gpu) = rest.first().and_then(|first| first.device().context()).cloned() {
        let (run, others) = rest.split_at_mut(neighbours(rest));
        rest = others;
        if run.iter().any(|matrix| matrix.is_shared()) {
            let buffers: Vec<_> = run.iter().filter_map(|matrix| matrix.storage().gpu()).collect();
            let copies = bank::duplicate(&gpu, name, &buffers)?;
            for (matrix, copy) in run.iter_mut().zip(copies) {
                **matrix = Matrix::on_gpu(matrix.device(), matrix.rows(), matrix.cols(), copy);
            }
        }
    }
    Ok(())
}

/// The number of matrices, from the first on, that lie side by side in one buffer.
fn neighbours(matrices: &[&mut Matrix]) -> usize {
    let apart = |pair: &[&mut Matrix]| match (pair[0].storage().gpu(), pair[1].storage().gpu()) {
        (Some(first), Some(second)) => !bank::are_neighbours(first, second),
        _ => true,
    };
    matrices.windows(2).position(apart).map_or(matrices.len(), |last| last + 1)
}

/// The gradient of one matrix of parameters. It is a matrix, or, in the bank of a training step, several partial sums, which the
/// update adds up.
#[derive(Clone, Debug)]
pub(crate) struct Gradient {
    /// The gradient, or the first of its partial sums.
    matrix: Matrix,
    /// The place of the partial sums in a bank; none for a gradient that shares no launch with others.
    sums: Option<PartialSums>,
}

impl From<&Matrix> for Gradient {
    /// A gradient that shares no launch with others.
    fn from(matrix: &Matrix) -> Self {
        Gradient { matrix: matrix.clone(), sums: None }
    }
}

impl Gradient {
    /// A gradient that shares launches with others of its bank.
    pub fn in_bank(matrix: Matrix, sums: PartialSums) -> Self {
        Gradient { matrix, sums: Some(sums) }
    }

    /// A gradient in one piece, which shares launches with others of its bank.
    pub fn whole_in_bank(matrix: Matrix) -> Self {
        Self::in_bank(matrix, PartialSums { count: 1, stride: 0 })
    }

    /// The gradient as a matrix. If it comes in several partial sums, only the matrix's shape and device mean anything.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// The place where kernels find the gradient; none on the CPU path.
    pub fn source(&self) -> Option<GradientSource<'_>> {
        let buffer = self.matrix.storage().gpu()?;
        Some(self.sums.map_or(GradientSource::alone(buffer), |sums| GradientSource::in_bank(buffer, sums)))
    }
}
