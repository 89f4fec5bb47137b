//! Arrays in files: intact files, headers with false claims, and changed files.

use std::path::Path;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use wgpu_mlp::Result;
use wgpu_mlp::data::{
    FileRows, npy_rows, open_npy, open_safetensors, read_npy, read_npy_labels, read_safetensors_labels,
    safetensors_rows,
};
use wgpu_mlp::source::RowSource;

use super::{CASES, MIB, changed, measured};

/// The result of the work, which may take eight bytes of memory for each byte of a file, because a label has eight, and one MiB
/// more.
#[track_caller]
fn within<T>(name: &str, length: usize, work: impl FnOnce() -> T) -> T {
    let (outcome, most) = measured(work);
    assert!(most <= 8 * length + MIB, "{name}: {most} bytes for a file of {length}");
    outcome
}

/// Opens a file and reads all of its rows into memory that is already allocated.
#[track_caller]
fn rows<'a>(name: &str, length: usize, open: impl FnOnce() -> Result<FileRows<'a>>) {
    let Ok(rows) = within(name, length, open) else { return };
    let (count, cols) = rows.dim();
    if cols > 0 {
        let (all, mut into) = ((0..count).collect::<Vec<_>>(), vec![0.0; count * cols]);
        within(name, length, || rows.read_rows(&all, &mut into)).unwrap();
    }
}

/// Calls all readers on these bytes, and on a file with these bytes.
#[track_caller]
fn read_all(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    let length = bytes.len();
    rows("open_npy", length, || open_npy(path));
    rows("npy_rows", length, || npy_rows(bytes, path));
    rows("open_safetensors", length, || open_safetensors(path, "x"));
    rows("safetensors_rows", length, || safetensors_rows(bytes, path, "x"));
    drop(within("read_npy", length, || read_npy(path)));
    drop(within("read_npy_labels", length, || read_npy_labels(path)));
    drop(within("read_safetensors_labels", length, || read_safetensors_labels(path, "x")));
}

/// A `.npy` file.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    [b"\x93NUMPY\x01\x00\x76\x00", format!("{header:117}\n").as_bytes(), data].concat()
}

/// A safetensors file.
fn tensor(dtype: &str, shape: &str, end: &str, data: &[u8]) -> Vec<u8> {
    let header = format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{end}]}}}}"#);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn whole_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let data = vec![0; 2 * MIB];
    let types = [("|u1", "U8", 1), ("<f2", "F16", 2), ("|V2", "BF16", 2), ("<f4", "F32", 4), ("<i8", "I64", 8)];
    for (descr, dtype, size) in types {
        for shape in [format!("({},)", data.len() / size), format!("({}, 64)", data.len() / size / 64)] {
            read_all(&folder.path().join("array"), &npy(descr, &shape, &data));
            let shape = shape.replace(",)", ")").replace('(', "[").replace(')', "]");
            read_all(&folder.path().join("tensor"), &tensor(dtype, &shape, &data.len().to_string(), &data));
        }
    }
}

#[test]
fn headers_that_lie() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let sizes = [0, 5, 1 << 20, 1 << 31, 1 << 32, 1 << 40, 1 << 58, u64::MAX];
    for (descr, dtype) in [("<f4", "F32"), ("|u1", "U8"), ("<f8", "F64")] {
        for (rows, cols) in sizes.iter().flat_map(|rows| sizes.map(|cols| (*rows, cols))) {
            read_all(&path, &npy(descr, &format!("({rows}, {cols})"), &[0; 40]));
            for end in [0, 40, rows.wrapping_mul(cols)] {
                let mut bytes = tensor(dtype, &format!("[{rows},{cols}]"), &end.to_string(), &[0; 40]);
                read_all(&path, &bytes);
                bytes[..8].copy_from_slice(&rows.to_le_bytes());
                read_all(&path, &bytes);
            }
        }
    }
}

#[test]
fn changed_files() {
    let (folder, mut rng) = (tempfile::tempdir().unwrap(), ChaCha8Rng::seed_from_u64(1));
    let path = folder.path().join("file");
    let arrays = [
        npy("<f4", "(3, 4)", &[7; 48]),
        npy(">u8", "(6,)", &[7; 48]),
        npy("<f2", "(12, 2)", &[7; 48]),
        npy("|u1", "(48,)", &[7; 48]),
    ];
    let tensors = [
        tensor("F32", "[3,4]", "48", &[7; 48]),
        tensor("I64", "[6]", "48", &[7; 48]),
        tensor("F16", "[12,2]", "48", &[7; 48]),
        tensor("U8", "[48]", "48", &[7; 48]),
    ];
    for files in [arrays, tensors] {
        for case in 0..CASES {
            read_all(&path, &changed(&files[case % files.len()], &mut rng));
        }
    }
}
