//! relu, its mask and its gradient.

use ndarray::{Array2, ArrayView2, Zip};

use super::{Real, threads};

/// max(X, 0); NaN stays NaN.
pub fn relu<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    mapped(x, relu_of)
}

/// max(x, 0); NaN stays NaN.
#[inline(always)]
pub(super) fn relu_of<T: Real>(x: T) -> T {
    if x <= T::zero() { T::zero() } else { x }
}

/// 1 where X > 0, else 0.
pub fn relu_mask<T: Real>(x: ArrayView2<'_, T>) -> Array2<T> {
    mapped(x, |x| if x > T::zero() { T::one() } else { T::zero() })
}

/// The matrix `of(x)`.
fn mapped<T: Real>(x: ArrayView2<'_, T>, of: impl Fn(T) -> T + Sync) -> Array2<T> {
    if !threads::pays(x.len()) {
        return x.mapv(of);
    }
    threads::filled([x], 1, |_, [x], out| {
        for (out, x) in out.iter_mut().zip(x) {
            *out = of(*x);
        }
    })
}

/// dY where X > 0, else 0.
pub fn relu_backward<T: Real>(x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) -> Array2<T> {
    // Both are read either way, so that this is a selection and no branch.
    let masked = |x: T, dy: T| if x > T::zero() { dy } else { T::zero() };
    if !threads::pays(x.len()) {
        return Zip::from(x).and(dy).map_collect(|x, dy| masked(*x, *dy));
    }
    threads::filled([x, dy], 1, |_, [x, dy], out| {
        for ((out, x), dy) in out.iter_mut().zip(x).zip(dy) {
            *out = masked(*x, *dy);
        }
    })
}
