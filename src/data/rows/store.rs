//! Stores of arrays: bytes in memory, or an open file after its header.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::data::decode::{Decoder, floats};
use crate::data::layout::Layout;
use crate::data::positioned::Positioned;
use crate::error::{Error, Result};
use crate::files::failed;
use crate::host_memory::host_filled;
use crate::source::RowError;

/// The number of bytes that are read at a time. It is a multiple of every number's size.
const PIECE: usize = 1 << 18;
/// The number of values of a column that are decoded at a time.
const DEPTH: usize = 64;

/// The bytes that contain an array's numbers.
#[derive(Clone, Debug)]
pub(super) enum Store<'a> {
    /// The bytes of all numbers, and no others.
    Memory(&'a [u8]),
    /// A file, and the position at which the numbers begin.
    File(Arc<Positioned>, u64),
}

impl Store<'_> {
    /// Reads numbers of an array in C order from this index on, as many as fit into `into`.
    pub(super) fn read(&self, layout: &Layout, first: usize, into: &mut [f32], room: &mut Vec<u8>) -> io::Result<()> {
        if let Store::File(file, start) = self
            && layout.dtype.is_native_f32()
        {
            return file.read_at(start + 4 * first as u64, bytemuck::cast_slice_mut(into));
        }
        self.decode(layout, floats, first, into, room)
    }

    /// Reads the bytes of numbers and decodes them.
    fn decode<T>(
        &self,
        layout: &Layout,
        decode: Decoder<T>,
        first: usize,
        into: &mut [T],
        room: &mut Vec<u8>,
    ) -> io::Result<()> {
        let size = layout.dtype.size;
        match self {
            Store::Memory(bytes) => {
                let bytes = bytes.get(first * size..(first + into.len()) * size).ok_or(io::ErrorKind::UnexpectedEof)?;
                decode(layout.dtype, bytes, into);
            }
            Store::File(file, start) => {
                let pieces = into.chunks_mut(PIECE / size).zip((first..).step_by(PIECE / size));
                for (into, first) in pieces {
                    let length = into.len() * size;
                    if room.len() < length {
                        room.resize(length, 0);
                    }
                    file.read_at(start + (first * size) as u64, &mut room[..length])?;
                    decode(layout.dtype, &room[..length], into);
                }
            }
        }
        Ok(())
    }

    /// Reads all numbers of an array in C order; errors name `path`.
    pub(super) fn read_all<T: Copy + Default>(
        &self,
        op: &'static str,
        path: &Path,
        layout: &Layout,
        decode: Decoder<T>,
    ) -> Result<Vec<T>> {
        let mut values = host_filled(op, (layout.rows, layout.cols), T::default())?;
        let read = self.decode(layout, decode, 0, &mut values, &mut Vec::new());
        read.map(|()| values).map_err(|error| changed(path, None, error))
    }
}

/// Reads consecutive rows, from this one on, of an array in memory that is stored column by column.
pub(super) fn read_columns(bytes: &[u8], layout: &Layout, first: usize, into: &mut [f32]) {
    let (size, cols) = (layout.dtype.size, layout.cols);
    let mut room = [0.0; DEPTH];
    for (rows, first) in into.chunks_mut(DEPTH * cols).zip((first..).step_by(DEPTH)) {
        let count = rows.len() / cols;
        for column in 0..cols {
            let begin = column * layout.rows + first;
            let bytes = bytes.get(begin * size..(begin + count) * size).unwrap_or_default();
            floats(layout.dtype, bytes, &mut room[..count]);
            for (row, value) in rows.chunks_exact_mut(cols).zip(&room) {
                row[column] = *value;
            }
        }
    }
}

/// The error for a file that was opened but cannot be read: as a whole, or from this row on. The row is the number within this
/// file, which the caller does not know if it reads several files as one source. The system's error number is kept in the inner
/// error, since an `io::Error` with an error number has no room for a message.
pub(super) fn changed(path: &Path, row: Option<usize>, error: io::Error) -> Error {
    match (error.kind(), row) {
        (io::ErrorKind::UnexpectedEof, row) => Error::Data {
            path: path.into(),
            rule: "the file must keep its length while its rows are read",
            found: row.map_or("a shorter one".into(), |row| format!("a shorter one, without its row {row}")),
        },
        (kind, Some(row)) => failed(path, io::Error::new(kind, RowError::new(row, error))),
        (_, None) => failed(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_have_the_files_own_row() {
        let words =
            |kind: io::ErrorKind, row| changed(Path::new("x.npy"), row, io::Error::new(kind, "why")).to_string();
        assert_eq!(words(io::ErrorKind::TimedOut, Some(7)), "x.npy: row 7 could not be read: why");
        assert_eq!(words(io::ErrorKind::TimedOut, None), "x.npy: why");
        let rule = "x.npy: the file must keep its length while its rows are read; got a shorter one";
        assert_eq!(words(io::ErrorKind::UnexpectedEof, None), rule);
        assert_eq!(words(io::ErrorKind::UnexpectedEof, Some(7)), format!("{rule}, without its row 7"));
    }
}
