//! Memory for results: large results reuse the idle memory of earlier ones.

use std::ops::{Deref, DerefMut};

use ndarray::{Array2, ArrayView2};

use super::Real;
use super::idle::MAX_ELEMENTS;

/// The least number of elements of a result whose memory is kept: a MiB of f32.
pub(super) const LARGE: usize = 1 << 18;
/// A matrix with undefined content, which the caller must write in full: it holds zeros or an earlier result.
pub fn unwritten<T: Real>(rows: usize, cols: usize) -> Array2<T> {
    let used = if rows * cols >= LARGE { T::idle().and_then(|idle| idle.take(rows * cols)) } else { None };
    let used = used.and_then(|memory| Array2::from_shape_vec((rows, cols), memory).ok());
    used.unwrap_or_else(|| Array2::zeros((rows, cols)))
}

/// A copy of the array in standard layout.
pub fn copied(source: ArrayView2<'_, f32>) -> Kept {
    let mut copy = unwritten(source.nrows(), source.ncols());
    copy.assign(&source);
    Kept(copy)
}

/// An array whose memory is kept for later results when it is dropped.
#[derive(Clone, Debug)]
pub struct Kept(Array2<f32>);

impl From<Array2<f32>> for Kept {
    fn from(array: Array2<f32>) -> Self {
        Kept(array)
    }
}

impl Deref for Kept {
    type Target = Array2<f32>;
    fn deref(&self) -> &Array2<f32> {
        &self.0
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Array2<f32> {
        &mut self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let elements = self.0.len();
        if (LARGE..=MAX_ELEMENTS).contains(&elements)
            && let (memory, Some(0)) = std::mem::take(&mut self.0).into_raw_vec_and_offset()
            && memory.len() == elements
            && let Some(idle) = f32::idle()
        {
            idle.keep(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LossParams, TargetView, log_softmax, matmul, relu, relu_mask, softmax, softmax_cross_entropy};
    use super::*;

    /// The shape is one that no other test has, so that none takes the memory.
    #[test]
    fn nothing_of_an_earlier_result_shows_in_a_later_one() {
        const SHAPE: (usize, usize) = (521, 523);
        let leave_nan = || drop(Kept::from(Array2::from_elem(SHAPE, f32::NAN)));
        let x = Array2::from_shape_fn(SHAPE, |(r, c)| (r * 7 + c * 3) as f32 % 5.0);
        let classes: Vec<u32> = (0..SHAPE.0 as u32).map(|r| r % 2).collect();
        let params = LossParams { weights: None, samples: None, ignored: Some(1), smoothing: 0.0, mean: true };
        leave_nan();
        let results = softmax_cross_entropy(x.view(), TargetView::Classes(&classes), params);
        assert!(results.dlogits.row(1).iter().all(|dlogit| *dlogit == 0.0), "rows of the ignored class");
        for result in [softmax, log_softmax, relu, relu_mask] {
            leave_nan();
            assert!(result(x.view()).iter().all(|value| value.is_finite()));
        }
        leave_nan();
        let square = x.slice(ndarray::s![.., ..64]);
        let factor = x.slice(ndarray::s![..64, ..]);
        assert!(matmul(square, factor).iter().all(|value| value.is_finite()));
    }
}
