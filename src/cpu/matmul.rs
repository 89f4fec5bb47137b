//! Matrix products: each thread computes a piece of the result.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis};

use super::column_sum::column_sum;
use super::gemm::gemm;
use super::relu::relu_of;
use super::{Real, memory, threads};

/// The number of multiply-adds that a kernel does in the time of one simple operation.
const PACE: usize = 32;
/// The side of the kernels' tiles; pieces begin at its multiples.
const TILE: usize = 16;

/// The product A B.
pub fn matmul<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a, b, |_, _, _| {})
}

/// The product Aᵀ B.
pub fn matmul_tn<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a.t(), b, |_, _, _| {})
}

/// The product A Bᵀ.
pub fn matmul_nt<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    product(a, b.t(), |_, _, _| {})
}

/// A linear layer: act(X W + b), where act is ReLU or nothing.
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
            *out = if relu { relu_of(sum) } else { sum };
        }
    })
}

/// The gradient of a linear layer's input, with the ReLU's mask: dY Wᵀ where X is positive, else 0.
pub fn linear_backward<T: Real>(dy: ArrayView2<'_, T>, weights: ArrayView2<'_, T>, x: ArrayView2<'_, T>) -> Array2<T> {
    let x = x.as_standard_layout();
    let (cols, x) = (x.ncols(), x.as_slice().unwrap_or_default());
    product(dy, weights.t(), |row, begin, sums| {
        for (out, x) in sums.iter_mut().zip(&x[row * cols + begin..]) {
            *out = if *x > T::zero() { *out } else { T::zero() };
        }
    })
}

/// The gradients of a linear layer: Xᵀ dY for the weights and Σ_r dY for the biases.
pub fn linear_gradients<T: Real>(x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>) -> (Array2<T>, Array2<T>) {
    (matmul_tn(x, dy), column_sum(dy))
}

/// A piece of C = A B.
struct Piece<'a, T> {
    a: ArrayView2<'a, T>,
    b: ArrayView2<'a, T>,
    c: ArrayViewMut2<'a, T>,
    /// The row and the column of C where the piece begins.
    row: usize,
    begin: usize,
}

/// The product A B. Each row of each piece is then passed to `finish(row, first column, values)`, which may change the values.
fn product<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    finish: impl Fn(usize, usize, &mut [T]) + Sync,
) -> Array2<T> {
    let work = a.len().saturating_mul(b.ncols()) / PACE;
    let threads = threads::worth(work);
    let mut c = memory::unwritten(a.nrows(), b.ncols());
    let mut pieces = vec![Piece { a, b, c: c.view_mut(), row: 0, begin: 0 }];
    // The number of threads may decide how the result is cut: every sum lies within one piece, and its terms are added in one
    // order however the result is cut.
    while pieces.len() < threads && pieces.iter().any(Piece::is_large) {
        pieces = pieces.into_iter().flat_map(Piece::halves).collect();
    }
    threads::each(pieces.into_iter(), work, |mut piece| {
        gemm(piece.a, piece.b, piece.c.view_mut());
        let rows = (piece.row..).zip(piece.c.rows_mut());
        rows.for_each(|(number, mut row)| finish(number, piece.begin, row.as_slice_mut().unwrap_or_default()));
    });
    c
}

impl<T> Piece<'_, T> {
    /// Whether the piece is so large that its halves are summed in the order of the whole piece. The crate's kernels use other
    /// orders for results of at most 64 rows and columns, of one row or column, and of at most 256 elements.
    fn is_large(&self) -> bool {
        let (rows, cols) = self.c.dim();
        rows.max(cols) >= 16 * TILE && rows * cols >= 1024
    }

    /// The halves of a large piece, cut across the longer side; else the piece itself.
    fn halves(self) -> Vec<Self> {
        if !self.is_large() {
            return vec![self];
        }
        let Piece { a, b, c, row, begin } = self;
        let (rows, cols) = c.dim();
        if rows >= cols {
            let middle = (rows / 2).next_multiple_of(TILE).min(rows);
            let ((above, below), (top, bottom)) = (a.split_at(Axis(0), middle), c.split_at(Axis(0), middle));
            vec![Piece { a: above, b, c: top, row, begin }, Piece { a: below, b, c: bottom, row: row + middle, begin }]
        } else {
            let middle = (cols / 2).next_multiple_of(TILE).min(cols);
            let ((left, right), (first, last)) = (b.split_at(Axis(1), middle), c.split_at(Axis(1), middle));
            vec![Piece { a, b: left, c: first, row, begin }, Piece { a, b: right, c: last, row, begin: begin + middle }]
        }
    }
}
