//! Models as safetensors files, with the names and layout of PyTorch's `nn.Sequential(Linear, ReLU, Linear, ...)`.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array2, ArrayView2};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::Mlp;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::layers::Dense;
use crate::matrix::Matrix;

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
        for (index, layer) in self.layers.iter().enumerate() {
            let weights = layer.weights().to_array()?.t().as_standard_layout().into_owned();
            tensors.push((format!("{}.weight", 2 * index), weights.shape().to_vec(), little_endian(weights.view())));
            let biases = layer.biases().to_array()?;
            tensors.push((format!("{}.bias", 2 * index), vec![biases.ncols()], little_endian(biases.view())));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|source| failed(path, source))?))
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        safetensors::serialize_to_file(views, None, path).map_err(|source| failed(path, source))
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
        let mut layers: Vec<Dense> = Vec::new();
        while !tensors.is_empty() || layers.is_empty() {
            let weights = Reader { path, name: format!("{}.weight", 2 * layers.len()) }.take(&mut tensors, 2)?;
            let biases = Reader { path, name: format!("{}.bias", 2 * layers.len()) };
            let expected = weights.nrows();
            let values = biases.take(&mut tensors, 1)?;
            if values.ncols() != expected {
                return biases.refuse("must have a value for each row of the weight before it");
            }
            if layers.last().is_some_and(|before| before.weights().cols() != weights.ncols()) {
                let name = format!("{}.weight", 2 * layers.len());
                return Reader { path, name }.refuse("must have a column for each output of the layer before it");
            }
            let weights = Matrix::from_array(device, weights.t())?;
            layers.push(Dense::from_parameters(weights, Matrix::from_array(device, values.view())?)?);
        }
        Self::from_layers(device, layers)
    }
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
    match source {
        SafeTensorError::IoError(source) => Error::File { path: path.into(), source },
        source => Error::Format { path: path.into(), source },
    }
}
