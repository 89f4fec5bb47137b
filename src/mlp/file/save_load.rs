//! Saving and loading models as safetensors files, with the names and layout of PyTorch's
//! `nn.Sequential(Linear, ReLU, Linear, ...)`.

use std::io::Write;
use std::path::Path;

use super::layers::{Layer, ParametersOf, layers};
use super::written::{Written, file};
use crate::device::Device;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::{GIVEN_BYTES, replace};
use crate::layers::parameters::Parameters;
use crate::mlp::Mlp;
use crate::tensor_file::{Opened, split};
use crate::waiting::{Waiting, blocking_and_async};

impl Mlp {
    blocking_and_async! {
        /// Saves the model to a safetensors file. The tensors are `0.weight`, `0.bias`, `2.weight`, ..., each weight
        /// `outputs x inputs`, as PyTorch's `nn.Sequential(Linear, ReLU, Linear)` names and stores them. The names of the classes
        /// are saved as a text that PyTorch does not read.
        ///
        /// The file appears complete or not at all: it is written under another name in the same folder, and then renamed. The
        /// asynchronous form waits for the device without blocking the thread, and then writes the file within one poll.
        ///
        /// # Errors
        /// [`Error::File`] when the file cannot be written; as [`Matrix::to_array`](crate::Matrix::to_array).
        ///
        /// ```
        /// # use wgpu_mlp::{Device, Mlp};
        /// let path = std::env::temp_dir().join("wgpu-mlp-doc.safetensors");
        /// Mlp::new(&Device::cpu(), &[4, 3], 0)?.save(&path)?;
        /// assert_eq!(Mlp::load(&Device::cpu(), &path)?.classes(), 3);
        /// # Ok::<(), wgpu_mlp::Error>(())
        /// ```
        pub fn save, save_async(&self, path: impl AsRef<Path>) -> Result<()> = |waiting| {
            let path = path.as_ref();
            let bytes = self.bytes_by(waiting, path).await?;
            replace(path, |file| file.write_all(&bytes))
        }

        /// Returns the bytes of the safetensors file that [`Mlp::save`] writes. This is for programs that store models elsewhere,
        /// such as a page in a browser.
        ///
        /// # Errors
        /// [`Error::HostMemory`] if the host has no memory for the bytes; as [`Matrix::to_array`](crate::Matrix::to_array).
        pub fn to_bytes, to_bytes_async(&self) -> Result<Vec<u8>> = |waiting| {
            self.bytes_by(waiting, Path::new(GIVEN_BYTES)).await
        }
    }

    /// Serializes the model as a safetensors file; errors name `path`.
    async fn bytes_by(&self, waiting: Waiting, path: &Path) -> Result<Vec<u8>> {
        let mut tensors = Vec::new();
        for (index, Parameters { weights, biases }) in self.parameters_by(waiting).await?.into_iter().enumerate() {
            let (name, shape) = (|kind| format!("{}.{kind}", 2 * index), vec![weights.ncols(), weights.nrows()]);
            tensors.push(Written::f32(name("weight"), shape, weights.t())?);
            tensors.push(Written::f32(name("bias"), vec![biases.ncols()], biases.view())?);
        }
        file(path, &tensors, self.names_text())
    }

    /// Loads a model from a file of [`Mlp::save`], of PyTorch, or of [`Trainer::checkpoint`](crate::Trainer::checkpoint).
    ///
    /// From PyTorch this reads an `nn.Sequential` of `Linear` layers with ReLU between them. Modules without parameters (`ReLU`,
    /// `Dropout`, `Flatten`) may leave gaps in the numbers (`0.weight`, `3.weight`), and all names may have the same prefix
    /// (`net.0.weight`). A single layer needs no number: it may be an `nn.Linear` by itself (`weight`, `classifier.weight`).
    /// Values of F64, F16 and BF16 are converted to f32, and those beyond the largest f32 become infinite. The file does not say
    /// which activation is between the layers; this crate assumes ReLU. A checkpoint gives the model after its last epoch;
    /// [`Mlp::load_best`] gives that of its best epoch.
    ///
    /// The header is checked against the file's length and against the tensors of a model before the data are read.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Format`] when it is not a safetensors file, [`Error::Data`] for an
    /// archive of `torch.save`, [`Error::Model`] with a tensor that does not belong to a model of this shape.
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Self> {
        Self::from_file(device, path.as_ref(), ParametersOf::Model)
    }

