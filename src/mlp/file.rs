//! Models as safetensors files, with the names and layout of PyTorch's `nn.Sequential(Linear, ReLU, Linear, ...)`.

use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use safetensors::Dtype;
use safetensors::tensor::{TensorInfo, TensorView};

use super::header::{Opened, failed};
use super::{Mlp, Parameters};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::files::replace;

impl Mlp {
    /// Writes the parameters to a safetensors file: `0.weight`, `0.bias`, `2.weight`, ..., each weight `outputs x
    /// inputs`, as PyTorch's `nn.Sequential(Linear, ReLU, Linear)` names and lays them out.
    ///
    /// The file appears complete or not at all: it is written beside `path` and renamed.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written; as [`Matrix::to_array`](crate::Matrix::to_array).
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let path = std::env::temp_dir().join("wgpu-mlp-doc.safetensors");
    /// Mlp::new(&Device::cpu(), &[4, 3], 0)?.save(&path)?;
    /// assert_eq!(Mlp::load(&Device::cpu(), &path)?.classes(), 3);
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut tensors = Vec::new();
        for (index, Parameters { weights, biases }) in self.parameters()?.into_iter().enumerate() {
            let weights = weights.t().as_standard_layout().into_owned();
            tensors.push((format!("{}.weight", 2 * index), weights.shape().to_vec(), little_endian(weights.view())));
            tensors.push((format!("{}.bias", 2 * index), vec![biases.ncols()], little_endian(biases.view())));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|source| failed(path, source))?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let bytes = safetensors::serialize(views, None).map_err(|source| failed(path, source))?;
        replace(path, |file| file.write_all(&bytes))
    }

    /// Reads a model that [`Mlp::save`] or PyTorch has written.
    ///
    /// The header is held against the file's length, and against what a model is, before the data are read.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, [`Error::Format`] when it is not a safetensors file, [`Error::Model`]
    /// with the tensor that a model of this shape would not have.
    ///
    /// ```
    /// use wgpu_mlp::{Device, Error, Mlp};
    /// assert!(matches!(Mlp::load(&Device::cpu(), "no such file"), Err(Error::File { .. })));
    /// ```
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = Opened::open(path)?;
        let mut tensors: HashMap<_, _> = file.metadata().tensors().into_iter().collect();
        let mut parts: Vec<[Part; 2]> = Vec::new();
        while !tensors.is_empty() || parts.is_empty() {
            parts.push(next_layer(path, &mut tensors, &parts)?);
        }
        let data = file.data()?;
        let layer = |[weights, biases]: &[Part; 2]| {
            let (weights, biases) = (weights.values(path, &data)?, biases.values(path, &data)?);
            Ok(Parameters { weights: weights.t().as_standard_layout().into_owned(), biases })
        };
        Self::from_host(device, parts.iter().map(layer).collect::<Result<_>>()?)
    }
}

/// Takes the weights and biases of the layer that follows these.
fn next_layer(path: &Path, tensors: &mut HashMap<String, &TensorInfo>, before: &[[Part; 2]]) -> Result<[Part; 2]> {
    let tensor = |kind| Reader { path, name: format!("{}.{kind}", 2 * before.len()) };
    let (weight, bias) = (tensor("weight"), tensor("bias"));
    if let Some(name) = stranger(tensors, &[&weight.name, &bias.name]) {
        let rule = "does not belong; a model has 0.weight, 0.bias, 2.weight, 2.bias, ... and nothing else";
        return Reader { path, name }.refuse(rule);
    }
    let (weights, biases) = (weight.take(tensors, 2)?, bias.take(tensors, 1)?);
    if biases.cols != weights.rows {
        return bias.refuse("must have a value for each row of the weight before it");
    }
    if before.last().is_some_and(|[before, _]| before.rows != weights.cols) {
        return weight.refuse("must have a column for each output of the layer before it");
    }
    Ok([weights, biases])
}

/// The first tensor, by name, of those that are left when the next layer is not among them.
fn stranger(tensors: &HashMap<String, &TensorInfo>, next: &[&str]) -> Option<String> {
    let found = next.iter().any(|name| tensors.contains_key(*name));
    if found { None } else { tensors.keys().min().cloned() }
}

/// A matrix of a model, and where it lies in the file's data.
struct Part {
    name: String,
    rows: usize,
    cols: usize,
    place: Range<usize>,
}

impl Part {
    fn values(&self, path: &Path, data: &[u8]) -> Result<Array2<f32>> {
        let bytes = data.get(self.place.clone()).unwrap_or_default();
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let rule = "must hold as many values as its shape says";
        Array2::from_shape_vec((self.rows, self.cols), values)
            .or_else(|_| Reader { path, name: self.name.clone() }.refuse(rule))
    }
}

/// One tensor that a model file must hold.
struct Reader<'a> {
    path: &'a Path,
    name: String,
}

impl Reader<'_> {
    /// Takes the tensor out of the map, as one row where it has one dimension.
    fn take(&self, tensors: &mut HashMap<String, &TensorInfo>, dimensions: usize) -> Result<Part> {
        let Some(tensor) = tensors.remove(&self.name) else {
            return self.refuse("is missing; a model has 0.weight, 0.bias, 2.weight, 2.bias, ... and nothing else");
        };
        if tensor.dtype != Dtype::F32 {
            return self.refuse("must be of type F32");
        }
        let (rows, cols) = match tensor.shape.as_slice() {
            [cols] if dimensions == 1 => (1, *cols),
            [rows, cols] if dimensions == 2 => (*rows, *cols),
            _ if dimensions == 1 => return self.refuse("must have one dimension"),
            _ => return self.refuse("must have two dimensions"),
        };
        if rows == 0 || cols == 0 {
            return self.refuse("must not be empty");
        }
        let (start, end) = tensor.data_offsets;
        Ok(Part { name: self.name.clone(), rows, cols, place: start..end })
    }

    fn refuse<T>(&self, rule: &'static str) -> Result<T> {
        Err(Error::Model { path: self.path.into(), tensor: self.name.clone(), rule })
    }
}

fn little_endian(values: ArrayView2<'_, f32>) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
