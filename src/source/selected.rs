//! A source of some rows of another source.

use super::checked::{dim_of, row_failed};
use super::row_error::RowError;
use super::row_source::RowSource;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// Some rows of another source, in any order, for example the rows of `train_test_rows`. No data are copied.
///
/// ```
/// use wgpu_mlp::source::{RowSource, Selected};
/// let x = ndarray::array![[1.0f32], [2.0], [3.0]];
/// let last_first = Selected::new(&x, vec![2, 1, 0])?;
/// let mut rows = [0.0; 2];
/// last_first.read_rows(&[0, 2], &mut rows).unwrap();
/// assert_eq!(rows, [3.0, 1.0]);
/// assert!(Selected::new(&x, vec![3]).is_err());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selected<S> {
    source: S,
    rows: Vec<usize>,
}

impl<S: RowSource> Selected<S> {
    /// Selects the rows of the source with these numbers.
    ///
    /// # Errors
    /// [`Error::Source`] with the first number that is not a row of the source, or if the source panics when it is asked for its
    /// number of rows.
    pub fn new(source: S, rows: Vec<usize>) -> Result<Self> {
        let count = dim_of("selected", &source)?.0;
        match rows.iter().find(|row| **row >= count) {
            Some(row) => Err(row_failed("selected", RowError::beyond(*row, count))),
            None => Ok(Selected { source, rows }),
        }
    }
}

impl<S: RowSource> RowSource for Selected<S> {
    fn dim(&self) -> (usize, usize) {
        (self.rows.len(), self.source.dim().1)
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        let of = |row: &usize| self.rows.get(*row).copied().ok_or_else(|| RowError::beyond(*row, self.rows.len()));
        let wanted = rows.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        self.source.read_rows(&wanted, into).map_err(|error| {
            let index = wanted.iter().position(|row| *row == error.row);
            RowError { row: index.map_or(error.row, |index| rows[index]), ..error }
        })
    }

    fn is_in_memory(&self) -> bool {
        self.source.is_in_memory()
    }

    fn writes_all(&self) -> bool {
        self.source.writes_all()
    }

    fn name(&self) -> String {
        format!("{} rows of {}", self.rows.len(), self.source.name())
    }
}
