//! Files as sources of rows: a training on each gives the bits of the array that it stands for.

use ndarray::{Array2, ArrayView2, Axis};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use wgpu_mlp::data::{Scaler, npy_rows, open_npy, open_safetensors, safetensors_rows};
use wgpu_mlp::source::half::f16;
use wgpu_mlp::source::{Multiplied, RowSource, Shards};
use wgpu_mlp::{Device, Result};

use super::sources::{exact, same_results};

/// The bytes of a `.npy` file with these values in numbers of this type, which `encode` makes of them.
fn npy<const N: usize>(descr: &str, x: ArrayView2<'_, f32>, fortran: bool, encode: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    let ((rows, cols), order) = (x.dim(), if fortran { "True" } else { "False" });
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({rows}, {cols}), }}");
    let ordered = if fortran { x.reversed_axes() } else { x };
    let data: Vec<u8> = ordered.iter().flat_map(|value| encode(*value)).collect();
    [b"\x93NUMPY\x01\x00\x76\x00", format!("{header:117}\n").as_bytes(), &data[..]].concat()
}

/// A number as float16.
fn half(value: f32) -> [u8; 2] {
    f16::from_f32(value).to_le_bytes()
}

/// Mapped and opened `.npy` and safetensors files, shards of them, and scaled rows.
pub(super) fn as_the_array(device: &Device) -> Result<()> {
    let (x, labels) = exact();
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let (singles, halves) = (npy("<f4", x.view(), false, f32::to_le_bytes), npy("<f2", x.view(), false, half));
    let (big, turned) = (npy(">f4", x.view(), false, f32::to_be_bytes), npy("<f4", x.view(), true, f32::to_le_bytes));
    let pixels = npy("|u1", x.view(), false, |value| [(8.0 * value) as u8]);
    let shape = vec![x.nrows(), x.ncols()];
    let bytes: Vec<u8> = x.iter().flat_map(|value| half(*value)).collect();
    let tensor = TensorView::new(Dtype::F16, shape, &bytes).unwrap();
    let tensors = serialize([("x", tensor)], None).unwrap();
    let (above, below) = x.view().split_at(Axis(0), 37);
    let above = written("above.npy", &npy("<f4", above, false, f32::to_le_bytes));
    let short = written("short.npy", &npy("<f2", below, false, half));
    let below = written("below.npy", &npy("<f4", below, false, f32::to_le_bytes));
    let sources: [(&str, Box<dyn RowSource + '_>); 11] = [
        ("f4", Box::new(npy_rows(&singles, "f4")?)),
        ("f2", Box::new(npy_rows(&halves, "f2")?)),
        ("f4 in big-endian order", Box::new(npy_rows(&big, "big")?)),
        ("f4 in Fortran order", Box::new(npy_rows(&turned, "turned")?)),
        ("u1 and a factor", Box::new(Multiplied::new(npy_rows(&pixels, "u1")?, 0.125))),
        ("f4, opened", Box::new(open_npy(written("f4.npy", &singles))?)),
        ("f2, opened", Box::new(open_npy(written("f2.npy", &halves))?)),
        ("a tensor of F16", Box::new(safetensors_rows(&tensors, "tensors", "x")?)),
        ("a tensor of F16, opened", Box::new(open_safetensors(written("tensors", &tensors), "x")?)),
        ("shards", Box::new(Shards::new(vec![open_npy(&above)?, open_npy(&below)?])?)),
        ("shards of two types", Box::new(Shards::new(vec![open_npy(&above)?, open_npy(&short)?])?)),
    ];
    same_results(device, &x, &labels, &sources)?;
    let bytes: [(&str, Box<dyn RowSource + '_>); 2] =
        [("u1", Box::new(npy_rows(&pixels, "u1")?)), ("u1, opened", Box::new(open_npy(written("u1.npy", &pixels))?))];
    same_results(device, &x.mapv(|value| 8.0 * value), &labels, &bytes)?;
    scaled_as_the_array(device, &x, &labels, &halves)
}

/// Rows that are scaled while they are read, of an array and of the bytes of a file.
fn scaled_as_the_array(device: &Device, x: &Array2<f32>, labels: &[u8], file: &[u8]) -> Result<()> {
    let scaler = Scaler::fit(x)?;
    let scaled: [(&str, Box<dyn RowSource + '_>); 2] = [
        ("a scaled array", Box::new(scaler.scaled(x)?)),
        ("a scaled file", Box::new(scaler.scaled(npy_rows(file, "scaled")?)?)),
    ];
    same_results(device, &scaler.transform(x.view())?, labels, &scaled)
}
