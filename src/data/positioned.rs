//! Files that several threads can read at any position at the same time.

use std::fs::File;
use std::io::{self, ErrorKind};

use super::filled::filled;

/// An open file. On systems that can read at a position without moving the file's cursor, threads do not wait for each other.
#[derive(Debug)]
pub(super) struct Positioned {
    #[cfg(any(unix, windows))]
    file: File,
    #[cfg(not(any(unix, windows)))]
    file: parking_lot::Mutex<File>,
}

impl Positioned {
    pub(super) fn new(file: File) -> Self {
        #[cfg(not(any(unix, windows)))]
        let file = parking_lot::Mutex::new(file);
        Positioned { file }
    }

    /// Fills `into` with the bytes from this position on.
    pub(super) fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        match filled(into, |read, rest| self.read_some(place + read as u64, rest))? {
            read if read < into.len() => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads bytes from this position on, as many as the system returns at once; 0 at the end of the file.
    pub(super) fn read_some(&self, place: u64, into: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&self.file, into, place);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&self.file, into, place);
        #[cfg(not(any(unix, windows)))]
        {
            use std::io::{Read, Seek, SeekFrom};
            let mut file = self.file.lock();
            file.seek(SeekFrom::Start(place))?;
            file.read(into)
        }
    }
}
