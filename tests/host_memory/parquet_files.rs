//! Damaged Parquet files, and labels that need more memory than is available.

use std::panic::{set_hook, take_hook};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterProperties;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgpu_mlp::Error;
use wgpu_mlp::data::{ParquetOptions, ParquetRows};
use wgpu_mlp::source::RowSource;

use super::{CASES, MIB, changed, limited, measured};

/// The memory in bytes that a byte of the files below may need. A byte of a footer stands for at most one element of a list,
/// which takes some hundreds of bytes in memory; a byte of a page stands for 22 with Snappy.
const FACTOR: usize = 512;
/// A constant amount in addition: some thousands of rows are decoded at a time, with up to five columns.
const ON_TOP: usize = 4 * MIB;

/// A file of twelve rows with a column of each kind.
fn file(properties: WriterProperties) -> Vec<u8> {
    let columns: [(&str, ArrayRef); 4] = [
        ("x", Arc::new(Float64Array::from_iter_values((0..12u8).map(f64::from)))),
        ("y", Arc::new(Int64Array::from_iter_values(0..12))),
        ("flag", Arc::new(BooleanArray::from(vec![true; 12]))),
        ("label", Arc::new(StringArray::from_iter_values((0..12).map(|row| ["a", "b", "c"][row % 3])))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The description of the first changed file that takes more memory than it may.
fn first_beyond(files: &[Vec<u8>]) -> Option<String> {
    let (folder, mut rng) = (tempfile::tempdir().unwrap(), ChaCha8Rng::seed_from_u64(1));
    let path = folder.path().join("file.parquet");
    for case in 0..CASES {
        let bytes = changed(&files[case % files.len()], &mut rng);
        std::fs::write(&path, &bytes).unwrap();
        let cache_bytes = if rng.random_range(0..2) == 0 { 0 } else { usize::MAX };
        let options = ParquetOptions { label: Some("label".into()), cache_bytes, ..Default::default() };
        let mut into = [0.0; 36];
        let (_, most) = measured(|| {
            let Ok(source) = ParquetRows::open(&path, &options) else { return };
            let (rows, cols) = source.dim();
            let wanted: Vec<_> = (0..rows.min(12)).collect();
            drop(into.get_mut(..wanted.len() * cols).map(|into| source.read_rows(&wanted, into)));
        });
        if most > FACTOR * bytes.len() + ON_TOP {
            return Some(format!("case {case}: {most} bytes for a file of {}", bytes.len()));
        }
    }
    None
}

#[test]
fn changed_parquet_files() {
    let short = || WriterProperties::builder().set_max_row_group_row_count(Some(5));
    let delta = short().set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
    let delta = delta.set_column_encoding("y".into(), Encoding::DELTA_BINARY_PACKED);
    let delta = delta.set_column_encoding("label".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    let files = [file(short().build()), file(delta.build())];
    // The decoder's panics are caught, and print nothing meanwhile, because a backtrace would take memory too.
    let (hook, silent) = (take_hook(), thread::current().id());
    set_hook(Box::new(move |panic| {
        if thread::current().id() != silent {
            hook(panic)
        }
    }));
    let beyond = first_beyond(&files);
    drop(take_hook());
    assert_eq!(beyond, None);
}

/// Equal values: a file stores any number of them in few bytes.
const ROWS: usize = 1_100_000;

/// Writes a file of numbers and labels.
fn write(path: &Path, label: ArrayRef) {
    let kind = label.data_type().clone();
    let x: ArrayRef = Arc::new(Float64Array::from_value(0.5, ROWS));
    let batch = RecordBatch::try_from_iter([("x", x), ("label", label)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    assert!(bytes.len() < 1 << 18, "{kind}: {} bytes", bytes.len());
    std::fs::write(path, bytes).unwrap();
}

fn names() -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..ROWS).map(|_| "rose")))
}

#[test]
fn labels_without_end() {
    let labels: [ArrayRef; 5] = [
        Arc::new(Int64Array::from_value(7, ROWS)),
        Arc::new(UInt64Array::from_value(7, ROWS)),
        Arc::new(Float64Array::from_value(7.0, ROWS)),
        Arc::new(BooleanArray::from(vec![true; ROWS])),
        names(),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    let options = ParquetOptions { label: Some("label".into()), ..Default::default() };
    for label in labels {
        let kind = label.data_type().clone();
        write(&path, label);
        let error = limited(4 << 20, || ParquetRows::open(&path, &options)).unwrap_err();
        assert!(matches!(error, Error::HostMemory { op: "ParquetRows::open", .. }), "{kind}: {error:?}");
    }
}

/// There is memory for the ids of four bytes, whose list grows as rows are read, but not for the labels that are made from
/// them.
#[test]
fn labels_of_names_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.parquet");
    write(&path, names());
    let options = ParquetOptions { label: Some("label".into()), ..Default::default() };
    let error = limited(15 << 20, || ParquetRows::open(&path, &options)).unwrap_err();
    let Error::HostMemory { op: "ParquetRows::open", shape, bytes } = error else { panic!("{error:?}") };
    assert_eq!((shape.rows, bytes), (ROWS, 8 * ROWS as u64));
}

#[test]
fn features_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.parquet");
    write(&path, names());
    let read = |cache_bytes: usize| {
        let source = ParquetRows::open(&path, &ParquetOptions { cache_bytes, ..Default::default() }).unwrap();
        let mut into = [0.0; 2];
        limited(4 << 20, || source.read_rows(&[3, ROWS - 1], &mut into)).map(|()| into)
    };
    // A row group that the cache keeps is decoded as a whole, any other batch by batch.
    let error = *read(usize::MAX).unwrap_err().source.downcast::<Error>().unwrap();
    assert!(matches!(error, Error::HostMemory { op: "ParquetRows", .. }), "{error:?}");
    assert_eq!(read(0).unwrap(), [0.5; 2]);
}
