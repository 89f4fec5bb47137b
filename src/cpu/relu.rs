//! relu, its mask and its gradient.

use ndarray::{Array2, ArrayView2, Zip};

use super::Real;

/// max(X, 0); NaN stays NaN.
pub fn relu<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    x.mapv(|x| if x <= T::zero() { T::zero() } else { x })
}

/// 1 where X > 0, else 0.
pub fn relu_mask<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    x.mapv(|x| if x > T::zero() { T::one() } else { T::zero() })
}

/// dY where X > 0, else 0.
pub fn relu_backward<T: Real>(x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) -> Array2<T> {
    Zip::from(x).and(dy).map_collect(|x, dy| if *x > T::zero() { *dy } else { T::zero() })
}
