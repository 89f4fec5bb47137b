//! Matrix products, in ndarray's own blocked kernels, a piece of the result a thread.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};

use super::column_sum::column_sum;
use super::relu::rectified;
use super::{Real, memory, threads};

/// Multiply-adds that a kernel does in the time of one simple operation.
const PACE: usize = 32;
/// Pieces begin where the kernels' tiles do.
const TILE: usize = 16;

/// A B.
pub fn matmul<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a, b, |_, _, _| {})
}

/// Aᵀ B.
pub fn matmul_tn<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a.t(), b, |_, _, _| {})
}

/// A Bᵀ.
pub fn matmul_nt<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a, b.t(), |_, _, _| {})
}

/// act(X W + b), act being ReLU or nothing.
pub fn linear<T: Real>(
    x: ArrayView2<'_, T>,
    weights: ArrayView2<'_, T>,
    bias: ArrayView1<'_, T>,
    relu: bool,
) -> Array2<T> {
    let bias = bias.as_standard_layout();
    let bias = bias.as_slice().unwrap_or_default();
    product(x, weights, |_, begin, sums| {
        for (out, bias) in sums.iter_mut().zip(&bias[begin..]) {
            let sum = *out + *bias;
            *out = if relu { rectified(sum) } else { sum };
        }
    })
}

/// dY Wᵀ where X is positive, else 0.
pub fn linear_backward<T: Real>(dy: ArrayView2<'_, T>, weights: ArrayView2<'_, T>, x: ArrayView2<'_, T>) -> Array2<T> {
    let x = x.as_standard_layout();
    let (cols, x) = (x.ncols(), x.as_slice().unwrap_or_default());
    product(dy, weights.t(), |row, begin, sums| {
        for (out, x) in sums.iter_mut().zip(&x[row * cols + begin..]) {
            *out = if *x > T::zero() { *out } else { T::zero() };
        }
    })
}

/// Xᵀ dY and Σ_r dY.
pub fn linear_gradients<T: Real>(x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) -> (Array2<T>, Array2<T>) {
    (matmul_tn(x, dy), column_sum(dy))
}

/// A piece of C = A B.
struct Piece<'a, T> {
    a: ArrayView2<'a, T>,
    b: ArrayView2<'a, T>,
    c: ArrayViewMut2<'a, T>,
    /// C's row and column where it begins.
    row: usize,
    begin: usize,
}

/// A B, then `finish(row, first column, values)` for each row of each piece.
fn product<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    finish: impl Fn(usize, usize, &mut [T]) + Sync,
) -> Array2<T> {
    let work = a.len().saturating_mul(b.ncols()) / PACE;
    let threads = threads::worth(work);
    if threads == 1 && !threads::pays(a.nrows().saturating_mul(b.ncols())) {
        let c = a.dot(&b);
        // Operands of one column or row may make ndarray write the result by columns.
        let mut c = if c.is_standard_layout() { c } else { c.as_standard_layout().into_owned() };
        let rows = c.rows_mut().into_iter().enumerate();
        rows.for_each(|(number, mut row)| finish(number, 0, row.as_slice_mut().unwrap_or_default()));
        return c;
    }
    let mut c = memory::unwritten(a.nrows(), b.ncols());
    let mut pieces = vec![Piece { a, b, c: c.view_mut(), row: 0, begin: 0 }];
    // Every sum lies within one piece, in one order of its terms, however the result is cut: this split alone may follow
    // the number of threads, so that nothing is packed more often than it must be.
    while pieces.len() < threads {
        pieces = pieces.into_iter().flat_map(Piece::halves).collect();
    }
    threads::each(pieces.into_iter(), work, |mut piece| {
        general_mat_mul(T::one(), &piece.a, &piece.b, T::zero(), &mut piece.c);
        let rows = (piece.row..).zip(piece.c.rows_mut());
        rows.for_each(|(number, mut row)| finish(number, piece.begin, row.as_slice_mut().unwrap_or_default()));
    });
    c
}

impl<T> Piece<'_, T> {
    /// Cut across the longer side.
    fn halves(self) -> [Self; 2] {
        let Piece { a, b, c, row, begin } = self;
        let (rows, cols) = c.dim();
        if rows >= cols {
            let middle = (rows / 2).next_multiple_of(TILE).min(rows);
            let ((above, below), (top, bottom)) = (a.split_at(Axis(0), middle), c.split_at(Axis(0), middle));
            [Piece { a: above, b, c: top, row, begin }, Piece { a: below, b, c: bottom, row: row + middle, begin }]
        } else {
            let middle = (cols / 2).next_multiple_of(TILE).min(cols);
            let ((left, right), (first, last)) = (b.split_at(Axis(1), middle), c.split_at(Axis(1), middle));
            [Piece { a, b: left, c: first, row, begin }, Piece { a, b: right, c: last, row, begin: begin + middle }]
        }
    }
}
