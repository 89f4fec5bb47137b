//! Tensors of safetensors files as sources of rows, and as labels.

use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype as Stored;
use safetensors::tensor::Metadata;

use super::file_rows::FileRows;
use super::store::Store;
use crate::data::decode::{doubles, integers};
use crate::data::dtype::Dtype;
use crate::data::errors::{refuse, shown};
use crate::data::labels;
use crate::data::layout::Layout;
use crate::data::positioned::Positioned;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::tensor_file::{Opened, split};

/// The maximal number of tensor names that an error lists.
const NAMES: usize = 8;

/// Opens a tensor of a safetensors file as a source. Rows are read from the disk when they are needed, and converted to f32.
/// Errors of rows are those of [`open_npy`](super::open_npy).
///
/// The tensor has two dimensions, or one, which becomes a column. Of a tensor with more dimensions, such as images of
/// N x 1 x 28 x 28, all but the first are joined, as by PyTorch's `nn.Flatten`. Its type may be floats of 2, 4 and 8 bytes, BF16,
/// integers of 1 to 8 bytes, or BOOL.
///
/// # Errors
/// [`Error::File`] when the file cannot be read, [`Error::Format`] when it is not a safetensors file; [`Error::Data`] when it has
/// no tensor of this name (the error lists the names), when the tensor has another type or shape, and for a pipe.
///
/// ```
/// use safetensors::Dtype::F32;
/// use safetensors::tensor::TensorView;
/// use wgpu_mlp::data::open_safetensors;
/// use wgpu_mlp::source::RowSource;
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-open.safetensors");
/// let bytes: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
/// let file = safetensors::serialize([("features", TensorView::new(F32, vec![2, 2], &bytes)?)], None)?;
/// std::fs::write(&path, file)?;
///
/// let mut row = [0.0; 2];
/// open_safetensors(&path, "features")?.read_rows(&[1], &mut row).unwrap();
/// assert_eq!(row, [3.0, 4.0]);
/// let error = open_safetensors(&path, "images").unwrap_err();
/// assert!(error.to_string().ends_with("the file must have the tensor; got no \"images\" among \"features\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_safetensors(path: impl AsRef<Path>, tensor: &str) -> Result<FileRows<'static>> {
    let path = path.as_ref();
    let (layout, store) = open(path, tensor)?;
    Ok(FileRows::new(path, layout, store))
}

/// The rows of a tensor in the bytes of a safetensors file as a source, for example of a mapped file. Errors name `path`. The
/// bytes need not be aligned.
///
/// # Errors
/// As [`open_safetensors`].
///
/// ```
/// use safetensors::Dtype::U8;
/// use safetensors::tensor::TensorView;
/// use wgpu_mlp::data::safetensors_rows;
/// use wgpu_mlp::source::RowSource;
/// let tensors = [("images", TensorView::new(U8, vec![2, 3], &[0, 1, 2, 253, 254, 255])?)];
/// let bytes = safetensors::serialize(tensors, None)?;
/// assert_eq!(safetensors_rows(&bytes, "images.safetensors", "images")?.dim(), (2, 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn safetensors_rows<'a>(bytes: &'a [u8], path: impl AsRef<Path>, tensor: &str) -> Result<FileRows<'a>> {
    let path = path.as_ref();
    let (layout, store) = within(path, bytes, tensor)?;
    Ok(FileRows::new(path, layout, store))
}

/// Reads class ids from a tensor of a safetensors file. The tensor has one dimension or a single column, of integers of any size,
/// BOOL, or floats that are whole numbers.
///
/// # Errors
/// As [`open_safetensors`]; [`Error::Data`] also for several columns, and with the first row whose label is not a whole number or
/// does not fit into i64.
///
/// ```
/// use safetensors::Dtype::I32;
/// use safetensors::tensor::TensorView;
/// use wgpu_mlp::data::read_safetensors_labels;
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-labels.safetensors");
/// let bytes: Vec<u8> = [7i32, 0, 2].iter().flat_map(|label| label.to_le_bytes()).collect();
/// std::fs::write(&path, safetensors::serialize([("labels", TensorView::new(I32, vec![3], &bytes)?)], None)?)?;
/// assert_eq!(read_safetensors_labels(&path, "labels")?, [7, 0, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_safetensors_labels(path: impl AsRef<Path>, tensor: &str) -> Result<Vec<i64>> {
    let path = path.as_ref();
    let (layout, store) = open(path, tensor)?;
    read_labels(path, &layout, &store)
}

