//! Bytes of a Parquet file. Several threads can read them at any position at the same time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::thrift::Thrift;
use crate::data::filled::filled;
use crate::data::positioned::Positioned;

/// The number of bytes that are read at once for the header of a page.
const HEAD: usize = 1024;

/// An open file. The crate parquet reads files through a cursor, which two threads would move at the same time.
#[derive(Clone, Debug)]
pub(super) struct FileBytes {
    file: Arc<Positioned>,
    length: u64,
    /// The maximal number of bytes to which a byte of a page may expand; `None` if no pages are read.
    expansion: Option<u64>,
}

impl FileBytes {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(FileBytes { file: Arc::new(Positioned::new(file)), length, expansion: None })
    }

    /// The bytes of the same file for reading pages. Their codec expands a byte to at most `expansion` bytes.
    pub(super) fn of_pages(&self, expansion: u64) -> Self {
        FileBytes { expansion: Some(expansion), ..self.clone() }
    }
}

impl Length for FileBytes {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for FileBytes {
    type T = Head<FileFrom>;

    fn get_read(&self, start: u64) -> Result<Head<FileFrom>> {
        let from = FileFrom { file: self.file.clone(), at: start };
        Ok(Head { bytes: BufReader::with_capacity(HEAD, Whole(from)), expansion: self.expansion })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // The length is a claim of the file. It is checked before memory is reserved for it.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            let words = format!("{length} bytes from {start} on in a file of {}", self.length);
            return Err(ParquetError::EOF(words));
        }
        let no_room = |()| io::Error::from(io::ErrorKind::OutOfMemory);
        let mut bytes = bytemuck::allocation::try_zeroed_vec(length).map_err(no_room)?;
        self.file.read_at(start, &mut bytes)?;
        Ok(bytes.into())
    }
}

/// Bytes from a position on. If pages are read, they begin with the header of a page.
pub(super) struct Head<R> {
    bytes: BufReader<Whole<R>>,
    /// The maximal number of bytes to which a byte of the page may expand. It becomes `None` once the header has been checked.
    expansion: Option<u64>,
}

impl<R: Read> Read for Head<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // The header is checked at the first read, since the decoder also makes readers that it never uses.
        if let Some(expansion) = self.expansion {
            check_header(self.bytes.fill_buf()?, expansion)?;
            // This is set only after the check, since a read that failed may be repeated.
            self.expansion = None;
        }
        self.bytes.read(into)
    }
}

/// A reader that fills the given buffer as far as it can, even if the bytes come in parts or the read is interrupted. The header
/// of a page is checked only in the first bytes that are read.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        filled(into, |_, rest| self.0.read(rest))
    }
}

/// A file that is read from a position on.
pub(super) struct FileFrom {
    file: Arc<Positioned>,
    at: u64,
}

impl Read for FileFrom {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_some(self.at, into)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Checks the sizes at the beginning of a page's header. The decoder allocates the uncompressed size that the header claims.
///
/// The header is a struct of Thrift's compact protocol. Its first fields are the type of the page, its uncompressed size and its
/// compressed size. Each of them is a byte 0x15, which means "the next field, an integer", and then the integer.
fn check_header(head: &[u8], expansion: u64) -> io::Result<()> {
    let mut head = Thrift(head);
    let mut sizes = [0; 3];
    for size in &mut sizes {
        let Some(value) = head.byte().filter(|byte| *byte == 0x15).and_then(|_| head.count()) else {
            return Err(io::Error::new(ErrorKind::InvalidData, "a page's header does not begin with the page's sizes"));
        };
        *size = value;
    }
    let [_, size, compressed] = sizes;
    if size > compressed.saturating_mul(expansion).saturating_add(HEAD as u64) {
        let words = format!("a page of {compressed} bytes cannot hold {size} bytes");
        return Err(io::Error::new(ErrorKind::InvalidData, words));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A reader that gives its bytes one at a time, with an interruption before each. At the end it returns an error, if one is
    /// given.
    struct OneByOne<'a>(&'a [u8], bool, Option<ErrorKind>);

    impl Read for OneByOne<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            if let Some(error) = self.2.filter(|_| self.0.is_empty()) {
                return Err(error.into());
            }
            let room = into.len().min(1);
            self.0.read(&mut into[..room])
        }
    }

    #[test]
    fn a_header_is_checked_when_it_has_come_as_a_whole() {
        let header: [u8; 8] = [0x15, 0, 0x15, 0x82, 0x7e, 0x15, 100, 0x2c];
        let head = |expansion: u64, error: Option<ErrorKind>| {
            let bytes = BufReader::with_capacity(HEAD, Whole(OneByOne(&header, false, error)));
            Head { bytes, expansion: Some(expansion) }
        };
        let mut read = Vec::new();
        assert_eq!(head(1000, None).read_to_end(&mut read).unwrap(), header.len());
        assert_eq!(read, header);
        let mut refused = head(22, None);
        for _ in 0..2 {
            assert_eq!(refused.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::InvalidData);
        }
        let mut broken = head(1000, Some(ErrorKind::TimedOut));
        assert_eq!(broken.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_page_expands_no_further_than_its_codec_can() {
        let header = |size: u8| [0x15, 0, 0x15, size | 0x80, 0x7e, 0x15, 100, 0x2c];
        // The size is 0x1f80 / 2 + size / 2, and the page has 50 bytes.
        assert!(check_header(&header(0), 1000).is_ok());
        let words = check_header(&header(2), 22).unwrap_err().to_string();
        assert_eq!(words, "a page of 50 bytes cannot hold 8065 bytes");
        for head in [&header(0)[..5], &[0x16, 0, 0x15, 0, 0x15, 0], &[0x15, 0, 0x15, 1, 0x15, 0], &[]] {
            assert!(check_header(head, 1000).unwrap_err().to_string().contains("does not begin with"));
        }
    }
}
