//! Files: they are written so that they appear complete or not at all, and read without trust in the lengths that they claim.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
#[cfg(not(target_family = "wasm"))]
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// The prefix and suffix of the names of unfinished files.
const UNFINISHED: (&str, &str) = (".wgpu-mlp-", ".tmp");
/// The age from which an unfinished file counts as abandoned by a process that was killed.
#[cfg(not(target_family = "wasm"))]
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximal number of links that Linux follows.
const MOST_LINKS: usize = 40;

/// The name that errors give instead of a path if the caller passed bytes or a reader.
pub(crate) const GIVEN_BYTES: &str = "the given bytes";

/// Replaces a file: the new content is written to an unfinished file in the same folder, which is then renamed. The new file has
/// the permissions of the old one. If the path is a link, the file that it leads to is replaced. A pipe or a device cannot be
/// replaced, so the content is written to it.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    try_replace(path, write).map_err(|source| failed(path, source))
}

/// Replaces a file, as [`replace`] does, but returns the system's own error.
fn try_replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let old = std::fs::metadata(path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file() && !old.is_dir()) {
        let mut writer = BufWriter::new(File::options().write(true).open(path)?);
        write(&mut writer)?;
        return writer.flush();
    }
    let path = &behind_links(path)?;
    // A path like `..` names no file that could be replaced.
    path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = folder_of(path);
    // Browsers have no files, so creating the unfinished file fails there; wasm32 also has no clock to compare files' ages with.
    #[cfg(not(target_family = "wasm"))]
    remove_abandoned(folder, ABANDONED);
    // Dropping the unfinished file before it is renamed removes it.
    let unfinished = unfinished(folder)?;
    let mut writer = BufWriter::new(unfinished.reopen()?);
    write(&mut writer)?;
    // Permissions are set only if they differ from those of a new file: not every file system can set them.
    let kept = old.filter(|old| old.is_file()).map(|old| old.permissions());
    if let Some(kept) =
        kept.filter(|kept| unfinished.as_file().metadata().map(|new| new.permissions()).ok().as_ref() != Some(kept))
    {
        unfinished.as_file().set_permissions(kept)?;
    }
    writer.into_inner()?.sync_all()?;
    unfinished.persist(path)?;
    Ok(())
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path that this one leads to through links. It need not exist.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            // The path is not a link, or does not exist.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links, one after the other"))
}

/// Creates an unfinished file with the permissions of any new file. Without this, temporary files can be read only by their
/// owner.
fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED.0).suffix(UNFINISHED.1).rand_bytes(12);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Removes this crate's unfinished files that are older than `age`. They were left by processes that were killed while they
/// wrote. Errors are ignored, since nothing depends on the removal.
#[cfg(not(target_family = "wasm"))]
fn remove_abandoned(folder: &Path, age: Duration) {
    let Some(before) = SystemTime::now().checked_sub(age) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1));
        let is_old = |data: std::fs::Metadata| data.is_file() && data.modified().is_ok_and(|time| time < before);
        // This is the metadata of a link itself, not of the file that it points to.
        if ours && entry.metadata().is_ok_and(is_old) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The error for a file, whose source is the system's own error.
pub(crate) fn failed(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.into(), source }
}

/// A source of bytes that are read piece by piece: a file, or a reader that the caller passed.
pub(crate) struct Source<'a> {
    path: &'a Path,
    input: Input<'a>,
    length: Option<u64>,
}

/// The input that the bytes are read from.
enum Input<'a> {
    File(File),
    #[cfg_attr(not(feature = "data"), allow(dead_code, reason = "only the module `data` takes readers"))]
    Reader(&'a mut dyn Read),
}

