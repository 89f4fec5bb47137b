//! bias_add: a bias for each column.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::{Real, threads};

/// The sum X + b.
pub fn bias_add<T: Real>(x: ArrayView2<'_, T>, bias: ArrayView1<'_, T>) -> Array2<T> {
    if !threads::pays(x.len()) {
        return &x + &bias;
    }
    let bias = bias.as_standard_layout();
    let bias = bias.as_slice().unwrap_or_default();
    threads::filled([x], 1, |_, [x], out| {
        for (out, x) in out.chunks_exact_mut(bias.len()).zip(x.chunks_exact(bias.len())) {
            for ((out, x), bias) in out.iter_mut().zip(x).zip(bias) {
                *out = *x + *bias;
            }
        }
    })
}
