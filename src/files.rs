//! Files that appear whole or not at all, and files that are read no further than they are believed.

use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::error::{Error, Result};

/// Puts a file in place whole: written beside it first, under a name of its own, then renamed over it.
///
/// Not through a crate for temporary files: those are readable by their owner alone, a file should be as any new one.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    try_replace(path, write).map_err(|source| failed(path, source))
}

fn try_replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let unique = format!(".{name}.{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let beside = path.with_file_name(unique);
    // Nothing is removed that was not made here.
    let mut writer = BufWriter::new(File::create_new(&beside)?);
    let written = write(&mut writer).and_then(|()| writer.into_inner()?.sync_all());
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        // The error that counts is the one above.
        let _ = std::fs::remove_file(&beside);
    }
    placed
}

/// What the system said about this file.
pub(crate) fn failed(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.into(), source }
}

/// A file to read from, piece by piece.
pub(crate) struct Source<'a> {
    path: &'a Path,
    file: File,
    length: Option<u64>,
}

impl<'a> Source<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        let opened = File::open(path).and_then(|file| {
            let data = file.metadata()?;
            Ok(Source { path, length: data.is_file().then_some(data.len()), file })
        });
        opened.map_err(|source| failed(path, source))
    }

    /// The file's length; pipes and the like have none.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Adds the next `count` bytes, fewer at the file's end. Reserves no more than the file is long.
    pub(crate) fn read(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<()> {
        let room = usize::try_from(count.min(self.length.unwrap_or(0))).unwrap_or(usize::MAX);
        let reserved = bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory.into());
        let read = reserved.and_then(|()| (&mut self.file).take(count).read_to_end(bytes));
        read.map(|_| ()).map_err(|source| failed(self.path, source))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, |file| file.write_all(b"old")).unwrap();
        let failing = |file: &mut BufWriter<File>| {
            file.write_all(&[b'x'; 100_000])?;
            Err(io::ErrorKind::StorageFull.into())
        };
        assert!(matches!(replace(&path, failing), Err(Error::File { path: named, .. }) if named == path));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_source_reserves_no_more_than_the_file_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"twelve bytes").unwrap();
        let mut source = Source::open(&path).unwrap();
        let mut bytes = Vec::new();
        source.read(u64::MAX, &mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), source.length()), (&b"twelve bytes"[..], Some(12)));
        assert!(bytes.capacity() < 1000, "{}", bytes.capacity());
    }
}
