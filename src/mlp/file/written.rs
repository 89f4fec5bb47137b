//! Tensors to be written, and the safetensors file that is made of them.

use std::path::Path;

use ndarray::ArrayView2;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::error::Result;
use crate::host_memory::host_room;
use crate::tensor_file::failed;

/// The op that errors about memory name.
const OP: &str = "save";

/// A tensor to be written.
pub(super) struct Written {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Written {
    /// A tensor of F32 with these values, in C order.
    pub fn f32(name: String, shape: Vec<usize>, values: ArrayView2<'_, f32>) -> Result<Self> {
        let mut bytes = host_room(OP, 1, size_of::<f32>().saturating_mul(values.len()))?;
        values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        Ok(Written { name, dtype: Dtype::F32, shape, bytes })
    }

    /// A tensor of F64 with these values.
    pub fn f64(name: &str, shape: Vec<usize>, values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Written { name: name.into(), dtype: Dtype::F64, shape, bytes }
    }
}

/// The bytes of a safetensors file with these tensors and texts; errors name `path`.
pub(super) fn file(
    path: &Path,
    tensors: &[Written],
    texts: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<Vec<u8>> {
    let views = tensors.iter().map(|tensor| {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        Ok((&tensor.name, view.map_err(|source| failed(path, source))?))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    // The crate safetensors aborts the process if it cannot allocate the file, so the memory is tried here first.
    let whole = tensors.iter().fold(0usize, |sum, tensor| sum.saturating_add(tensor.bytes.len()));
    drop(host_room::<u8>(OP, 1, whole)?);
    let mut texts = texts.into_iter().map(|(key, text)| (key.to_string(), text)).peekable();
    let texts = texts.peek().is_some().then(|| texts.collect());
    safetensors::serialize(views, texts).map_err(|source| failed(path, source))
}