impl<'a> Source<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        let opened = File::open(path).and_then(|file| {
            let data = file.metadata()?;
            Ok(Source { path, length: data.is_file().then_some(data.len()), input: Input::File(file) })
        });
        opened.map_err(|source| failed(path, source))
    }

    /// Makes a source of a reader. Like a pipe's, its length is not known.
    #[cfg(feature = "data")]
    pub(crate) fn reader(reader: &'a mut dyn Read) -> Self {
        Source { path: Path::new(GIVEN_BYTES), input: Input::Reader(reader), length: None }
    }

    /// The path that errors give: the file's path, or the name of given bytes.
    #[cfg(feature = "data")]
    pub(crate) fn path(&self) -> &'a Path {
        self.path
    }

    /// The file's length; `None` for pipes and readers.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// The file itself and its length; `None` for pipes and readers.
    #[cfg(feature = "data")]
    pub(crate) fn into_file(self) -> Option<(File, u64)> {
        match self.input {
            Input::File(file) => Some((file, self.length?)),
            Input::Reader(_) => None,
        }
    }

    /// Appends the next `count` bytes to `bytes`, or fewer at the end of the file. It reserves no more memory than the length of
    /// the file.
    pub(crate) fn read(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<()> {
        let room = usize::try_from(count.min(self.length.unwrap_or(0))).unwrap_or(usize::MAX);
        let reserved = bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory.into());
        let read = reserved.and_then(|()| match &mut self.input {
            Input::File(file) => file.take(count).read_to_end(bytes),
            Input::Reader(reader) => reader.take(count).read_to_end(bytes),
        });
        read.map(|_| ()).map_err(|source| failed(self.path, source))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::fs;

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
    fn what_killed_processes_left_behind_stops_nobody_and_goes_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.checkpoint");
        let leftover = |name: &str, hours: u64| {
            let file = File::create_new(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
        };
        // Earlier versions named these files by the number of the process, which is 1 in every container, and a counter.
        (0..4).for_each(|count| leftover(&format!(".run.checkpoint.{}-{count}.tmp", std::process::id()), 48));
        leftover(".wgpu-mlp-old.tmp", 25);
        leftover(".wgpu-mlp-young.tmp", 23);
        leftover(".wgpu-mlp-old.txt", 48);
        leftover("wgpu-mlp-old.tmp", 48);
        for round in 0..4 {
            replace(&path, |file| write!(file, "{round}")).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"3");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 8, "{left:?}");
        assert!(!left.iter().any(|name| name == ".wgpu-mlp-old.tmp"), "{left:?}");
    }

    #[test]
    fn a_name_may_be_as_long_as_the_system_allows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x".repeat(255));
        replace(&path, |file| file.write_all(b"long")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"long");
    }

    #[cfg(unix)]
    #[test]
    fn a_replaced_file_is_as_readable_as_any_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, plain) = (dir.path().join("replaced"), dir.path().join("plain"));
        replace(&path, |file| file.write_all(b"new")).unwrap();
        fs::write(&plain, b"new").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }

    #[cfg(unix)]
    #[test]
    fn links_permissions_and_pipes_stay_what_they_are() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("runs")).unwrap();
        fs::write(path("runs/7"), b"old").unwrap();
        fs::set_permissions(path("runs/7"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("runs/7", path("last")).unwrap();
        symlink("last", path("latest")).unwrap();
        replace(&path("latest"), |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(path("runs/7")).unwrap(), b"new");
        assert!(fs::symlink_metadata(path("latest")).unwrap().is_symlink());
        assert_eq!(fs::metadata(path("runs/7")).unwrap().permissions().mode() & 0o777, 0o600);
        symlink("runs/8", path("next")).unwrap();
        replace(&path("next"), |file| file.write_all(b"8")).unwrap();
        assert_eq!(fs::read(path("runs/8")).unwrap(), b"8");
        symlink("circle", path("circle")).unwrap();
        assert!(matches!(replace(&path("circle"), |_| Ok(())), Err(Error::File { .. })));

        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = path("pipe");
            move || fs::read(pipe).unwrap()
        });
        replace(&path("pipe"), |file| file.write_all(b"through")).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
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
