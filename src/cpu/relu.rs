//! relu, its mask and its gradient.

use ndarray::{Array2, ArrayView2};

use super::{Real, threads};

/// max(X, 0); NaN stays NaN.
pub fn relu<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    each(x, rectified)
}

/// max(x, 0); NaN stays NaN.
#[inline(always)]
pub(super) fn rectified<T: Real>(x: T) -> T {
    if x <= T::zero() { T::zero() } else { x }
}

/// 1 where X > 0, else 0.
pub fn relu_mask<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    each(x, |x| if x > T::zero() { T::one() } else { T::zero() })
}

/// dY where X > 0, else 0.
pub fn relu_backward<T: Real>(x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) -> Array2<T> {
    threads::filled([x, dy], 1, |_, [x, dy], out| {
        for ((out, x), dy) in out.iter_mut().zip(x).zip(dy) {
            *out = if *x > T::zero() { *dy } else { T::zero() };
        }
    })
}

fn each<T: Real>(x: ArrayView2<'_, T>, of: impl Fn(T) -> T + Sync) -> Array2<T> {
    threads::filled([x], 1, |_, [x], out| {
        for (out, x) in out.iter_mut().zip(x) {
            *out = of(*x);
        }
    })
}
