//! Arrays as sources, in any memory layout. Arrays of f32 are sources themselves; arrays of other numbers need a wrapper.

use ndarray::{ArrayBase, ArrayView2, Data, Ix2};

use super::number::Number;
use super::row_error::RowError;
use super::row_source::RowSource;

/// The number of bytes of rows that are copied before they are converted. They fit into the first-level cache.
pub(crate) const GATHERED: usize = 1 << 14;

/// Reads rows of an array. Numbers that are f32 already are copied to their place. Of other numbers, a few rows are copied before
/// they are converted: while it copies, a processor waits for the memory of several rows at once, and while it converts, for the
/// memory of only one.
fn read_rows<T: Number>(array: ArrayView2<'_, T>, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
    let (count, cols) = array.dim();
    if let Some(row) = rows.iter().find(|row| **row >= count) {
        return Err(RowError::beyond(*row, count));
    }
    if T::as_values(&[]).is_some() {
        for (row, into) in rows.iter().map(|row| array.row(*row)).zip(into.chunks_exact_mut(cols.max(1))) {
            match row.as_slice().and_then(T::as_values) {
                Some(values) => into.copy_from_slice(values),
                None => into.iter_mut().zip(&row).for_each(|(into, value)| *into = value.to_f32()),
            }
        }
        return Ok(());
    }
    let few = (GATHERED / cols.saturating_mul(size_of::<T>()).max(1)).max(1);
    let mut room = Vec::new();
    for (rows, into) in rows.chunks(few).zip(into.chunks_mut((few * cols).max(1))) {
        room.clear();
        for row in rows.iter().map(|row| array.row(*row)) {
            match row.as_slice() {
                Some(values) => room.extend_from_slice(values),
                None => room.extend(row),
            }
        }
        T::convert(&room, into);
    }
    Ok(())
}

// Only arrays of f32 are sources themselves. So the compiler knows the type of the numbers in a call with an array literal.
impl<S: Data<Elem = f32>> RowSource for ArrayBase<S, Ix2>
where
    Self: Send + Sync,
{
    fn dim(&self) -> (usize, usize) {
        self.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        read_rows(self.view(), rows, into)
    }

    fn as_values(&self) -> Option<&[f32]> {
        self.as_slice()
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn writes_all(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        format!("an array of {}x{}", self.nrows(), self.ncols())
    }
}

/// An array of [f32], [f64], [`half::f16`], [`half::bf16`] or [u8]. Its numbers are converted to f32 while they are read.
///
/// ```
/// use wgpu_mlp::source::{Converted, half::f16};
/// use wgpu_mlp::{Device, Mlp};
/// let embeddings = ndarray::array![[1.0, 0.5], [0.25, 2.0]].mapv(f16::from_f32);
/// let classes = Mlp::new(&Device::cpu(), &[2, 3], 0)?.predict(Converted(embeddings.view()))?;
/// assert_eq!(classes.len(), 2);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Converted<A>(
    /// The array, or a view of one.
    pub A,
);

impl<S: Data<Elem: Number>> RowSource for Converted<ArrayBase<S, Ix2>>
where
    ArrayBase<S, Ix2>: Send + Sync,
{
    fn dim(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
        read_rows(self.0.view(), rows, into)
    }

    fn as_values(&self) -> Option<&[f32]> {
        self.0.as_slice().and_then(S::Elem::as_values)
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn writes_all(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        let number = std::any::type_name::<S::Elem>().rsplit("::").next().unwrap_or("numbers");
        format!("an array of {}x{} {number}", self.0.nrows(), self.0.ncols())
    }
}
