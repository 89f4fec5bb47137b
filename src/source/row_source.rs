//! The trait of sources: gives the number of rows, and reads rows.

use std::sync::Arc;

use super::row_error::RowError;

/// A source of rows of features, like PyTorch's map-style `Dataset` and Burn's `Dataset`, but without labels.
///
/// A training asks for rows in the order in which it needs them, several at a time. If
/// [`FitOptions::workers`](crate::FitOptions::workers) is not 0, several threads ask at once. A row must have the same values
/// each time that it is read: it is read once in each epoch, and again when a step is replayed.
///
/// ```
/// use wgpu_mlp::source::{RowError, RowSource};
/// use wgpu_mlp::{Device, FitOptions, Mlp};
///
/// /// Rows that a database holds.
/// struct Stored(std::collections::BTreeMap<usize, [f32; 2]>);
///
/// impl RowSource for Stored {
///     fn dim(&self) -> (usize, usize) {
///         (self.0.len(), 2)
///     }
///
///     fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
///         for (row, into) in rows.iter().zip(into.chunks_exact_mut(2)) {
///             into.copy_from_slice(self.0.get(row).ok_or_else(|| RowError::new(*row, "not in the database"))?);
///         }
///         Ok(())
///     }
/// }
///
/// let stored = Stored([(0, [0.0, 1.0]), (2, [1.0, 0.0])].into());
/// let mut model = Mlp::new(&Device::cpu(), &[2, 2], 0)?;
/// let error = model.fit(&stored, &[0u8, 1], &FitOptions::default()).unwrap_err();
/// assert_eq!(error.to_string(), "fit: row 1 could not be read: not in the database");
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of rows",
    note = "arrays of f32 with two dimensions are sources; `row.insert_axis(Axis(0))` makes one of a single row",
    note = "`source::Converted` makes a source of an array of f64, f16, bf16 or u8 with two dimensions"
)]
pub trait RowSource: Send + Sync {
    /// The numbers of rows and columns, as ndarray's method `dim` gives them. They must not change.
    fn dim(&self) -> (usize, usize);

    /// Writes the values of these rows into `into`, one row after the other, in this order. `into` has a place for each value.
    /// All of them must be written: a value that is not written counts as NaN. A row may be asked for more than once. A training
    /// ends only when all of its reads have returned.
    ///
    /// # Errors
    /// The source's own error, with the number of the row. The op returns it as [`Error::Source`](crate::Error::Source). An
    /// [`Error::Feature`](crate::Error::Feature) is returned as such, with this number as its row.
    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError>;

    /// All values, row by row, if they are in memory in this form. They are then copied without a call of
    /// [`RowSource::read_rows`].
    fn as_values(&self) -> Option<&[f32]> {
        None
    }

    /// Whether the rows are in memory, so that reading them is only a copy or a conversion. On a GPU several threads then share
    /// the reads even without workers, as they share other copies.
    fn is_in_memory(&self) -> bool {
        self.as_values().is_some()
    }

    /// A name for log messages.
    fn name(&self) -> String {
        std::any::type_name::<Self>().into()
    }

    /// Whether a read that returns without an error has written every value. Sources of this crate know that they do. For all
    /// other sources NaN is written into the places first, so that a value that they leave out is not a value of an earlier
    /// batch.
    #[doc(hidden)]
    fn writes_all(&self) -> bool {
        false
    }
}

/// Implements the trait for a pointer to a source.
macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<S: RowSource + ?Sized> RowSource for $pointer {
            fn dim(&self) -> (usize, usize) {
                (**self).dim()
            }

            fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> Result<(), RowError> {
                (**self).read_rows(rows, into)
            }

            fn as_values(&self) -> Option<&[f32]> {
                (**self).as_values()
            }

            fn is_in_memory(&self) -> bool {
                (**self).is_in_memory()
            }

            fn name(&self) -> String {
                (**self).name()
            }

            fn writes_all(&self) -> bool {
                (**self).writes_all()
            }
        }
    )*};
}
pointers!(&S, Box<S>, Arc<S>);
