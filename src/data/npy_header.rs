//! The header of a `.npy` file: parsed by ndarray-npy, and checked before and after.

use std::path::Path;

use ndarray_npy::npy::header::{Header as Parsed, ParseHeaderError, ReadHeaderError};

use super::dtype::Dtype;
use super::errors::refuse;
use crate::error::{Error, Result};
use crate::files::failed;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The maximal length of a header in bytes, which is also that of NumPy.
const MAX_HEADER: usize = 10_000;
/// The number of bytes at the file's start that tell the header's length.
pub(super) const START: usize = 12;

/// The header of a `.npy` file: shape, order and type of its array.
pub(super) struct Header {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) dtype: Dtype,
    pub(super) fortran: bool,
    /// The length of the data behind the header, in bytes.
    pub(super) bytes: u64,
}

impl Header {
    /// Parses a header from these bytes, which hold nothing else.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        // The parser visits each bracket twice at every level, so that nested brackets would take it exponential time.
        let brackets = bytes.iter().filter(|byte| b"([{".contains(byte)).count();
        if brackets > 2 {
            let rule = "the header must describe one plain array: the type of its numbers, their order, the shape";
            return refuse(path, rule, format!("{brackets} brackets"));
        }
        let parsed = Parsed::from_reader(&mut &*bytes).map_err(|error| match error {
            ReadHeaderError::Io(source) => failed(path, source),
            ReadHeaderError::Parse(source) => Error::Npy { path: path.into(), source },
        })?;
        let name = parsed.type_descriptor.as_string().map_or("no plain type", String::as_str);
        let Some(dtype) = Dtype::named(name) else {
            let rule = "the numbers must be f4, f8, i1 to i8, u1 to u8 or b1; in NumPy: array.astype('<f4')";
            return refuse(path, rule, name.into());
        };
        let shape = || format!("shape {:?}", parsed.shape);
        let (rows, cols) = match *parsed.shape.as_slice() {
            [rows] => (rows, 1),
            [rows, cols] => (rows, cols),
            _ => return refuse(path, "the array must have two dimensions, or one, which becomes a column", shape()),
        };
        // An axis of length 0 counts as 1 here, since ndarray refuses an array whose other axis is too long.
        let most = rows.max(1).checked_mul(cols.max(1)).and_then(|values| values.checked_mul(8));
        if most.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return refuse(path, "the array must fit into this machine's memory", shape());
        }
        let bytes = rows as u64 * cols as u64 * dtype.size as u64;
        Ok(Header { rows, cols, dtype, fortran: parsed.layout.is_fortran(), bytes })
    }

    /// Checks that the file has as many bytes of data as the header says.
    pub(super) fn check_length(&self, path: &Path, bytes: u64) -> Result<()> {
        if bytes != self.bytes {
            let Header { rows, cols, bytes: needed, .. } = self;
            let found = format!("{bytes} bytes where {rows}x{cols} needs {needed}");
            return refuse(path, "the data must be as long as the header says", found);
        }
        Ok(())
    }
}

/// The header's length in bytes, from the file's first [`START`] bytes, or from all of a shorter file.
pub(super) fn header_length(path: &Path, start: &[u8]) -> Result<usize> {
    let unusable = |source| Err(Error::Npy { path: path.into(), source });
    let Some(version) = start.strip_prefix(MAGIC) else { return unusable(ParseHeaderError::MagicString) };
    let length = match *version {
        [1, 0, low, high, ..] => usize::from(u16::from_le_bytes([low, high])).saturating_add(10),
        [2 | 3, 0, a, b, c, d] => (u32::from_le_bytes([a, b, c, d]) as usize).saturating_add(12),
        [1..=3, 0, ..] | [_] | [] => return cut_short(path, start.len()),
        [major, minor, ..] => return unusable(ParseHeaderError::Version { major, minor }),
    };
    if length > MAX_HEADER {
        return refuse(path, "the header must have at most 10000 bytes, as in NumPy", format!("{length} bytes"));
    }
    Ok(length)
}

/// The error for a file that ends within its header.
pub(super) fn cut_short<T>(path: &Path, length: usize) -> Result<T> {
    refuse(path, "the file must hold its whole header", format!("{length} bytes"))
}
