//! Files that NumPy and Python's safetensors wrote.

use std::fs;
use std::path::PathBuf;

use ndarray::Array2;
use wgpu_mlp::data::{
    npy_rows, open_npy, open_safetensors, read_npy, read_npy_labels, read_safetensors_labels, safetensors_rows,
};
use wgpu_mlp::source::half::{bf16, f16};

use super::foreign_files;
use super::sources::{all_rows, same_rows};

/// One of the files that `tests/data/make.py` made.
fn written(name: &str) -> PathBuf {
    foreign_files().join(name)
}

/// The array in these files, computed in f64 and rounded in this way.
fn thirds(round: impl Fn(f64) -> f32) -> Array2<f32> {
    Array2::from_shape_fn((7, 5), |(row, col)| round((5.0 * row as f64 + col as f64 - 10.0) / 3.0))
}

fn bytes() -> Array2<f32> {
    Array2::from_shape_fn((7, 5), |(row, col)| (7 * (5 * row + col)) as f32)
}

const LABELS: [i64; 7] = [0, 1, 2, 0, 1, 2, 0];

#[test]
fn arrays_of_numpy() {
    let [single, half, brain] = [
        thirds(|value| value as f32),
        thirds(|value| f16::from_f64(value).to_f32()),
        thirds(|value| bf16::from_f64(value).to_f32()),
    ];
    let column = single.column(0).to_owned().insert_axis(ndarray::Axis(1));
    for (name, want) in [
        ("f2.npy", &half),
        ("f2_big_endian.npy", &half),
        ("f4.npy", &single),
        ("f4_big_endian.npy", &single),
        ("f4_fortran.npy", &single),
        ("f8.npy", &single),
        ("f8_column.npy", &column),
        ("u1.npy", &bytes()),
        ("bfloat16.npy", &brain),
    ] {
        let path = written(name);
        assert_eq!(read_npy(&path).unwrap(), want, "{name}");
        same_rows(&npy_rows(&fs::read(&path).unwrap(), &path).unwrap(), want, name);
        match open_npy(&path) {
            Ok(rows) => same_rows(&rows, want, name),
            Err(error) => assert!(name == "f4_fortran.npy", "{error}"),
        }
    }
    for name in ["labels_i8.npy", "labels_f4.npy"] {
        assert_eq!(read_npy_labels(written(name)).unwrap(), LABELS, "{name}");
    }
}

#[test]
fn tensors_of_safetensors() {
    let path = written("tensors.safetensors");
    let file = fs::read(&path).unwrap();
    for (name, want) in [
        ("f32", thirds(|value| value as f32)),
        ("f16", thirds(|value| f16::from_f64(value).to_f32())),
        ("bf16", thirds(|value| bf16::from_f64(value).to_f32())),
        ("u8", bytes()),
    ] {
        same_rows(&open_safetensors(&path, name).unwrap(), &want, name);
        same_rows(&safetensors_rows(&file, &path, name).unwrap(), &want, name);
    }
    assert_eq!(read_safetensors_labels(&path, "labels").unwrap(), LABELS);
    assert_eq!(all_rows(&open_safetensors(&path, "labels").unwrap()), LABELS.map(|label| label as f32));
}
