//! Files as sources of rows: a training on each gives the bits of the array that it stands for.

#[cfg(feature = "parquet")]
mod parquet_files;

use ndarray::{Array2, ArrayView2, Axis};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use wgpu_mlp::data::{Scaler, npy_rows, open_npy, open_safetensors, safetensors_rows};
use wgpu_mlp::source::half::{bf16, f16};
use wgpu_mlp::source::{Multiplied, RowSource, Shards};
use wgpu_mlp::{Device, DeviceKind, Result};

use super::sources::{exact, same_results};

/// The bytes of a `.npy` file with these values as numbers of this type, which `encode` converts them to.
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

/// A number as bfloat16.
fn brain(value: f32) -> [u8; 2] {
    bf16::from_f32(value).to_le_bytes()
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
    scaled_as_the_array(device, &x, &labels, &halves)?;
    // The host decodes numbers, so the device makes no difference.
    if device.info().kind == DeviceKind::Cpu {
        types_as_the_array(device, &x, &labels)?;
    }
    #[cfg(feature = "parquet")]
    parquet_files::as_the_array(device, &x, &labels)?;
    Ok(())
}

/// Files of other types of numbers, in memory and opened.
fn types_as_the_array(device: &Device, x: &Array2<f32>, labels: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let files = [
        ("f8", npy("<f8", x.view(), false, |value| f64::from(value).to_le_bytes())),
        ("bfloat16", npy("|V2", x.view(), false, brain)),
        ("f2 in big-endian order", npy(">f2", x.view(), false, |value| f16::from_f32(value).to_be_bytes())),
        ("f2 in Fortran order", npy("<f2", x.view(), true, half)),
    ];
    let mut sources: Vec<(&str, Box<dyn RowSource + '_>)> = Vec::new();
    for (name, bytes) in &files {
        sources.push((*name, Box::new(npy_rows(bytes, *name)?)));
        if !name.contains("Fortran") {
            sources.push((*name, Box::new(open_npy(written(name, bytes))?)));
        }
    }
    let singles: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
    let brains: Vec<u8> = x.iter().flat_map(|value| brain(*value)).collect();
    let pixels: Vec<u8> = x.iter().map(|value| (8.0 * value) as u8).collect();
    let types = [("F32", Dtype::F32, &singles), ("BF16", Dtype::BF16, &brains), ("U8", Dtype::U8, &pixels)];
    let shape = vec![x.nrows(), x.ncols()];
    let tensors = types.map(|(name, dtype, bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    let path = written("tensors", &serialize(tensors, None).unwrap());
    sources.push(("a tensor of F32, opened", Box::new(open_safetensors(&path, "F32")?)));
    sources.push(("a tensor of BF16, opened", Box::new(open_safetensors(&path, "BF16")?)));
    sources.push(("a tensor of U8 and a factor", Box::new(Multiplied::new(open_safetensors(&path, "U8")?, 0.125))));
    same_results(device, x, labels, &sources)
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
