//! Models as safetensors files, with the names and layout of PyTorch's `nn.Sequential(Linear, ReLU, Linear, ...)`.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use ndarray::{Array2, ArrayView2};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::{Mlp, Parameters};
use crate::device::Device;
use crate::error::{Error, Result};

impl Mlp {
    /// Writes the parameters to a safetensors file: `0.weight`, `0.bias`, `2.weight`, ..., each weight `outputs x
    /// inputs`, as PyTorch's `nn.Sequential(Linear, ReLU, Linear)` names and lays them out.
    ///
    /// The file appears complete or not at all: it is written beside `path` and renamed.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written; as [`Matrix::to_array`].
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
        replace(path, &bytes).map_err(|source| Error::File { path: path.into(), source })
    }

    /// Reads a model that [`Mlp::save`] or PyTorch has written.
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
        let bytes = std::fs::read(path).map_err(|source| Error::File { path: path.into(), source })?;
        let file = SafeTensors::deserialize(&bytes).map_err(|source| failed(path, source))?;
        let mut tensors: HashMap<_, _> = file.iter().collect();
        let mut layers: Vec<Parameters> = Vec::new();
        while !tensors.is_empty() || layers.is_empty() {
            layers.push(next_layer(path, &mut tensors, &layers)?);
        }
        Self::from_host(device, layers)
    }
}

/// Takes the tensors of the layer that follows these.
fn next_layer(path: &Path, tensors: &mut HashMap<&str, TensorView<'_>>, layers: &[Parameters]) -> Result<Parameters> {
    let tensor = |kind| Reader { path, name: format!("{}.{kind}", 2 * layers.len()) };
    let (weight, bias) = (tensor("weight"), tensor("bias"));
    if let Some(name) = stranger(tensors, &[&weight.name, &bias.name]) {
        let rule = "does not belong; a model has 0.weight, 0.bias, 2.weight, 2.bias, ... and nothing else";
        return Reader { path, name }.refuse(rule);
    }
    let (weights, biases) = (weight.take(tensors, 2)?, bias.take(tensors, 1)?);
    if biases.ncols() != weights.nrows() {
        return bias.refuse("must have a value for each row of the weight before it");
    }
    if layers.last().is_some_and(|before| before.weights.ncols() != weights.ncols()) {
        return weight.refuse("must have a column for each output of the layer before it");
    }
    Ok(Parameters { weights: weights.t().as_standard_layout().into_owned(), biases })
}

/// The first tensor, by name, of those that are left when the next layer is not among them.
fn stranger(tensors: &HashMap<&str, TensorView<'_>>, next: &[&str]) -> Option<String> {
    let found = next.iter().any(|name| tensors.contains_key(name));
    if found { None } else { tensors.keys().min().map(|name| (*name).into()) }
}

/// Puts a file in place whole: written beside it first, under a name of its own, then renamed over it.
///
/// Not through a crate for temporary files: those are readable by their owner alone, a model should be as any new file.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_string_lossy();
    let unique = format!(".{name}.{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let beside = path.with_file_name(unique);
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        // The error that counts is the one above.
        let _ = std::fs::remove_file(&beside);
    }
    placed
}

/// One tensor that a model file must hold.
struct Reader<'a> {
    path: &'a Path,
    name: String,
}

impl Reader<'_> {
    /// Takes the tensor out of the map, as one row where it has one dimension.
    fn take(&self, tensors: &mut HashMap<&str, TensorView<'_>>, dimensions: usize) -> Result<Array2<f32>> {
        let Some(tensor) = tensors.remove(self.name.as_str()) else {
            return self.refuse("is missing; a model has 0.weight, 0.bias, 2.weight, 2.bias, ... and nothing else");
        };
        if tensor.dtype() != Dtype::F32 {
            return self.refuse("must be of type F32");
        }
        let (rows, cols) = match tensor.shape() {
            [cols] if dimensions == 1 => (1, *cols),
            [rows, cols] if dimensions == 2 => (*rows, *cols),
            _ if dimensions == 1 => return self.refuse("must have one dimension"),
            _ => return self.refuse("must have two dimensions"),
        };
        if rows == 0 || cols == 0 {
            return self.refuse("must not be empty");
        }
        let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Array2::from_shape_vec((rows, cols), values)
            .or_else(|_| self.refuse("must hold as many values as its shape says"))
    }

    fn refuse<T>(&self, rule: &'static str) -> Result<T> {
        Err(Error::Model { path: self.path.into(), tensor: self.name.clone(), rule })
    }
}

fn little_endian(values: ArrayView2<'_, f32>) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn failed(path: &Path, source: SafeTensorError) -> Error {
    Error::Format { path: path.into(), source }
}
