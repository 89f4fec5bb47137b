//! Reading `.npy` files. Each file holds one array, as NumPy's `np.save` writes it.

use std::io::Read;
use std::path::Path;

use ndarray::{Array2, ArrayView2, ShapeBuilder};

use super::decode::{Decoder, doubles, floats, integers};
use super::errors::refuse;
use super::labels;
use super::layout::Layout;
use super::npy_header::{self, open, split};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::files::Source;
use crate::host_memory::{host_room, no_room};

/// The number of bytes that are read at a time.
const CHUNK: u64 = 1 << 18;
/// The op that errors about memory name.
const OP: &str = "read_npy";

/// Reads a `.npy` file with an array of two dimensions, or of one, which becomes a column. Of an array with more dimensions, such
/// as images of N x 28 x 28, all but the first are joined, as by `array.reshape(len(array), -1)` in NumPy; it must be in C order.
///
/// The array may hold floats of 2, 4 and 8 bytes, integers of 1 to 8 bytes and booleans, in either byte order, and in C or
/// Fortran order. All numbers are rounded to f32; a number beyond its range becomes infinite. Numbers of two bytes without a type
/// (`V2`) are read as bfloat16, since NumPy writes arrays of `ml_dtypes.bfloat16` in this way.
///
/// # Errors
/// [`Error::File`] when the file cannot be read, [`Error::Format`] when it is not a `.npy` file, [`Error::Data`] when it holds
/// another kind of array, or more or less data than its header says.
///
/// ```
/// use wgpu_mlp::data::{read_npy, write_npy};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-read.npy");
/// let features = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// write_npy(&path, features.view())?;
/// assert_eq!(read_npy(&path)?, features);
///
/// let header = format!("{:117}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2), }");
/// std::fs::write(&path, [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), &[1, 2, 3, 4, 5, 6, 7, 8]].concat()).unwrap();
/// assert_eq!(read_npy(&path)?, ndarray::array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]); // two images of 2 x 2
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_npy(path: impl AsRef<Path>) -> Result<Array2<f32>> {
    let (mut source, layout) = open(path.as_ref())?;
    read_array(&mut source, &layout, floats)
}

/// Reads an array from the bytes of a `.npy` file, as [`read_npy`] does from the file. The bytes come from any reader, for
/// example from `&[u8]`.
///
/// All bytes up to the reader's end belong to the array. The length of a reader is not known, so memory grows with the bytes that
/// are read, and not with the claim of the header.
///
/// # Errors
/// As [`read_npy`]. Errors name `the given bytes` instead of a path.
///
/// ```
/// use wgpu_mlp::data::{read_npy_from, write_npy_to};
/// let (features, mut bytes) = (ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], Vec::new());
/// write_npy_to(&mut bytes, features.view())?;
/// assert_eq!(read_npy_from(&bytes[..])?, features);
/// let error = read_npy_from(&bytes[..bytes.len() - 1]).unwrap_err();
/// assert!(error.to_string().starts_with("the given bytes: the data must be as long as the header says"));
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_npy_from(mut reader: impl Read) -> Result<Array2<f32>> {
    let mut source = Source::reader(&mut reader);
    let layout = npy_header::read(&mut source)?;
    read_array(&mut source, &layout, floats)
}

/// Reads an array as [`read_npy`] does, with numbers of type f64.
pub(super) fn read_doubles(source: &mut Source<'_>) -> Result<Array2<f64>> {
    let layout = npy_header::read(source)?;
    read_array(source, &layout, doubles)
}

fn read_array<T: Copy + Default>(source: &mut Source<'_>, layout: &Layout, decode: Decoder<T>) -> Result<Array2<T>> {
    let values = read_values(source, layout, decode)?;
    let shape = (layout.rows, layout.cols).set_f(layout.fortran);
    Array2::from_shape_vec(shape, values)
        .or_else(|error| refuse(source.path(), "the array must fit into this machine's memory", error.to_string()))
}

/// Reads class ids from a `.npy` file with one dimension, or with a single column. They are integers of any size, booleans, or
/// floats that are whole numbers.
///
/// # Errors
/// As [`read_npy`]; [`Error::Data`] also for several columns, and with the first row whose label is not a whole number or does
/// not fit into i64.
///
/// ```
/// use wgpu_mlp::data::read_npy_labels;
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-labels.npy");
/// let header = format!("{:117}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }");
/// std::fs::write(&path, [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), &[7, 0, 2]].concat()).unwrap();
/// assert_eq!(read_npy_labels(&path)?, [7, 0, 2]); // what np.save("labels.npy", np.array([7, 0, 2], "u1")) wrote
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_npy_labels(path: impl AsRef<Path>) -> Result<Vec<i64>> {
    let (mut source, layout) = open(path.as_ref())?;
    read_labels(&mut source, &layout)
}

