//! Only the row groups that are needed are read, when they are needed.

use std::fs;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float32Builder, ListBuilder};
use parquet::file::metadata::ParquetMetaDataReader;
use wgpu_mlp::Error;
use wgpu_mlp::data::{ParquetOptions, ParquetRows};
use wgpu_mlp::source::RowSource;

use super::super::Scratch;
use super::{array, bits, file_of, list};

/// A file of three row groups of four rows each, and the pages of the last one are invalid.
fn spoilt(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let mut bytes = file_of(columns, |set| set.set_max_row_group_row_count(Some(4)));
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes.clone())).unwrap();
    assert_eq!(metadata.num_row_groups(), 3);
    for column in metadata.row_group(2).columns() {
        let (start, length) = column.byte_range();
        bytes[start as usize..][..length as usize].fill(0xff);
    }
    bytes
}

/// Rows of two values: their number and its negative.
fn wanted(rows: &[usize]) -> Vec<u32> {
    rows.iter().flat_map(|row| [*row as f32, -(*row as f32)]).map(f32::to_bits).collect()
}

#[test]
fn a_row_group_that_is_damaged_spoils_no_other() {
    let columns = vec![("x", array((0..12).map(|row| row as f32))), ("y", array((0..12).map(|row| -f64::from(row))))];
    let mut lists = ListBuilder::new(Float32Builder::new());
    for row in 0..12u8 {
        lists.values().append_slice(&[f32::from(row), -f32::from(row)]);
        lists.append(true);
    }
    let files = [
        (spoilt(columns), ParquetOptions::default()),
        (spoilt(vec![("list", Arc::new(lists.finish()) as ArrayRef)]), list("list")),
    ];
    for (bytes, options) in &files {
        for cache_bytes in [0, usize::MAX] {
            let scratch = Scratch::new();
            let options = ParquetOptions { cache_bytes, ..options.clone() };
            let source = scratch.read(bytes, |path| ParquetRows::open(path, &options)).unwrap();
            for rows in [&[7, 0, 3, 4, 4][..], &[5], &[0, 1, 2, 3, 4, 5, 6, 7]] {
                assert_eq!(bits(&source, rows), wanted(rows), "{cache_bytes} bytes kept");
            }
            let error = source.read_rows(&[1, 9], &mut [0.0; 4]).unwrap_err();
            assert_eq!(error.row, 9);
            assert!(matches!(*error.source.downcast::<Error>().unwrap(), Error::Format { .. }));
            assert_eq!(bits(&source, &[6, 1]), wanted(&[6, 1]), "behind an error");
            // A row group that is kept is not read from the file again; the others are.
            fs::write(&scratch.path, vec![0xff; bytes.len()]).unwrap();
            let outcome = source.read_rows(&[2, 6], &mut [0.0; 4]);
            assert_eq!(outcome.is_ok(), cache_bytes > 0, "{outcome:?}");
        }
    }
}
