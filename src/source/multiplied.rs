//! A source whose values are multiplied by a factor.

use super::row_error::RowError;
use super::row_source::RowSource;

/// A source that multiplies each value of another source by a factor while it is read: x · factor, in f32.
///
/// ```
/// use wgpu_mlp::source::{Converted, Multiplied, RowSource};
/// let pixels = Multiplied::new(Converted(ndarray::array![[0u8, 64, 255]]), 1.0 / 128.0);
/// let mut row = [0.0; 3];
/// pixels.read_rows(&[0], &mut row).unwrap();
/// assert_eq!(row, [0.0, 0.5, 1.9921875]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Multiplied<S> {
    source: S,
    factor: f32,
}

impl<S: RowSource> Multiplied<S> {
    /// A source with the values of `source` times the factor.
    pub fn new(source: S, factor: f32) -> Self {
        Multiplied { source, factor }
    }
}

impl<S: RowSource> RowSource for Multiplied<S> {
    fn dim(&self) -> (usize, usize) {
        self.source.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        self.source.read_rows(rows, into)?;
        into.iter_mut().for_each(|value| *value *= self.factor);
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        self.source.is_in_memory()
    }

    fn writes_all(&self) -> bool {
        self.source.writes_all()
    }

    fn name(&self) -> String {
        format!("{} times {}", self.source.name(), self.factor)
    }
}
