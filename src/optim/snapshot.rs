//! Snapshots: an optimizer's state on the host, parameter by parameter.

use ndarray::{Array2, s};

use crate::error::{Error, Result};
use crate::matrix::part_words;

/// An optimizer's state on the host: what a checkpoint keeps of it beside its options.
///
/// ```
/// use wgpu_mlp::{Optimizer, OptimizerSnapshot, OptimizerState};
/// let snapshot = OptimizerState::new(Optimizer::adam(1e-3)).export(&[(3, 2), (1, 2)])?;
/// assert_eq!((snapshot.step, snapshot.slots.len()), (0, 2));
/// assert_eq!(snapshot.slots[1][0].dim(), (3, 2));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerSnapshot {
    /// Steps taken.
    pub step: u64,
    /// For each of [`Optimizer::slots`](super::Optimizer::slots), in that order, an array a parameter.
    pub slots: Vec<Vec<Array2<f32>>>,
}

/// These arrays as neighbours in one row, where each begins as in a buffer of parts.
pub(super) fn side_by_side(arrays: &[Array2<f32>]) -> Array2<f32> {
    let words = arrays.iter().map(|array| part_words(array.nrows(), array.ncols())).sum();
    let mut row = Array2::zeros((1, words));
    let mut first = 0;
    for array in arrays {
        row.slice_mut(s![0, first..first + array.len()]).iter_mut().zip(array).for_each(|(word, value)| *word = *value);
        first += part_words(array.nrows(), array.ncols());
    }
    row
}

/// The arrays of such a row again.
pub(super) fn apart(row: &Array2<f32>, shapes: &[(usize, usize)]) -> Result<Vec<Array2<f32>>> {
    let mut first = 0;
    let part = |(rows, cols): &(usize, usize)| {
        let words = row.iter().skip(first).take(rows * cols).copied().collect::<Vec<_>>();
        first += part_words(*rows, *cols);
        let (shape, values) = ((*rows, *cols), words.len());
        Array2::from_shape_vec(shape, words).map_err(|_| Error::Length { op: "export", shape: shape.into(), values })
    };
    shapes.iter().map(part).collect()
}
