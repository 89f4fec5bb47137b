//! argmax: the column of the first maximum of each row.

use ndarray::ArrayView2;

use super::maximum::first_maximum;
use super::{Real, threads};

/// The argmax of each row: the first column that holds the row's maximum, or the first NaN if there is one.
pub fn argmax<T: Real>(x: ArrayView2<'_, T>) -> Vec<u32> {
    let (rows, cols) = x.dim();
    let block = threads::block_rows(cols);
    let x = x.as_standard_layout();
    let x = x.as_slice().unwrap_or_default();
    let mut classes = vec![0; rows];
    let jobs = classes.chunks_mut(block).zip(x.chunks((block * cols).max(1)));
    threads::each(jobs, x.len().saturating_mul(2), |(classes, x)| {
        for (class, row) in classes.iter_mut().zip(x.chunks_exact(cols)) {
            *class = first_maximum(row) as u32;
        }
    });
    classes
}
