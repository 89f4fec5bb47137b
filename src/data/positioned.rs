//! Files that several threads can read at any position at the same time.

use std::fs::File;
use std::io::{self, ErrorKind};

/// An open file. On systems that can read at a position without moving the file's cursor, threads do not wait for each other.
#[derive(Debug)]
pub(super) struct Positioned {
    #[cfg(any(unix, windows))]
    file: File,
    #[cfg(not(any(unix, windows)))]
    file: parking_lot::Mutex<File>,
}

impl Positioned {
    #[cfg(any(unix, windows))]
    pub(super) fn new(file: File) -> Self {
        Positioned { file }
    }

    #[cfg(not(any(unix, windows)))]
    pub(super) fn new(file: File) -> Self {
        Positioned { file: parking_lot::Mutex::new(file) }
    }

    /// Fills `into` with the bytes from this position on.
    pub(super) fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let mut read = 0;
        while read < into.len() {
            match self.read_some(place + read as u64, &mut into[read..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads bytes from this position on, as many as the system returns at once; 0 at the end of the file.
    #[cfg(unix)]
    pub(super) fn read_some(&self, place: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, into, place)
    }

    /// Reads bytes from this position on, as many as the system returns at once; 0 at the end of the file.
    #[cfg(windows)]
    pub(super) fn read_some(&self, place: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, into, place)
    }

    /// Reads bytes from this position on, as many as the system returns at once; 0 at the end of the file.
    #[cfg(not(any(unix, windows)))]
    pub(super) fn read_some(&self, place: u64, into: &mut [u8]) -> io::Result<usize> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock();
        file.seek(SeekFrom::Start(place))?;
        file.read(into)
    }
}
