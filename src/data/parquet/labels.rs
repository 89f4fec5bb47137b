//! Labels of a Parquet file. They are read row group by row group.

use std::fmt::Display;
use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch, downcast_integer};
use arrow_schema::{DataType, Field};

use super::super::classes::Classes;
use super::super::errors::{refuse, shown};
use super::super::labels::{TOO_LARGE, whole};
use super::convert::Place;
use super::reader::{Reader, Wish};
use crate::error::{Error, Result};
use crate::host_memory::{host_room, no_room};

/// The number of rows whose labels are decoded at once.
const BATCH: usize = 8192;
/// The op that errors about options and memory name.
const OP: &str = "ParquetRows::open";

/// Reads the labels in this column. Also returns the classes if the labels are strings.
pub(super) fn read_labels(
    reader: &Reader,
    column: usize,
    field: &Field,
    classes: &[String],
) -> Result<(Vec<i64>, Vec<String>)> {
    if *field.data_type() == DataType::Utf8 {
        let (mut known, mut labels) = (Classes::new(OP, classes)?, Vec::new());
        read(reader, column, |batch, place| add_names(batch, place, &mut known, &mut labels))?;
        let classes = known.finish(classes, &mut labels);
        let mut ids = host_room::<i64>(OP, labels.len(), 1)?;
        ids.extend(labels.into_iter().map(i64::from));
        return Ok((ids, classes));
    }
    let floats = field.data_type().is_floating();
    if !floats && !field.data_type().is_integer() && *field.data_type() != DataType::Boolean {
        let rule = "labels must be integers, floats that are whole numbers, booleans or strings";
        return refuse(&reader.path, rule, format!("column {:?} of type {}", field.name(), field.data_type()));
    }
    if !classes.is_empty() {
        let rule = "classes are for labels that are strings; numbers come back as they are";
        return Err(Error::Combination { op: OP, rule });
    }
    let mut labels = Vec::new();
    read(reader, column, |batch, place| match floats {
        true => add_floats(batch, place, &mut labels),
        false => add_integers(batch, place, &mut labels),
    })?;
    Ok((labels, Vec::new()))
}

/// Reads a column batch by batch, and calls `take` with each batch.
fn read(reader: &Reader, column: usize, mut take: impl FnMut(&RecordBatch, &Place<'_>) -> Result<()>) -> Result<()> {
    let mut first = 0;
    for (group, rows) in reader.rows().iter().enumerate() {
        let mut read = 0;
        let wish = Wish { group, columns: &[column], batch: BATCH, selection: None };
        reader.read(wish, |batch| {
            let row = |row| first + read + row;
            let place = Place { path: &reader.path, group, row: &row };
            if let (Some(labels), Some(field)) = (batch.columns().first(), batch.schema().fields().first()) {
                place.no_null(labels, field.name(), "a label must not be null", |row| row)?;
            }
            take(&batch, &place)?;
            read += batch.num_rows();
            Ok(ControlFlow::Continue(()))
        })?;
        reader.check_rows(group, read)?;
        first += rows;
    }
    Ok(())
}

/// Allocates room for the labels of a batch. A few bytes of a file may stand for any number of equal labels.
fn make_room<T>(batch: &RecordBatch, labels: &mut Vec<T>) -> Result<()> {
    let rows = labels.len().saturating_add(batch.num_rows());
    labels.try_reserve(batch.num_rows()).map_err(|_| no_room::<T>(OP, rows, 1))
}

/// Appends labels that are integers or booleans.
fn add_integers(batch: &RecordBatch, place: &Place<'_>, labels: &mut Vec<i64>) -> Result<()> {
    make_room(batch, labels)?;
    let array = batch.column(0);
    if let Some(values) = array.as_boolean_opt() {
        labels.extend(values.values().iter().map(i64::from));
        return Ok(());
    }
    macro_rules! integers {
        ($number:ty) => {
            add_as::<$number>(batch, place, labels)
        };
    }
    downcast_integer! {
        array.data_type() => (integers),
        _ => refuse(place.path, "labels must be integers", array.data_type().to_string()),
    }
}

fn add_as<T: ArrowPrimitiveType<Native: TryInto<i64> + Display>>(
    batch: &RecordBatch,
    place: &Place<'_>,
    labels: &mut Vec<i64>,
) -> Result<()> {
    let values: &[T::Native] = batch.column(0).as_primitive_opt::<T>().map_or(&[], |values| values.values());
    for (row, value) in values.iter().enumerate() {
        let Ok(label) = TryInto::<i64>::try_into(*value) else {
            return place.refuse(row, batch.schema().field(0).name(), TOO_LARGE, value.to_string());
        };
        labels.push(label);
    }
    Ok(())
}

/// Appends labels that are floats. They must be whole numbers.
fn add_floats(batch: &RecordBatch, place: &Place<'_>, labels: &mut Vec<i64>) -> Result<()> {
    make_room(batch, labels)?;
    let array = batch.column(0);
    let values = match array.data_type() {
        DataType::Float16 => doubles::<Float16Type>(array),
        DataType::Float32 => doubles::<Float32Type>(array),
        DataType::Float64 => doubles::<Float64Type>(array),
        _ => None,
    };
    let Some(values) = values else {
        return refuse(place.path, "labels must be floats", array.data_type().to_string());
    };
    for (row, value) in values.into_iter().enumerate() {
        match whole(value) {
            Ok(label) => labels.push(label),
            Err(rule) => return place.refuse(row, batch.schema().field(0).name(), rule, format!("{value:?}")),
        }
    }
    Ok(())
}

fn doubles<T: ArrowPrimitiveType<Native: Into<f64>>>(array: &dyn Array) -> Option<Vec<f64>> {
    let values = array.as_primitive_opt::<T>()?;
    Some(values.values().iter().map(|label| (*label).into()).collect())
}

/// Appends the class ids of labels that are strings.
fn add_names(batch: &RecordBatch, place: &Place<'_>, classes: &mut Classes, labels: &mut Vec<u32>) -> Result<()> {
    make_room(batch, labels)?;
    let Some(values) = batch.column(0).as_string_opt::<i32>() else {
        return refuse(place.path, "labels must be strings", batch.column(0).data_type().to_string());
    };
    for row in 0..values.len() {
        let label = values.value(row);
        let Some(id) = classes.id(label) else {
            let (schema, rule) = (batch.schema(), "the label must be one of the classes asked for");
            return place.refuse(row, schema.field(0).name(), rule, shown(label.as_bytes()));
        };
        labels.push(id);
    }
    Ok(())
}
