//! A source that scales the rows of another source while they are read.

use super::scaler::{Scaler, check_rows, scaled};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::source::{RowError, RowSource, dim_of};

/// A source that scales each row of another source while it is read. It gives the same bits as [`Scaler::transform`].
///
/// ```
/// use ndarray::array;
/// use wgpu_mlp::data::{Scaled, Scaler};
/// use wgpu_mlp::source::RowSource;
/// let x = array![[1.0, 100.0], [3.0, 300.0]];
/// let scaler = Scaler::fit(&x)?;
/// let scaled: Scaled<'_, _> = scaler.scaled(&x)?;
/// let mut row = [0.0; 2];
/// scaled.read_rows(&[1], &mut row).unwrap();
/// assert_eq!(row, [1.0, 1.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scaled<'a, S> {
    scaler: &'a Scaler,
    source: S,
}

impl Scaler {
    /// Makes a source whose rows are those of `source`, scaled as by [`Scaler::transform`] while they are read.
    ///
    /// Reading a value that is NaN or infinite is an [`Error::Feature`], with the row's number in the source.
    ///
    /// # Errors
    /// [`Error::Shape`] if the source has another number of columns than the scaler was fitted to; [`Error::Source`] if the
    /// source panics when it is asked for its number of columns.
    pub fn scaled<S: RowSource>(&self, source: S) -> Result<Scaled<'_, S>> {
        self.check_columns(dim_of("Scaler::scaled", &source)?.into())?;
        Ok(Scaled { scaler: self, source })
    }
}

impl<S: RowSource> RowSource for Scaled<'_, S> {
    fn dim(&self) -> (usize, usize) {
        self.source.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        self.source.read_rows(rows, into)?;
        let (mean, scale) = (self.scaler.mean(), self.scaler.scale());
        for (number, row) in rows.iter().zip(into.chunks_exact_mut(mean.len())) {
            check_rows(&*row, mean.len(), |_| *number).map_err(|error| RowError::new(*number, error))?;
            let columns = row.iter_mut().zip(mean.iter().zip(scale));
            columns.for_each(|(value, (mean, scale))| *value = scaled(f64::from(*value), *mean, *scale) as f32);
        }
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        self.source.is_in_memory()
    }

    fn writes_all(&self) -> bool {
        self.source.writes_all()
    }

    fn name(&self) -> String {
        format!("{}, scaled", self.source.name())
    }
}
