//! Layouts of arrays in files: the type, shape and order of their numbers.

use std::path::Path;

use super::dtype::Dtype;
use super::errors::refuse;
use crate::error::{Result, Shape};

/// The layout of an array as rows and columns. Its numbers lie one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) dtype: Dtype,
    /// Whether the array is stored column by column.
    pub(super) fortran: bool,
}

impl Layout {
    /// The layout of an array with this shape. Its first axis counts the rows. The others are joined in C order, as by
    /// `array.reshape(len(array), -1)` in NumPy; an array with a single axis becomes a column.
    pub(super) fn new(path: &Path, dtype: Dtype, shape: &[usize], fortran: bool) -> Result<Self> {
        let found = || format!("shape {shape:?}");
        let Some((&rows, others)) = shape.split_first() else {
            return refuse(path, "the array must have an axis for its rows", found());
        };
        // An axis of length 0 counts as 1 here, since ndarray refuses an array whose other axis is too long.
        let most = shape.iter().try_fold(8_usize, |bytes, length| bytes.checked_mul((*length).max(1)));
        if most.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return refuse(path, "the array must fit into this machine's memory", found());
        }
        if fortran && others.iter().filter(|length| **length > 1).count() > 1 {
            let rule = "an array of more than two dimensions must be in C order; in NumPy: np.ascontiguousarray(array)";
            return refuse(path, rule, format!("Fortran order and {}", found()));
        }
        let cols: usize = others.iter().product();
        // In a single row or column the numbers have the same places in both orders.
        Ok(Layout { rows, cols, dtype, fortran: fortran && rows > 1 && cols > 1 })
    }

    /// The length of the data in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.rows as u64 * self.cols as u64 * self.dtype.size as u64
    }

    /// Checks that there are as many bytes of data as the header says.
    pub(super) fn check_length(&self, path: &Path, bytes: u64) -> Result<()> {
        let needed = self.bytes();
        if bytes != needed {
            let found = format!("{bytes} bytes where {}x{} needs {needed}", self.rows, self.cols);
            return refuse(path, "the data must be as long as the header says", found);
        }
        Ok(())
    }

    /// Checks that the shape of the array is right for labels.
    pub(super) fn check_labels(&self, path: &Path) -> Result<()> {
        if self.cols != 1 {
            let rule = "labels must have one dimension, or one column; of one-hot rows in NumPy: labels.argmax(axis=1)";
            return refuse(path, rule, Shape::from((self.rows, self.cols)).to_string());
        }
        Ok(())
    }
}
