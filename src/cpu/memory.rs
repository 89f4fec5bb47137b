//! Memory of large results, kept for the next ones: new memory comes from the system page by page, zeroed as it is first
//! touched, which takes longer than a softmax.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use ndarray::{Array2, ArrayView2};

use super::Real;

/// Elements from which on results are kept: a MiB of f32.
pub(super) const LARGE: usize = 1 << 18;
/// Elements that lie idle at most: half a GiB of f32.
const MOST_IDLE: usize = 1 << 27;
/// Pieces of memory that lie idle at most: what a step of training lets go of, and not what no one asks for again.
const MOST_PIECES: usize = 8;

/// Memory that nobody uses, the longest idle in front.
#[derive(Default)]
pub struct Idle<T>(Mutex<VecDeque<Vec<T>>>);

impl<T> Idle<T> {
    /// None.
    pub const fn new() -> Self {
        Idle(Mutex::new(VecDeque::new()))
    }

    fn take(&self, elements: usize) -> Option<Vec<T>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = idle.iter().position(|memory| memory.len() == elements)?;
        idle.remove(place)
    }

    fn keep(&self, memory: Vec<T>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back(memory);
        let mut elements: usize = idle.iter().map(Vec::len).sum();
        while elements > MOST_IDLE || idle.len() > MOST_PIECES {
            elements -= idle.pop_front().map_or(elements, |memory| memory.len());
        }
    }
}

/// A matrix of which every element is to be written: it holds zeros, or what an earlier result was.
pub(super) fn unwritten<T: Real>(rows: usize, cols: usize) -> Array2<T> {
    let used = if rows * cols >= LARGE { T::idle().and_then(|idle| idle.take(rows * cols)) } else { None };
    let used = used.and_then(|memory| Array2::from_shape_vec((rows, cols), memory).ok());
    used.unwrap_or_else(|| Array2::zeros((rows, cols)))
}

/// A copy in standard layout.
pub fn copied(source: ArrayView2<'_, f32>) -> Kept {
    let mut copy = unwritten(source.nrows(), source.ncols());
    copy.assign(&source);
    Kept(copy)
}

/// An array whose memory serves others when it is dropped.
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
        if (LARGE..=MOST_IDLE).contains(&elements)
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
    use super::super::{Contract, TargetView, log_softmax, matmul, relu, relu_mask, softmax, softmax_cross_entropy};
    use super::*;

    #[test]
    fn memory_is_used_again_by_length_and_no_more_than_allowed_is_kept() {
        let idle = Idle::new();
        idle.keep(vec![1.0f32; 5]);
        idle.keep(vec![2.0; 7]);
        assert_eq!(idle.take(6), None);
        assert_eq!(idle.take(5), Some(vec![1.0; 5]));
        assert_eq!(idle.take(5), None);
        // Zeros that are never touched take no memory.
        idle.keep(vec![0.0; MOST_IDLE - 7]);
        assert_eq!(idle.take(7), Some(vec![2.0; 7]));
        idle.keep(vec![3.0; 7]);
        idle.keep(vec![4.0; 8]);
        assert_eq!((idle.take(MOST_IDLE - 7).map(|memory| memory.len()), idle.take(7)), (None, Some(vec![3.0; 7])));
        (10..10 + MOST_PIECES).for_each(|length| idle.keep(vec![5.0; length]));
        assert_eq!((idle.take(8), idle.take(10)), (None, Some(vec![5.0; 10])));
    }

    /// Lengths that no other test has, so that no other takes the memory.
    #[test]
    fn nothing_of_an_earlier_result_shows_in_a_later_one() {
        const SHAPE: (usize, usize) = (521, 523);
        let leave_nan = || drop(Kept::from(Array2::from_elem(SHAPE, f32::NAN)));
        let x = Array2::from_shape_fn(SHAPE, |(r, c)| (r * 7 + c * 3) as f32 % 5.0);
        let classes: Vec<u32> = (0..SHAPE.0 as u32).map(|r| r % 2).collect();
        let contract = Contract { weights: None, samples: None, ignored: Some(1), smoothing: 0.0, mean: true };
        leave_nan();
        let head = softmax_cross_entropy(x.view(), TargetView::Classes(&classes), contract);
        assert!(head.dlogits.row(1).iter().all(|slope| *slope == 0.0), "rows of the ignored class");
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