/// Reads class ids from the bytes of a `.npy` file, as [`read_npy_labels`] does from the file. The bytes come from any reader,
/// for example from `&[u8]`.
///
/// # Errors
/// As [`read_npy_labels`]. Errors name `the given bytes` instead of a path.
pub fn read_npy_labels_from(mut reader: impl Read) -> Result<Vec<i64>> {
    let mut source = Source::reader(&mut reader);
    let layout = npy_header::read(&mut source)?;
    read_labels(&mut source, &layout)
}

fn read_labels(source: &mut Source<'_>, layout: &Layout) -> Result<Vec<i64>> {
    let path = source.path();
    layout.check_labels(path)?;
    match layout.dtype.is_integer() {
        true => labels::from_integers(path, layout.dtype, read_values(source, layout, integers)?),
        false => labels::from_floats(path, read_values(source, layout, doubles)?),
    }
}

/// A view of the array in the bytes of a `.npy` file, without a copy; errors name `path`. Dimensions after the second are joined as
/// by [`read_npy`].
///
/// This is for files larger than memory: [`Mlp::predict`](crate::Mlp::predict) uploads such a view batch by batch.
/// [`npy_rows`](super::npy_rows) reads numbers of all types, in either order and at any address.
///
/// # Errors
/// [`Error::Format`] when these are not the bytes of a `.npy` file; [`Error::Data`] unless the file is complete, its numbers are
/// f32 in this machine's byte order and in C order, and its data begin at an address divisible by four, as those of a mapped file
/// do.
///
/// ```
/// use wgpu_mlp::data::{npy_view, write_npy};
/// use wgpu_mlp::{Device, Mlp};
/// # let path = std::env::temp_dir().join("wgpu-mlp-doc-mapped.npy");
/// # let model = Mlp::new(&Device::cpu(), &[2, 3], 7)?;
/// write_npy(&path, ndarray::array![[0.5, 1.5], [2.0, 3.0], [4.0, 5.0]].view())?;
///
/// let file = std::fs::File::open(&path)?;
/// // SAFETY: nobody changes the file while the mapping lives.
/// let bytes = unsafe { memmap2::Mmap::map(&file)? };
/// let classes = model.predict(npy_view(&bytes, &path)?)?;
/// assert_eq!(classes.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn npy_view(bytes: &[u8], path: impl AsRef<Path>) -> Result<ArrayView2<'_, f32>> {
    let path = path.as_ref();
    let (layout, data) = split(path, bytes)?;
    if !layout.dtype.is_native_f32() {
        let rule = "a view needs f32 in this machine's byte order; npy_rows reads numbers of all types";
        return refuse(path, rule, layout.dtype.to_string());
    }
    if layout.fortran {
        let rule = "a view needs C order; npy_rows reads both orders";
        return refuse(path, rule, "Fortran order".into());
    }
    let values = bytemuck::try_cast_slice(data).or_else(|error| {
        refuse(path, "a view needs data at an address divisible by four; npy_rows reads any", error.to_string())
    })?;
    ArrayView2::from_shape((layout.rows, layout.cols), values)
        .or_else(|error| refuse(path, "the array must fit into this machine's memory", error.to_string()))
}

/// Reads all numbers after the header, in the order of the file.
fn read_values<T: Copy + Default>(source: &mut Source<'_>, layout: &Layout, decode: Decoder<T>) -> Result<Vec<T>> {
    let mut values = Vec::new();
    // The length of a pipe or a reader is not known, so memory grows with the bytes that are read.
    if source.length().is_some() {
        values = host_room(OP, layout.rows, layout.cols)?;
    }
    let (mut read, mut chunk, whole) = (0, Vec::new(), layout.bytes());
    // One byte more than the header says is read, to detect a file that is too long.
    while read <= whole {
        chunk.clear();
        source.read(CHUNK.min(whole - read + 1), &mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        read += chunk.len() as u64;
        let before = values.len();
        let more = chunk.len() / layout.dtype.size;
        if values.try_reserve(more).is_err() {
            return Err(no_room::<T>(OP, layout.rows, layout.cols));
        }
        values.resize(before + more, T::default());
        decode(layout.dtype, &chunk, &mut values[before..]);
    }
    layout.check_length(source.path(), read)?;
    Ok(values)
}
