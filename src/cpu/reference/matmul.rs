//! The matrix product.

use ndarray::{Array2, Zip};

/// The product A B. Each sum is corrected by its own rounding errors; the products of f32 operands are exact in f64.
pub fn matmul(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let zeros = Array2::<f64>::zeros((a.nrows(), b.ncols()));
    let (mut sums, mut errors) = (zeros.clone(), zeros);
    for (step, column) in a.columns().into_iter().enumerate() {
        let row = b.row(step);
        for ((mut sums, mut errors), left) in sums.rows_mut().into_iter().zip(errors.rows_mut()).zip(column) {
            Zip::from(&mut sums).and(&mut errors).and(&row).for_each(|sum, error, right| {
                // Knuth's TwoSum: the rounding error of a sum, whichever of the two numbers is larger.
                let (before, term) = (*sum, left * right);
                *sum += term;
                let added = *sum - before;
                *error += (before - (*sum - added)) + (term - added);
            });
        }
    }
    // The error of a sum that is not finite is NaN.
    sums.zip_mut_with(&errors, |sum, error| {
        if sum.is_finite() {
            *sum += error;
        }
    });
    sums
}
