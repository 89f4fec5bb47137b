//! Arrays as sources, in whatever layout they are.

use ndarray::{ArrayBase, Data, Ix2};

use super::number::Number;
use super::row_error::RowError;
use super::row_source::RowSource;

impl<S: Data<Elem: Number>> RowSource for ArrayBase<S, Ix2>
where
    Self: Send + Sync,
{
    fn dim(&self) -> (usize, usize) {
        self.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        let (count, cols) = self.dim();
        for (row, into) in rows.iter().zip(into.chunks_exact_mut(cols.max(1))) {
            if *row >= count {
                return Err(RowError::beyond(*row, count));
            }
            let values = self.row(*row);
            match values.as_slice() {
                Some(values) => S::Elem::convert(values, into),
                None => into.iter_mut().zip(values).for_each(|(into, value)| *into = value.to_f32()),
            }
        }
        Ok(())
    }

    fn as_values(&self) -> Option<&[f32]> {
        self.as_slice().and_then(S::Elem::as_values)
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        let (rows, cols) = self.dim();
        format!(
            "an array of {rows}x{cols} {}",
            std::any::type_name::<S::Elem>().rsplit("::").next().unwrap_or("numbers")
        )
    }
}
