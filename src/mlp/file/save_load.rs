//! Saving and loading models as safetensors files, with the names and layout of PyTorch's
//! `nn.Sequential(Linear, ReLU, Linear, ...)`.

use std::io::Write;
use std::path::Path;

use ndarray::ArrayView2;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::layers::layers;
use crate::device::Device;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::replace;
use crate::layers::parameters::Parameters;
use crate::mlp::Mlp;
use crate::tensor_file::{Opened, failed};
use crate::waiting::blocking_and_async;

impl Mlp {
    blocking_and_async! {
        /// Saves the parameters to a safetensors file: `0.weight`, `0.bias`, `2.weight`, ..., each weight `outputs x
        /// inputs`, as PyTorch's `nn.Sequential(Linear, ReLU, Linear)` names and stores them.
        ///
        /// The file appears complete or not at all: it is written beside `path` and renamed. The asynchronous form
        /// waits for the device without blocking the thread, and then writes the file within one poll.
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
        pub fn save, save_async(&self, path: impl AsRef<Path>) -> Result<()> = |waiting| {
            let (path, mut tensors) = (path.as_ref(), Vec::new());
            for (index, Parameters { weights, biases }) in self.parameters_by(waiting).await?.into_iter().enumerate() {
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
    }

    /// Loads a model that [`Mlp::save`], PyTorch, or [`Trainer::checkpoint`](crate::Trainer::checkpoint) has written.
    ///
    /// From PyTorch this reads an `nn.Sequential` of `Linear` layers with ReLU between them. Modules without parameters
    /// (`ReLU`, `Dropout`, `Flatten`) may leave gaps in the numbers (`0.weight`, `3.weight`), and all names may have
    /// the same prefix (`net.0.weight`). Values of F64, F16 and BF16 become f32. The file does not tell the activation
    /// between the layers; this crate assumes ReLU. A checkpoint gives the model after its last epoch.
    ///
    /// The header is checked against the file's length and against the tensors of a model before the data are read.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read, [`Error::Format`] when it is not a safetensors file, [`Error::Model`]
    /// with the tensor that a model of this shape would not have.
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = Opened::open(path)?;
        let metadata = file.metadata().clone();
        let layers = layers(path, &metadata)?;
        let data = file.data()?;
        Self::from_host(device, layers.iter().map(|layer| layer.parameters(&data)).collect::<Result<_>>()?)
    }
}

/// The bytes of these values, in little-endian order.
fn little_endian(values: ArrayView2<'_, f32>) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