    /// Loads the model of the best epoch from a file of [`Trainer::checkpoint`](crate::Trainer::checkpoint). These are the
    /// parameters with which the training would end now. A checkpoint has them if the options have
    /// [`EarlyStopping::restore_best`](crate::EarlyStopping::restore_best).
    ///
    /// # Errors
    /// As [`Mlp::load`]; [`Error::Model`] also for a file without the parameters of a best epoch.
    ///
    /// ```
    /// use wgpu_mlp::{Device, EarlyStopping, FitOptions, Mlp, Monitor, Trainer};
    /// let path = std::env::temp_dir().join(format!("wgpu-mlp-doc-{}.best", std::process::id()));
    /// let stopping = EarlyStopping { monitor: Monitor::Loss, ..Default::default() };
    /// let options = FitOptions { early_stopping: Some(stopping), ..Default::default() };
    /// let (mut model, x) = (Mlp::new(&Device::cpu(), &[1, 2], 0)?, ndarray::array![[0.0], [1.0]]);
    /// Trainer::new(&options).checkpoint(&path).fit(&mut model, x.view(), &[0u8, 1])?;
    /// assert_eq!(Mlp::load_best(&Device::cpu(), &path)?.parameters()?, model.parameters()?);
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn load_best(device: &Device, path: impl AsRef<Path>) -> Result<Self> {
        Self::from_file(device, path.as_ref(), ParametersOf::BestEpoch)
    }

    /// Loads a model from the bytes of a safetensors file: the bytes that [`Mlp::to_bytes`] returns, or the content of any file
    /// that [`Mlp::load`] reads, such as a checkpoint.
    ///
    /// The header is checked against the number of bytes and against the tensors of a model before the data are read.
    ///
    /// # Errors
    /// As [`Mlp::load`], except that there is no [`Error::File`]. Errors name `the given bytes` instead of a path.
    ///
    /// ```
    /// # use wgpu_mlp::{Device, Mlp};
    /// let bytes = Mlp::new(&Device::cpu(), &[4, 8, 3], 0)?.to_bytes()?;
    /// assert_eq!(Mlp::from_bytes(&Device::cpu(), &bytes)?.classes(), 3);
    /// let error = Mlp::from_bytes(&Device::cpu(), &bytes[..bytes.len() - 1]).unwrap_err();
    /// assert!(error.to_string().starts_with("the given bytes: not a safetensors file"));
    /// # Ok::<(), wgpu_mlp::Error>(())
    /// ```
    pub fn from_bytes(device: &Device, bytes: &[u8]) -> Result<Self> {
        Self::from_content(device, bytes, ParametersOf::Model)
    }

    /// Loads the model of the best epoch from the bytes of a checkpoint, as [`Mlp::load_best`] does from its file.
    ///
    /// # Errors
    /// As [`Mlp::from_bytes`]; [`Error::Model`] also for bytes without the parameters of a best epoch.
    pub fn best_from_bytes(device: &Device, bytes: &[u8]) -> Result<Self> {
        Self::from_content(device, bytes, ParametersOf::BestEpoch)
    }

    fn from_file(device: &Device, path: &Path, wanted: ParametersOf) -> Result<Self> {
        let file = Opened::open(path)?;
        let metadata = file.metadata().clone();
        let layers = layers(path, &metadata, wanted)?;
        Ok(Self::from_tensors(device, &layers, &file.data()?)?.with_names_of(path, &metadata))
    }

    fn from_content(device: &Device, bytes: &[u8], wanted: ParametersOf) -> Result<Self> {
        let path = Path::new(GIVEN_BYTES);
        let (metadata, data) = split(path, bytes)?;
        Ok(Self::from_tensors(device, &layers(path, &metadata, wanted)?, data)?.with_names_of(path, &metadata))
    }

    /// Makes the model of these layers, which a file describes, from the file's data.
    fn from_tensors(device: &Device, layers: &[Layer<'_>], data: &[u8]) -> Result<Self> {
        Self::from_host(device, layers.iter().map(|layer| layer.parameters(data)).collect::<Result<_>>()?)
    }
}
