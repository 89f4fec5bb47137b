//! Conversion of decoded columns to rows of f32.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ListArray, RecordBatch, downcast_integer};
use arrow_schema::DataType;
use num_traits::AsPrimitive;

use super::super::errors::refuse;
use super::columns::Columns;
use crate::error::{Error, ParquetError, Result};
use crate::source::f16_to_f32;

/// The place of a batch in its file.
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) group: usize,
    /// Converts a row of the batch to its row in the file.
    pub(super) row: &'a dyn Fn(usize) -> usize,
}

impl Place<'_> {
    /// The error for a value in this row of the batch.
    pub(super) fn refuse<T>(&self, row: usize, column: &str, rule: &'static str, found: String) -> Result<T> {
        let (row_group, row, column) = (self.group, (self.row)(row), column.into());
        let source = ParquetError::Value { row_group, row, column, rule, found };
        Err(Error::Format { path: self.path.into(), source: source.into() })
    }

    /// Refuses an array with a null. `row` converts the index of a value to its row of the batch.
    pub(super) fn no_null(
        &self,
        array: &dyn Array,
        column: &str,
        rule: &'static str,
        row: impl Fn(usize) -> usize,
    ) -> Result<()> {
        let null = array.nulls().and_then(|nulls| (0..nulls.len()).find(|index| nulls.is_null(*index)));
        null.map_or(Ok(()), |index| self.refuse(row(index), column, rule, "null".into()))
    }
}

impl Columns {
    /// Writes a batch's features as rows of `cols` values.
    pub(super) fn write(&self, batch: &RecordBatch, cols: usize, place: &Place<'_>, into: &mut [f32]) -> Result<()> {
        let schema = batch.schema();
        for ((index, array), (_, feature)) in batch.columns().iter().enumerate().zip(&self.features) {
            let column = schema.field(index).name();
            if self.is_list {
                return write_lists(array.as_list_opt(), column, cols, place, into);
            }
            place.no_null(array, column, "a feature must not be null", |row| row)?;
            if !write_numbers(array, into.iter_mut().skip(*feature).step_by(cols)) {
                return refuse(place.path, "features must be numbers", array.data_type().to_string());
            }
        }
        Ok(())
    }
}

/// Writes the lists of a column one after the other.
fn write_lists(
    lists: Option<&ListArray>,
    column: &str,
    length: usize,
    place: &Place<'_>,
    into: &mut [f32],
) -> Result<()> {
    let Some(lists) = lists else { return refuse(place.path, "features must be lists", "no lists".into()) };
    place.no_null(lists, column, "a list of features must not be null", |row| row)?;
    let offsets = lists.value_offsets();
    let lengths = offsets.windows(2).map(|ends| usize::try_from(ends[1] - ends[0]).unwrap_or(0));
    if let Some((row, found)) = lengths.enumerate().find(|(_, found)| *found != length) {
        let rule = "all lists must be as long as the first";
        return place.refuse(row, column, rule, format!("{found} values where {length} belong"));
    }
    let first = offsets.first().map_or(0, |first| usize::try_from(*first).unwrap_or(0));
    let values = lists.values().slice(first, lists.len() * length);
    place.no_null(&values, column, "a feature must not be null", |value| value / length.max(1))?;
    if !write_numbers(&values, into.iter_mut()) {
        return refuse(place.path, "features must be lists of numbers", lists.data_type().to_string());
    }
    Ok(())
}

/// Converts numbers to f32. Returns false if the column does not hold numbers.
fn write_numbers<'a>(array: &dyn Array, into: impl Iterator<Item = &'a mut f32>) -> bool {
    macro_rules! integers {
        ($number:ty) => {
            write_as::<$number>(array, into)
        };
    }
    downcast_integer! {
        array.data_type() => (integers),
        DataType::Boolean => {
            let Some(values) = array.as_boolean_opt() else { return false };
            into.zip(values.values()).for_each(|(into, value)| *into = f32::from(u8::from(value)));
            true
        }
        DataType::Float16 => write_halves(array, into),
        DataType::Float32 => write_as::<Float32Type>(array, into),
        DataType::Float64 => write_as::<Float64Type>(array, into),
        _ => false,
    }
}

fn write_as<'a, T: ArrowPrimitiveType<Native: AsPrimitive<f32>>>(
    array: &dyn Array,
    into: impl Iterator<Item = &'a mut f32>,
) -> bool {
    let Some(numbers) = array.as_primitive_opt::<T>() else { return false };
    into.zip(numbers.values()).for_each(|(into, number)| *into = number.as_());
    true
}

/// Converts f16 numbers as other sources do, so that the bits are the same on every processor, also for NaN.
fn write_halves<'a>(array: &dyn Array, into: impl Iterator<Item = &'a mut f32>) -> bool {
    let Some(numbers) = array.as_primitive_opt::<Float16Type>() else { return false };
    into.zip(numbers.values()).for_each(|(into, number)| *into = f16_to_f32(number.to_bits()));
    true
}
