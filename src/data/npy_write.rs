//! Writing `.npy` files that NumPy's `np.load` reads.

use std::io::{self, Write};
use std::path::Path;

use bytemuck::NoUninit;
use ndarray::ArrayView2;
use ndarray_npy::WritableElement;
use ndarray_npy::npy::header::{Header, Layout};

use super::batches::each_batch;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::{failed, replace};
use crate::source::{RowSource, dim_of};

/// The number of values that are gathered before they are written, if they do not lie one after the other. A writer may make a
/// system call for each write.
const GATHERED: usize = 1 << 14;

/// Writes a `.npy` file of f32. `np.load` and [`read_npy`](super::read_npy) can read it.
///
/// The file appears complete or not at all: it is written under another name in the same folder, and then renamed.
///
/// # Errors
/// [`Error::File`] when the file cannot be written.
///
/// ```
/// use wgpu_mlp::data::write_npy;
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-write.npy");
/// write_npy(&path, ndarray::array![[0.9, 0.1], [0.2, 0.8]].view())?;
/// assert!(std::fs::read(&path).unwrap().starts_with(b"\x93NUMPY"));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn write_npy(path: impl AsRef<Path>, values: ArrayView2<'_, f32>) -> Result<()> {
    write_rows(path.as_ref(), values)
}

/// Writes a `.npy` file as [`write_npy`] does, but to any writer, for example to a `Vec<u8>`.
///
/// # Errors
/// [`Error::File`] when the writer fails. It names `the given writer` instead of a path.
pub fn write_npy_to(mut writer: impl Write, values: ArrayView2<'_, f32>) -> Result<()> {
    write_array(&mut writer, values).map_err(|source| failed(Path::new("the given writer"), source))
}

/// Writes the rows of a source to a `.npy` file of f32, batch by batch. This is for a source that is slow to read, or whose
/// numbers should be converted only once.
///
/// The file appears complete or not at all: it is written under another name in the same folder, and then renamed.
///
/// # Errors
/// [`Error::File`] when the file cannot be written; [`Error::Source`] with the row that could not be read.
///
/// ```
/// use wgpu_mlp::data::{read_npy, write_npy_rows};
/// use wgpu_mlp::source::{Converted, Multiplied};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-write-rows.npy");
/// write_npy_rows(&path, Multiplied::new(Converted(ndarray::array![[0u8, 51], [255, 102]]), 0.5))?;
/// assert_eq!(read_npy(&path)?, ndarray::array![[0.0, 25.5], [127.5, 51.0]]);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn write_npy_rows(path: impl AsRef<Path>, source: impl RowSource) -> Result<()> {
    let path = path.as_ref();
    let dim = dim_of("write_npy_rows", &source)?;
    // `replace` only handles errors of the system, so the source's own error is kept here.
    let mut own = None;
    let outcome = replace(path, |file| {
        file.write_all(&header::<f32>(dim)?)?;
        let write =
            |_, values: &[f32]| file.write_all(bytemuck::cast_slice(values)).map_err(|error| failed(path, error));
        each_batch("write_npy_rows", &source, write).map_err(|error| {
            own = Some(error);
            io::ErrorKind::Other.into()
        })
    });
    own.map_or(outcome, Err)
}

/// Writes a `.npy` file of f32 or f64.
pub(super) fn write_rows<T: WritableElement + NoUninit>(path: &Path, values: ArrayView2<'_, T>) -> Result<()> {
    replace(path, |file| write_array(file, values))
}

/// Writes the header and the rows.
pub(super) fn write_array<T: WritableElement + NoUninit>(
    writer: &mut impl Write,
    values: ArrayView2<'_, T>,
) -> io::Result<()> {
    // The header is written here, since ndarray-npy's `write_npy` panics on some views without rows.
    writer.write_all(&header::<T>(values.dim())?)?;
    if let Some(all) = values.as_slice() {
        writer.write_all(bytemuck::cast_slice(all))?;
        return writer.flush();
    }
    let (mut values, mut room) = (values.iter().copied(), Vec::with_capacity(GATHERED));
    loop {
        room.extend(values.by_ref().take(GATHERED));
        if room.is_empty() {
            return writer.flush();
        }
        writer.write_all(bytemuck::cast_slice(&room))?;
        room.clear();
    }
}

/// The bytes of the header of an array with this shape, in C order.
fn header<T: WritableElement>((rows, cols): (usize, usize)) -> io::Result<Vec<u8>> {
    let header = Header { type_descriptor: T::type_descriptor(), layout: Layout::Standard, shape: vec![rows, cols] };
    header.to_bytes().map_err(io::Error::other)
}
