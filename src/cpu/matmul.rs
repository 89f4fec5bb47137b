//! Matrix products, in ndarray's own blocked kernels.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};

use super::Real;

/// A B.
pub fn matmul<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    a.dot(&b)
}

/// Aᵀ B.
pub fn matmul_tn<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    a.t().dot(&b)
}

/// A Bᵀ.
pub fn matmul_nt<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    a.dot(&b.t())
}

/// act(X W + b), act being ReLU or nothing.
pub fn linear<T: Real>(
    x: ArrayView2<'_, T>,
    weights: ArrayView2<'_, T>,
    bias: ArrayView1<'_, T>,
    relu: bool,
) -> Array2<T> {
    let mut out = x.dot(&weights);
    for mut row in out.axis_iter_mut(Axis(0)) {
        Zip::from(&mut row).and(bias).for_each(|out, bias| {
            *out = *out + *bias;
            if relu && *out <= T::zero() {
                *out = T::zero();
            }
        });
    }
    out
}
