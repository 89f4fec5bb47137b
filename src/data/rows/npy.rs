//! `.npy` files as sources of rows.

use std::path::Path;
use std::sync::Arc;

use super::file_rows::FileRows;
use super::store::Store;
use crate::data::errors::refuse;
use crate::data::npy_header::{open, split};
use crate::data::positioned::Positioned;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// The rows of the array in the bytes of a `.npy` file as a source, for example of a mapped file. Errors name `path`.
///
/// The array may have any type, shape and order that [`read_npy`](crate::data::read_npy) accepts. Its numbers are converted to f32
/// while rows are read. Rows in Fortran order are slow to read, since their numbers do not lie together. The bytes need not be
/// aligned. If [`npy_view`](crate::data::npy_view) accepts the file, its values are used without a copy.
///
/// # Errors
/// [`Error::Format`] when these are not the bytes of a `.npy` file; [`Error::Data`] when it holds another kind of array, or more
/// or less data than its header says.
///
/// ```
/// use wgpu_mlp::data::npy_rows;
/// use wgpu_mlp::source::RowSource;
/// let header = format!("{:117}\n", "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }");
/// let bytes = [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), b"\x00\x3c\x00\x40\x00\x42\x00\x44"].concat();
///
/// let rows = npy_rows(&bytes, "embeddings.npy")?; // [[1, 2], [3, 4]] as float16
/// let mut last_first = [0.0; 4];
/// rows.read_rows(&[1, 0], &mut last_first).unwrap();
/// assert_eq!(last_first, [3.0, 4.0, 1.0, 2.0]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn npy_rows(bytes: &[u8], path: impl AsRef<Path>) -> Result<FileRows<'_>> {
    let path = path.as_ref();
    let (layout, data) = split(path, bytes)?;
    Ok(FileRows::new(path, layout, Store::Memory(data)))
}

/// Opens a `.npy` file as a source. Rows are read from the disk when they are needed, and converted to f32.
///
/// The file is neither mapped nor loaded as a whole. Consecutive rows are read together. The array may have any type and shape
/// that [`read_npy`](crate::data::read_npy) accepts.
///
/// If the file becomes shorter while it is open, reading a row that is missing is an [`Error::Data`].
///
/// # Errors
/// [`Error::File`] when the file cannot be read, [`Error::Format`] when it is not a `.npy` file; [`Error::Data`] when it holds
/// another kind of array, more or less data than its header says, or an array in Fortran order, and for a pipe.
///
/// ```
/// use wgpu_mlp::data::{open_npy, read_npy_labels, shard_paths, write_npy};
/// use wgpu_mlp::Result;
/// use wgpu_mlp::source::{RowSource, Shards};
/// # let folder = std::env::temp_dir().join("wgpu-mlp-doc-shards");
/// # std::fs::create_dir_all(&folder)?;
/// # let train = folder.join("train-*.npy").to_string_lossy().into_owned();
/// # let labels = folder.join("labels-*.npy").to_string_lossy().into_owned();
/// # for part in 0..2 {
/// #     write_npy(folder.join(format!("train-{part}.npy")), ndarray::array![[0.0, 1.0], [1.0, 0.0]].view())?;
/// #     write_npy(folder.join(format!("labels-{part}.npy")), ndarray::array![[1.0], [0.0]].view())?;
/// # }
/// // train-0.npy, train-1.npy, and labels-0.npy, labels-1.npy
/// let x = Shards::new(shard_paths(&train)?.iter().map(open_npy).collect::<Result<Vec<_>>>()?)?;
/// let labels = shard_paths(&labels)?.iter().map(read_npy_labels).collect::<Result<Vec<_>>>()?.concat();
/// assert_eq!((x.dim(), labels), ((4, 2), vec![1, 0, 1, 0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_npy(path: impl AsRef<Path>) -> Result<FileRows<'static>> {
    let path = path.as_ref();
    let (source, layout) = open(path)?;
    if layout.fortran {
        let rule = "rows are read from files in C order; in NumPy: np.ascontiguousarray(array), or map it for npy_rows";
        return refuse(path, rule, "Fortran order".into());
    }
    let Some((file, length)) = source.into_file() else {
        return refuse(path, "rows are read at any place of a file; read_npy reads pipes", "no plain file".into());
    };
    let start = length.saturating_sub(layout.bytes());
    Ok(FileRows::new(path, layout, Store::File(Arc::new(Positioned::new(file)), start)))
}
