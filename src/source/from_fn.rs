//! A function as a source.

use std::error::Error as StdError;

use super::row_error::RowError;
use super::row_source::RowSource;

/// A source whose rows are written by a function. The function gets the number of a row and a place for each of its values.
///
/// ```
/// use wgpu_mlp::source::FromFn;
/// use wgpu_mlp::{Device, Mlp};
/// let squares = FromFn::new((1000, 3), |row, values: &mut [f32]| {
///     values.iter_mut().enumerate().for_each(|(column, value)| *value = (row * row + column) as f32);
///     Ok::<(), std::io::Error>(())
/// });
/// assert_eq!(Mlp::new(&Device::cpu(), &[3, 2], 0)?.predict(squares)?.len(), 1000);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FromFn<F> {
    dim: (usize, usize),
    write: F,
}

impl<F> FromFn<F> {
    /// A source with this number of rows and columns. `write` writes its rows, one per call.
    pub fn new<E>(dim: (usize, usize), write: F) -> Self
    where
        F: Fn(usize, &mut [f32]) -> Result<(), E>,
    {
        FromFn { dim, write }
    }
}

impl<F, E> RowSource for FromFn<F>
where
    F: Fn(usize, &mut [f32]) -> Result<(), E> + Send + Sync,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn dim(&self) -> (usize, usize) {
        self.dim
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        let write =
            |(row, into): (&usize, &mut [f32])| (self.write)(*row, into).map_err(|error| RowError::new(*row, error));
        rows.iter().zip(into.chunks_exact_mut(self.dim.1.max(1))).try_for_each(write)
    }

    fn name(&self) -> String {
        format!("a function of {}x{}", self.dim.0, self.dim.1)
    }
}
