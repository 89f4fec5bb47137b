//! Sums whose rounding error grows with the logarithm of the length.

use ndarray::{Array1, ArrayView2, Axis};

use super::Real;

/// Runs up to this long are added one by one.
const RUN: usize = 32;

/// The sum of `term(0) .. term(count - 1)`, halved until the runs are short.
pub(crate) fn pairwise<T: Real>(count: usize, term: impl Fn(usize) -> T) -> T {
    fn halves<T: Real>(begin: usize, end: usize, term: &impl Fn(usize) -> T) -> T {
        if end - begin <= RUN {
            return (begin..end).fold(T::zero(), |sum, i| sum + term(i));
        }
        let middle = begin + (end - begin) / 2;
        halves(begin, middle, term) + halves(middle, end, term)
    }
    halves(0, count, &term)
}

/// The sum of the rows, halved likewise.
pub(crate) fn pairwise_rows<T: Real>(x: ArrayView2<'_, T>) -> Array1<T> {
    if x.nrows() <= RUN {
        let mut sum = Array1::zeros(x.ncols());
        for row in x.rows() {
            sum.zip_mut_with(&row, |sum, x| *sum = *sum + *x);
        }
        return sum;
    }
    let (top, bottom) = x.split_at(Axis(0), x.nrows() / 2);
    let mut sum = pairwise_rows(top);
    sum.zip_mut_with(&pairwise_rows(bottom), |sum, x| *sum = *sum + *x);
    sum
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayView1, s};

    use super::*;

    #[test]
    fn sums_every_row_once() {
        for rows in [1, 2, 31, 32, 33, 64, 1000] {
            let x = ndarray::Array2::from_shape_fn((rows, 3), |(r, c)| (r * 3 + c) as f64);
            assert_eq!(pairwise_rows(x.view()), x.sum_axis(Axis(0)));
            assert_eq!(pairwise(rows, |r| x[[r, 1]]), x.slice(s![.., 1]).sum());
        }
        let empty: ArrayView1<'_, f32> = ArrayView1::from(&[]);
        assert_eq!(pairwise(0, |i| empty[i]), 0.0);
    }
}
