//! Parquet files as sources of rows: a training on each gives the bits of the array that it stands for.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use ndarray::{Array2, Axis};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use wgpu_mlp::data::{ParquetFeatures, ParquetOptions, ParquetRows};
use wgpu_mlp::source::RowSource;
use wgpu_mlp::{Device, DeviceKind, Result};

use super::super::sources::same_results;

/// A file of these columns, in row groups of twenty rows.
fn file_of(columns: Vec<(String, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(20)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Columns and lists, of which nothing, one row group or everything is kept, and shards of columns.
pub(super) fn as_the_array(device: &Device, x: &Array2<f32>, labels: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, columns: Vec<(String, ArrayRef)>| {
        let path = folder.path().join(name);
        std::fs::write(&path, file_of(columns)).unwrap();
        path
    };
    let columns = |x: ndarray::ArrayView2<'_, f32>| {
        let column = |index| (format!("x{index}"), Arc::new(Float32Array::from(x.column(index).to_vec())) as ArrayRef);
        (0..x.ncols()).map(column).collect::<Vec<_>>()
    };
    let mut lists = ListBuilder::new(Float64Builder::new());
    for row in x.rows() {
        row.iter().for_each(|value| lists.values().append_value(f64::from(*value)));
        lists.append(true);
    }
    let lists = written("lists", vec![("x".into(), Arc::new(lists.finish()) as ArrayRef)]);
    let plain = written("columns", columns(x.view()));
    let (above, below) = x.view().split_at(Axis(0), 37);
    let shards = [written("above", columns(above)), written("below", columns(below))];
    let mut sources: Vec<(&str, Box<dyn RowSource>)> = Vec::new();
    // The cache is in host memory, so the device makes no difference.
    let caches = if device.info().kind == DeviceKind::Cpu { vec![0, 20 * 4 * 4, usize::MAX] } else { vec![0] };
    for cache_bytes in caches {
        let options = ParquetOptions { cache_bytes, ..Default::default() };
        sources.push(("columns", Box::new(ParquetRows::open(&plain, &options)?)));
        sources.push(("shards", Box::new(ParquetRows::open_shards(&shards, &options)?)));
        let options = ParquetOptions { features: ParquetFeatures::List("x".into()), ..options };
        sources.push(("lists", Box::new(ParquetRows::open(&lists, &options)?)));
    }
    same_results(device, x, labels, &sources)
}
