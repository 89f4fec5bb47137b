//! Files that are read at any place, by several threads at once.

use std::fs::File;
use std::io;

/// An open file. Where the system reads at a place without moving the file's own, no thread waits for another.
#[derive(Debug)]
pub(super) struct Positioned {
    #[cfg(any(unix, windows))]
    file: File,
    #[cfg(not(any(unix, windows)))]
    file: parking_lot::Mutex<File>,
}

#[cfg(any(unix, windows))]
impl Positioned {
    pub(super) fn new(file: File) -> Self {
        Positioned { file }
    }

    /// Fills `into` with the bytes from this place on.
    #[cfg(unix)]
    pub(super) fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, place)
    }

    /// Fills `into` with the bytes from this place on.
    #[cfg(windows)]
    pub(super) fn read_at(&self, mut place: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, into, place) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    place += count as u64;
                    into = &mut into[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(not(any(unix, windows)))]
impl Positioned {
    pub(super) fn new(file: File) -> Self {
        Positioned { file: parking_lot::Mutex::new(file) }
    }

    /// Fills `into` with the bytes from this place on.
    pub(super) fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.file.lock();
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(into)
    }
}
