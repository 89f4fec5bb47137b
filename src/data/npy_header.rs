//! The header of a `.npy` file: parsed by ndarray-npy, with checks before and after.

use std::path::Path;

use ndarray_npy::npy::header::{Header as Parsed, ParseHeaderError, ReadHeaderError};

use super::dtype::Dtype;
use super::errors::refuse;
use super::layout::Layout;
use crate::error::{Error, Result};
use crate::files::{Source, failed};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The first bytes of a zip archive.
const ARCHIVE: &[u8] = b"PK\x03\x04";
/// The maximal length of a header in bytes, which is also that of NumPy.
const MAX_HEADER: usize = 10_000;
/// The number of bytes at the start of the file that contain the header's length.
const START: u64 = 12;

/// Parses a header from its bytes, which must contain nothing else.
fn parse(path: &Path, bytes: &[u8]) -> Result<Layout> {
    // The parser visits each bracket twice at every level, so nested brackets would take exponential time. The magic, the version
    // and the header's length, in two or four bytes, come before the header. They are skipped, since they may look like brackets.
    let start = if bytes.get(MAGIC.len()) == Some(&1) { 10 } else { 12 };
    let brackets = bytes.iter().skip(start).filter(|byte| b"([{".contains(byte)).count();
    if brackets > 2 {
        let rule = "the header must describe one plain array: the type of its numbers, their order, the shape";
        return refuse(path, rule, format!("{brackets} brackets"));
    }
    let parsed = Parsed::from_reader(&mut &*bytes).map_err(|error| match error {
        ReadHeaderError::Io(source) => failed(path, source),
        ReadHeaderError::Parse(source) => Error::Format { path: path.into(), source: source.into() },
    })?;
    let name = parsed.type_descriptor.as_string().map_or("no plain type", String::as_str);
    let Some(dtype) = Dtype::named(name) else {
        let rule = match name.as_bytes() {
            [_, b'U' | b'S', ..] => "texts must be numbered first; in NumPy: np.unique(array, return_inverse=True)[1]",
            _ => "the numbers must be f2, f4, f8, bfloat16, i1 to i8, u1 to u8 or b1; in NumPy: array.astype('<f4')",
        };
        return refuse(path, rule, name.into());
    };
    Layout::new(path, dtype, &parsed.shape, parsed.layout.is_fortran())
}

/// Opens a file and reads its header. The header is checked against the length of the file.
pub(super) fn open(path: &Path) -> Result<(Source<'_>, Layout)> {
    let mut source = Source::open(path)?;
    let layout = read(&mut source)?;
    Ok((source, layout))
}

/// Reads the header at the beginning of a source, and checks it against the length of the source, if that is known.
pub(super) fn read(source: &mut Source<'_>) -> Result<Layout> {
    let path = source.path();
    let mut head = Vec::new();
    source.read(START, &mut head)?;
    let length = header_length(path, &head)?;
    source.read(length.saturating_sub(head.len()) as u64, &mut head)?;
    let Some(whole_head) = head.get(..length) else { return cut_short(path, head.len()) };
    let layout = parse(path, whole_head)?;
    if let Some(whole) = source.length() {
        layout.check_length(path, whole.saturating_sub(length as u64))?;
    }
    Ok(layout)
}

/// Splits a file in memory into the layout of its array and the data after the header.
pub(super) fn split<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Layout, &'a [u8])> {
    let length = header_length(path, &bytes[..bytes.len().min(START as usize)])?;
    let Some((head, data)) = bytes.split_at_checked(length) else { return cut_short(path, bytes.len()) };
    let layout = parse(path, head)?;
    layout.check_length(path, data.len() as u64)?;
    Ok((layout, data))
}

/// The header's length in bytes, from the first [`START`] bytes of the file, or from all bytes of a shorter file.
fn header_length(path: &Path, start: &[u8]) -> Result<usize> {
    let unusable = |source: ParseHeaderError| Err(Error::Format { path: path.into(), source: source.into() });
    if start.starts_with(ARCHIVE) {
        let rule = "the file must be one array; np.save writes each array of an archive to a file of its own";
        return refuse(path, rule, "a zip archive, as np.savez writes it".into());
    }
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
fn cut_short<T>(path: &Path, length: usize) -> Result<T> {
    refuse(path, "the file must hold its whole header", format!("{length} bytes"))
}
