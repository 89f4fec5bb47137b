//! gemm: a product on one thread, by the blocked kernels of the crate `gemm`.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::Real;

/// The most columns of a result that count as few. With few columns, a left factor that is stored by columns is multiplied into a
/// result that is stored by columns too. For a result that is stored by rows the crate would swap the factors and would not pack
/// this factor, whose neighbours in a row lie a page apart.
const FEW: usize = 16;

/// Computes C = A B on the caller's thread. C is written and never read.
pub(super) fn gemm<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, mut c: ArrayViewMut2<'_, T>) {
    let (rows, cols) = c.dim();
    let by_columns = a.strides()[0] == 1 && a.strides()[1] != 1;
    if by_columns && cols <= FEW && rows > FEW {
        let mut transposed = Array2::zeros((cols, rows));
        multiply(a, b, transposed.view_mut().reversed_axes());
        c.assign(&transposed.t());
    } else {
        multiply(a, b, c);
    }
}

/// Computes C = A B by the crate.
#[allow(unsafe_code, reason = "the crate takes pointers and strides")]
fn multiply<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, mut c: ArrayViewMut2<'_, T>) {
    let ((rows, depth), cols) = (a.dim(), b.ncols());
    // The shapes have been checked. Wrong ones would read or write out of bounds, so they are checked again, and give NaN.
    if b.nrows() != depth || c.dim() != (rows, cols) {
        return c.fill(T::nan());
    }
    let strides = |strides: &[isize]| (strides[1], strides[0]);
    let ((a_col, a_row), (b_col, b_row), (c_col, c_row)) =
        (strides(a.strides()), strides(b.strides()), strides(c.strides()));
    let one = gemm::Parallelism::None;
    // SAFETY: pointers, shapes and strides are those of three views, whose shapes were compared above, and C is borrowed
    // mutably. T is f32 or f64, the types that `Real` is implemented for, and the crate knows both. The first factor of zero
    // and the flag `false` before A say that C is not read.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            depth,
            c.as_mut_ptr(),
            c_col,
            c_row,
            false,
            a.as_ptr(),
            a_col,
            a_row,
            b.as_ptr(),
            b_col,
            b_row,
            T::zero(),
            T::one(),
            false,
            false,
            false,
            one,
        );
    }
}