/// Reads class ids from a tensor in the bytes of a safetensors file, as [`read_safetensors_labels`] does from the file. Errors
/// name `path`.
///
/// # Errors
/// As [`read_safetensors_labels`].
pub fn safetensors_labels(bytes: &[u8], path: impl AsRef<Path>, tensor: &str) -> Result<Vec<i64>> {
    let path = path.as_ref();
    let (layout, store) = within(path, bytes, tensor)?;
    read_labels(path, &layout, &store)
}

fn read_labels(path: &Path, layout: &Layout, store: &Store<'_>) -> Result<Vec<i64>> {
    const OP: &str = "read_safetensors_labels";
    layout.check_labels(path)?;
    match layout.dtype.is_integer() {
        true => labels::from_integers(path, layout.dtype, store.read_all(OP, path, layout, integers)?),
        false => labels::from_floats(path, store.read_all(OP, path, layout, doubles)?),
    }
}

/// Finds a tensor in the bytes of a file.
fn within<'a>(path: &Path, bytes: &'a [u8], tensor: &str) -> Result<(Layout, Store<'a>)> {
    let (metadata, data) = split(path, bytes)?;
    let (layout, start) = find(path, &metadata, tensor)?;
    let data = data.get(start..).unwrap_or_default();
    let data = data.get(..layout.bytes() as usize).unwrap_or(data);
    layout.check_length(path, data.len() as u64)?;
    Ok((layout, Store::Memory(data)))
}

/// Opens a file, and finds a tensor in it.
fn open(path: &Path, tensor: &str) -> Result<(Layout, Store<'static>)> {
    let opened = Opened::open(path)?;
    let (layout, start) = find(path, opened.metadata(), tensor)?;
    let Some((file, data)) = opened.into_file() else {
        return refuse(path, "tensors are read at any place of a file", "no plain file".into());
    };
    Ok((layout, Store::File(Arc::new(Positioned::new(file)), data + start as u64)))
}

/// The layout of a tensor, and its position in the data.
fn find(path: &Path, metadata: &Metadata, name: &str) -> Result<(Layout, usize)> {
    let Some(tensor) = metadata.info(name) else {
        let found = format!("no {} among {}", shown(name.as_bytes()), names(metadata));
        return refuse(path, "the file must have the tensor", found);
    };
    let Some(dtype) = known(tensor.dtype) else {
        let rule = "the tensor must be of type F64, F32, F16, BF16, I64 to I8, U64 to U8, or BOOL";
        return refuse(path, rule, tensor.dtype.to_string());
    };
    Ok((Layout::new(path, dtype, &tensor.shape, false)?, tensor.data_offsets.0))
}

/// The sorted names of the tensors, as an error lists them. If there are many, only the first ones are listed.
fn names(metadata: &Metadata) -> String {
    let mut names = metadata.offset_keys();
    names.sort_unstable();
    let mut words: Vec<_> = names.iter().take(NAMES).map(|name| shown(name.as_bytes())).collect();
    match names.len() {
        0 => words.push("none".into()),
        count if count > NAMES => words.push(format!("{} more", count - NAMES)),
        _ => {}
    }
    words.join(", ")
}

/// The number type of a tensor, which is little-endian; `None` if such numbers cannot be read.
fn known(dtype: Stored) -> Option<Dtype> {
    let (kind, size) = match dtype {
        Stored::F64 => (b'f', 8),
        Stored::F32 => (b'f', 4),
        Stored::F16 => (b'f', 2),
        Stored::BF16 => (b'V', 2),
        Stored::I64 => (b'i', 8),
        Stored::I32 => (b'i', 4),
        Stored::I16 => (b'i', 2),
        Stored::I8 => (b'i', 1),
        Stored::U64 => (b'u', 8),
        Stored::U32 => (b'u', 4),
        Stored::U16 => (b'u', 2),
        Stored::U8 => (b'u', 1),
        Stored::BOOL => (b'b', 1),
        _ => return None,
    };
    Some(Dtype { kind, size, big_endian: false })
}
