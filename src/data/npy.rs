//! `.npy` files, each of which holds one array, as NumPy's `np.save` and `np.load` write and read them.

use std::io::{self, Write};
use std::path::Path;

use bytemuck::NoUninit;
use ndarray::{Array2, ArrayView2, ShapeBuilder};
use ndarray_npy::WritableElement;
use ndarray_npy::npy::header::{Header as Parsed, Layout};

use super::dtype::{self, Dtype};
use super::errors::refuse;
use super::npy_header::{Header, START, cut_short, header_length};
use crate::error::{Error, Result, Shape};
use crate::files::{Source, replace};

/// The number of bytes that are read at a time.
const CHUNK: u64 = 1 << 18;

/// Reads a `.npy` file with an array of two dimensions, or of one, which becomes a column.
///
/// The array may hold floats of 4 and 8 bytes, integers of 1 to 8 bytes and booleans, in either byte order, and lie in
/// C or Fortran order. All numbers are rounded to f32; a number beyond its range becomes infinite.
///
/// # Errors
/// [`Error::File`] when it cannot be read, [`Error::Npy`] when it is not a `.npy` file, [`Error::Data`] when it holds
/// another kind of array, or more or less than its header says.
///
/// ```
/// use wgpu_mlp::data::{read_npy, write_npy};
/// let path = std::env::temp_dir().join("wgpu-mlp-doc-read.npy");
/// let features = ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// write_npy(&path, features.view())?;
/// assert_eq!(read_npy(&path)?, features);
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn read_npy(path: impl AsRef<Path>) -> Result<Array2<f32>> {
    read_array(path.as_ref(), dtype::floats)
}

/// Reads a `.npy` file as [`read_npy`] does, with numbers of type f64.
pub(super) fn read_doubles(path: &Path) -> Result<Array2<f64>> {
    read_array(path, dtype::doubles)
}

fn read_array<T>(path: &Path, decode: fn(Dtype, &[u8], &mut Vec<T>)) -> Result<Array2<T>> {
    let (mut source, header) = open(path)?;
    let values = read_values(path, &mut source, &header, decode)?;
    let shape = (header.rows, header.cols).set_f(header.fortran);
    Array2::from_shape_vec(shape, values)
        .or_else(|error| refuse(path, "the array must fit into this machine's memory", error.to_string()))
}

/// Reads class ids from a `.npy` file of one dimension, or of a single column: integers of any size, or booleans.
///
/// # Errors
/// As [`read_npy`]; [`Error::Data`] too for floats, for several columns, and for a label that i64 does not have.
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
    let path = path.as_ref();
    let (mut source, header) = open(path)?;
    if !header.dtype.is_integer() {
        return refuse(path, "labels must be integers; in NumPy: labels.astype('<i8')", "floats".into());
    }
    if header.cols != 1 {
        let rule = "labels must have one dimension, or one column";
        return refuse(path, rule, Shape::from((header.rows, header.cols)).to_string());
    }
    let labels = read_values(path, &mut source, &header, dtype::integers)?;
    // The decoder casts u64 to i64, so that the upper half of its range becomes negative.
    if header.dtype.kind == b'u'
        && let Some(row) = labels.iter().position(|label| *label < 0)
    {
        return refuse(
            path,
            "labels must be at most 9223372036854775807",
            format!("{} in row {row}", labels[row] as u64),
        );
    }
    Ok(labels)
}

/// A view of the array in the bytes of a `.npy` file, without a copy; errors name `path`.
///
/// This is for files larger than memory: [`Mlp::predict`](crate::Mlp::predict) uploads such a view batch by batch.
///
/// # Errors
/// [`Error::Npy`] when these are not the bytes of a `.npy` file; [`Error::Data`] unless it is whole, its numbers are
/// f32 in this machine's byte order and in C order, and its data lie at an address divisible by four, as a mapped
/// file's do.
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
    let length = header_length(path, &bytes[..START.min(bytes.len())])?;
    let Some((head, data)) = bytes.split_at_checked(length) else { return cut_short(path, bytes.len()) };
    let header = Header::parse(path, head)?;
    header.check_length(path, data.len() as u64)?;
    if !header.dtype.is_native_f32() {
        let rule = "a view needs f32 in this machine's byte order; in NumPy: array.astype('f4')";
        return refuse(path, rule, header.dtype.to_string());
    }
    if header.fortran {
        let rule = "a view needs C order; in NumPy: np.ascontiguousarray(array)";
        return refuse(path, rule, "Fortran order".into());
    }
    let values = bytemuck::try_cast_slice(data)
        .or_else(|error| refuse(path, "a view needs data at an address divisible by four", error.to_string()))?;
    ArrayView2::from_shape((header.rows, header.cols), values)
        .or_else(|error| refuse(path, "the array must fit into this machine's memory", error.to_string()))
}

/// Writes a `.npy` file of f32 that `np.load` and [`read_npy`] read.
///
/// The file appears complete or not at all: it is written beside `path` and renamed.
///
/// # Errors
/// [`Error::File`] when it cannot be written.
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

/// Writes a `.npy` file of f32 or f64, row by row.
pub(super) fn write_rows<T: WritableElement + NoUninit>(path: &Path, values: ArrayView2<'_, T>) -> Result<()> {
    // ndarray-npy's own `write_npy` panics on some views without rows.
    let header = Parsed {
        type_descriptor: T::type_descriptor(),
        layout: Layout::Standard,
        shape: vec![values.nrows(), values.ncols()],
    };
    replace(path, |file| {
        file.write_all(&header.to_bytes().map_err(io::Error::other)?)?;
        for row in values.rows() {
            match row.as_slice() {
                Some(row) => file.write_all(bytemuck::cast_slice(row))?,
                None => row.iter().try_for_each(|value| file.write_all(bytemuck::bytes_of(value)))?,
            }
        }
        Ok(())
    })
}

/// Opens a file and reads its header, which is checked against the file's length.
fn open(path: &Path) -> Result<(Source<'_>, Header)> {
    let mut source = Source::open(path)?;
    let mut head = Vec::new();
    source.read(START as u64, &mut head)?;
    let length = header_length(path, &head)?;
    source.read(length.saturating_sub(head.len()) as u64, &mut head)?;
    let Some(whole_head) = head.get(..length) else { return cut_short(path, head.len()) };
    let header = Header::parse(path, whole_head)?;
    if let Some(whole) = source.length() {
        header.check_length(path, whole.saturating_sub(length as u64))?;
    }
    Ok((source, header))
}

/// Reads all numbers behind the header, in the file's order.
fn read_values<T>(
    path: &Path,
    source: &mut Source<'_>,
    header: &Header,
    decode: impl Fn(Dtype, &[u8], &mut Vec<T>),
) -> Result<Vec<T>> {
    let mut values = Vec::new();
    // The length of a pipe is not known, so that the memory grows with what is read.
    if source.length().is_some() && values.try_reserve_exact(header.rows * header.cols).is_err() {
        let shape = Shape::from((header.rows, header.cols));
        let bytes = shape.rows as u64 * shape.cols as u64 * size_of::<T>() as u64;
        return Err(Error::HostMemory { op: "read_npy", shape, bytes });
    }
    let (mut read, mut chunk) = (0, Vec::new());
    // Reads up to one byte more than the header says, to find out whether the file is too long.
    while read <= header.bytes {
        chunk.clear();
        source.read(CHUNK.min(header.bytes - read + 1), &mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        read += chunk.len() as u64;
        decode(header.dtype, &chunk, &mut values);
    }
    header.check_length(path, read)?;
    Ok(values)
}
