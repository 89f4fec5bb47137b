//! One product on one thread, in the crate `gemm`'s blocked kernels.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::Real;

/// Columns of a result that count as few. A factor that is read by columns is then read as the left one: as the right one it
/// is not packed, and its columns lie a page apart.
const FEW: usize = 16;

/// C = A B, on the caller's thread. C is written and never read.
pub(super) fn gemm<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, mut c: ArrayViewMut2<'_, T>) {
    let (rows, cols) = c.dim();
    let by_columns = a.strides()[0] == 1 && a.strides()[1] != 1;
    if by_columns && cols <= FEW && rows > FEW {
        let mut turned = Array2::zeros((cols, rows));
        write(a, b, turned.view_mut().reversed_axes());
        c.assign(&turned.t());
    } else {
        write(a, b, c);
    }
}

#[allow(unsafe_code, reason = "the crate takes pointers and strides")]
fn write<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, mut c: ArrayViewMut2<'_, T>) {
    let ((rows, depth), cols) = (a.dim(), b.ncols());
    // Those who call have checked shapes; a product of others would read or write what is not theirs. Should one come here
    // all the same, its result says so.
    if b.nrows() != depth || c.dim() != (rows, cols) {
        return c.fill(T::nan());
    }
    let strides = |strides: &[isize]| (strides[1], strides[0]);
    let ((a_col, a_row), (b_col, b_row), (c_col, c_row)) =
        (strides(a.strides()), strides(b.strides()), strides(c.strides()));
    let one = gemm::Parallelism::None;
    // SAFETY: pointers, shapes and strides are those of three views, whose shapes were compared above, and C is borrowed
    // alone. T is f32 or f64, the types that `Real` is implemented for, and the crate knows both. The first factor of zero
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
