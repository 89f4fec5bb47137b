//! Parquet files: the bits of the arrays that they stand for, in any order; damaged files and values that are not numbers are
//! refused.

mod broken;
mod errors;
mod foreign;
mod groups;
mod shards;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use wgpu_mlp::data::{ParquetFeatures, ParquetOptions, ParquetRows};
use wgpu_mlp::source::RowSource;

/// The formula of `tests/data/make_parquet.py`.
fn value(row: usize, column: usize) -> f32 {
    ((7 * row + 3 * column) % 23) as f32
}

/// One of the files that `tests/data/make_parquet.py` made.
fn written(name: &str) -> PathBuf {
    super::foreign_files().join("parquet").join(name)
}

fn list(name: &str) -> ParquetOptions {
    ParquetOptions { features: ParquetFeatures::List(name.into()), ..Default::default() }
}

fn columns(names: &[&str]) -> ParquetOptions {
    let names = names.iter().map(|name| (*name).into()).collect();
    ParquetOptions { features: ParquetFeatures::Columns(names), ..Default::default() }
}

fn labelled(label: &str) -> ParquetOptions {
    ParquetOptions { label: Some(label.into()), ..Default::default() }
}

/// A Parquet file of these columns.
fn file_of(
    columns: Vec<(&str, ArrayRef)>,
    set: impl Fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder,
) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = set(WriterProperties::builder()).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// A column of numbers.
fn array<T>(values: impl IntoIterator<Item = T>) -> ArrayRef
where
    Vec<T>: IntoArray,
{
    values.into_iter().collect::<Vec<_>>().into_array()
}

/// Numbers as an array of their type.
trait IntoArray {
    fn into_array(self) -> ArrayRef;
}

macro_rules! into_array {
    ($($number:ty => $array:ident),*) => {$(
        impl IntoArray for Vec<$number> {
            fn into_array(self) -> ArrayRef {
                Arc::new(arrow_array::$array::from(self))
            }
        }
    )*};
}
into_array!(
    bool => BooleanArray, i8 => Int8Array, i16 => Int16Array, i32 => Int32Array, i64 => Int64Array, u8 => UInt8Array,
    u16 => UInt16Array, u32 => UInt32Array, u64 => UInt64Array, half::f16 => Float16Array, f32 => Float32Array,
    f64 => Float64Array, &str => StringArray, Option<f32> => Float32Array
);

/// These rows, as bits.
#[track_caller]
fn bits(source: &ParquetRows, rows: &[usize]) -> Vec<u32> {
    let mut values = vec![0.5; rows.len() * source.dim().1];
    source.read_rows(rows, &mut values).unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// All rows.
#[track_caller]
fn all(source: &ParquetRows) -> Vec<f32> {
    let rows: Vec<_> = (0..source.dim().0).collect();
    bits(source, &rows).into_iter().map(f32::from_bits).collect()
}
