//! Sources of broken files: never a panic, always rows or an error with the file's name. `tests/host_memory` measures
//! how much memory they take.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use wgpu_mlp::Error;
use wgpu_mlp::data::{
    FileRows, npy_rows, open_npy, open_safetensors, read_npy_labels, read_safetensors_labels, safetensors_rows,
};
use wgpu_mlp::source::RowSource;

use super::Scratch;
use super::npy::npy;
use super::sources::all_rows;

const CASES: u32 = 10_000;

/// An error must be an error of a file, and name the file.
fn check(path: &Path, error: &Error) {
    assert!(matches!(error, Error::Data { .. } | Error::Format { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
}

/// A source must not claim more rows and columns than the file has bytes for, and must be able to read them.
fn read(path: &Path, bytes: &[u8], rows: Result<FileRows<'_>, Error>) {
    match rows {
        Ok(rows) => {
            let (count, cols) = rows.dim();
            assert!(count * cols <= bytes.len(), "{count}x{cols} in {} bytes", bytes.len());
            if cols > 0 && count > 0 {
                all_rows(&rows);
                assert!(rows.read_rows(&[count], &mut vec![0.0; cols]).is_err());
            }
        }
        Err(error) => check(path, &error),
    }
}

/// Calls all readers on these bytes, and on a file with these bytes.
fn try_all(scratch: &Scratch, bytes: &[u8]) {
    let path = &scratch.path;
    std::fs::write(path, bytes).unwrap();
    read(path, bytes, open_npy(path));
    read(path, bytes, npy_rows(bytes, path));
    read(path, bytes, open_safetensors(path, "x"));
    read(path, bytes, safetensors_rows(bytes, path, "x"));
    for labels in [read_npy_labels(path), read_safetensors_labels(path, "x")] {
        match labels {
            Ok(labels) => assert!(labels.len() <= bytes.len()),
            Err(error) => check(path, &error),
        }
    }
}

/// A safetensors file with this header.
fn tensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn tensor(dtype: &str, shape: &str, end: usize) -> String {
    format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#)
}

/// A `.npy` file that can be read.
fn array() -> impl Strategy<Value = Vec<u8>> {
    let types = prop::sample::select(vec!["<f4", ">f8", "<f2", ">f2", "<V2", "|u1", ">i4", "<u8", "|b1"]);
    let shapes = prop::sample::select(vec![("(3, 4)", 12), ("(6,)", 6), ("(1, 5)", 5), ("(5, 1)", 5), ("(0, 3)", 0)]);
    (types, any::<bool>(), shapes, vec(any::<u8>(), 96)).prop_map(|(descr, fortran, (shape, count), data)| {
        let order = if fortran { "True" } else { "False" };
        let size = usize::from(descr.as_bytes()[2] - b'0');
        npy(&format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"), &data[..count * size])
    })
}

/// A safetensors file that can be read.
fn tensor_file() -> impl Strategy<Value = Vec<u8>> {
    let types = [("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("I32", 4), ("U8", 1), ("BOOL", 1)];
    let shapes = prop::sample::select(vec![("[3,4]", 12), ("[6]", 6), ("[5,1]", 5), ("[0,3]", 0)]);
    (prop::sample::select(types.to_vec()), shapes, vec(any::<u8>(), 96)).prop_map(
        |((dtype, size), (shape, count), data)| tensors(&tensor(dtype, shape, count * size), &data[..count * size]),
    )
}

/// Changes some bytes, and cuts the file short or adds bytes.
fn broken(mut bytes: Vec<u8>, changes: &[(Index, u8)], length: Option<Index>, more: &[u8]) -> Vec<u8> {
    for (place, byte) in changes {
        let place = place.index(bytes.len());
        bytes[place] = *byte;
    }
    if let Some(length) = length {
        bytes.truncate(length.index(bytes.len()));
    }
    bytes.extend(more);
    bytes
}

/// The numbers of headers with false claims: small ones, and numbers too large for any machine.
fn size() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..9u64).prop_map(|size| size.to_string()),
        any::<u64>().prop_map(|size| size.to_string()),
        (0..64u32).prop_map(|bits| (1u64 << bits).to_string()),
        (0..64u32).prop_map(|bits| (u64::MAX >> bits).to_string()),
        prop::sample::select(vec!["-1", "1.5", "1e9", "18446744073709551616", "true", "[]"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_arrays(
        bytes in array(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        length in any::<Option<Index>>(),
        more in vec(any::<u8>(), 0..3),
    ) {
        try_all(&Scratch::new(), &broken(bytes, &changes, length, &more));
    }

    #[test]
    fn changed_tensors(
        bytes in tensor_file(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        length in any::<Option<Index>>(),
        more in vec(any::<u8>(), 0..3),
    ) {
        try_all(&Scratch::new(), &broken(bytes, &changes, length, &more));
    }

    #[test]
    fn headers_that_lie(rows in size(), cols in size(), end in size(), dtype in 0..4usize, data in vec(any::<u8>(), 0..40)) {
        let scratch = Scratch::new();
        let (npy_type, tensor_type) = [("<f4", "F32"), ("<f2", "F16"), ("|u1", "U8"), ("<f8", "F64")][dtype];
        let header = format!("{{'descr': '{npy_type}', 'fortran_order': False, 'shape': ({rows}, {cols})}}");
        try_all(&scratch, &npy(&header, &data));
        let header = format!(r#"{{"x":{{"dtype":"{tensor_type}","shape":[{rows},{cols}],"data_offsets":[0,{end}]}}}}"#);
        try_all(&scratch, &tensors(&header, &data));
        let bytes = tensors(&header, &data);
        let length = end.parse::<u64>().unwrap_or(7);
        try_all(&scratch, &[&length.to_le_bytes()[..], &bytes[8..]].concat());
    }
}
