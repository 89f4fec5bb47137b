//! Files cut short and files changed: never a panic or a hang, always rows or an error. `tests/host_memory` measures how
//! much memory they take.

use std::panic::{set_hook, take_hook};
use std::sync::Arc;
use std::thread;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float32Builder, ListBuilder};
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterPropertiesBuilder;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use wgpu_mlp::Error;
use wgpu_mlp::data::{ParquetOptions, ParquetRows};
use wgpu_mlp::source::RowSource;

use super::super::Scratch;
use super::{array, file_of, labelled, list, written};
use crate::common::full;

const CASES: u32 = 10_000;

/// For any bytes, opening and reading must give rows or an error of the file.
fn try_all(scratch: &Scratch, bytes: &[u8], options: &ParquetOptions) {
    std::fs::write(&scratch.path, bytes).unwrap();
    for cache_bytes in [usize::MAX, 0] {
        let options = ParquetOptions { cache_bytes, ..options.clone() };
        let outcome = ParquetRows::open(&scratch.path, &options).and_then(|source| {
            let (rows, cols) = source.dim();
            let wanted: Vec<_> = [0, rows / 2, rows - 1].into_iter().chain(0..rows.min(20)).collect();
            // A list may be as long as the file says, which would need too much memory for the test.
            let mut into = vec![0.0; wanted.len() * cols.min(1000)];
            if cols <= 1000 {
                let read = source.read_rows(&wanted, &mut into);
                return read.map_err(|error| *error.source.downcast::<Error>().expect("an error of the crate"));
            }
            Ok(())
        });
        let Err(error) = outcome else { continue };
        assert!(matches!(error, Error::Format { .. } | Error::Data { .. }), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{}: ", scratch.path.display())), "{error}");
    }
}

/// Files that can be read, and the rows that are read from them.
fn whole() -> Vec<(Vec<u8>, ParquetOptions)> {
    let mut lists = ListBuilder::new(Float32Builder::new());
    for row in 0..12u8 {
        lists.values().append_slice(&[f32::from(row), 0.5]);
        lists.append(true);
    }
    let lists = Arc::new(lists.finish()) as ArrayRef;
    let columns = vec![
        ("x", array((0..12).map(|row| row as f32))),
        ("y", array((0..12).map(|row| row as i64))),
        ("flag", array((0..12).map(|row| row % 3 == 0))),
        ("kind", array((0..12).map(|row| ["a", "b", "c"][row % 3]))),
    ];
    let short = |set: WriterPropertiesBuilder| set.set_max_row_group_row_count(Some(5));
    let plain = file_of(columns.clone(), short);
    let with_lists = file_of([columns.clone(), vec![("list", lists)]].concat(), short);
    let delta = file_of(columns, |set| {
        let set = set.set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
        let set = set.set_column_encoding("y".into(), Encoding::DELTA_BINARY_PACKED);
        set.set_column_encoding("kind".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
    });
    let polars = std::fs::read(written("polars.parquet")).unwrap();
    let pyarrow = std::fs::read(written("lists.parquet")).unwrap();
    vec![
        (plain, labelled("kind")),
        (with_lists, list("list")),
        (delta.clone(), labelled("kind")),
        (delta, labelled("y")),
        (polars, ParquetOptions { label: Some("kind".into()), ..list("array") }),
        (pyarrow, list("fixed16")),
    ]
}

/// Runs a property without printing this thread's panics, because those of the decoder are caught.
fn silently<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value)) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let (hook, silent) = (take_hook(), thread::current().id());
    set_hook(Box::new(move |panic| {
        if thread::current().id() != silent {
            hook(panic)
        }
    }));
    let outcome = TestRunner::new(config).run(&strategy, |value| {
        property(value);
        Ok(())
    });
    drop(take_hook());
    if let Err(TestError::Fail(reason, _)) = outcome {
        panic!("{reason}");
    }
}

#[test]
fn files_with_bytes_changed() {
    let (files, scratch) = (whole(), Scratch::new());
    for (bytes, options) in &files {
        try_all(&scratch, bytes, options);
        ParquetRows::open(&scratch.path, options).unwrap();
    }
    // Most changes go to the footer and to the pages' headers, since what lies between them is mostly values.
    let change = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    let changes = (0..files.len(), vec(change, 1..4));
    silently(CASES, changes, |(file, changes)| {
        let (bytes, options) = &files[file];
        let mut bytes = bytes.clone();
        let footer = 8 + u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
        let data = bytes.len() - footer;
        for (place, byte, in_footer) in changes {
            let place = if in_footer { data + place.index(footer) } else { place.index(data) };
            bytes[place] = byte;
        }
        try_all(&scratch, &bytes, options);
    });
}

#[test]
fn files_cut_short() {
    let (files, scratch) = (whole(), Scratch::new());
    let cases = if full() { CASES } else { 500 };
    silently(cases, (0..files.len(), any::<prop::sample::Index>()), |(file, length)| {
        let (bytes, options) = &files[file];
        std::fs::write(&scratch.path, &bytes[..length.index(bytes.len())]).unwrap();
        let error = ParquetRows::open(&scratch.path, options).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
    });
}
