//! The files of a pattern, such as `train-*.npy`.

use std::path::{Component, Path, PathBuf};

use crate::data::errors::refuse;
use crate::error::{Error, Result};

/// The paths of the files that a pattern matches, in the order of their names: `train-*.npy` or
/// `parts/**/*.safetensors`.
///
/// `*` stands for any characters of a name, `?` for one, `[0-9]` for one of these, and `**` for any folders. As in a shell, they
/// stand for no file and no folder whose name begins with a dot. Files whose names are not UTF-8 are not found. Names are
/// ordered character by character, so that numbers in them need leading zeros: `train-10.npy` comes before
/// `train-2.npy`. [`open_npy`](super::open_npy) has an example.
///
/// # Errors
/// [`Error::Data`] for a pattern that is malformed, or that no file matches; [`Error::File`] for a folder that cannot
/// be read.
///
/// ```
/// use wgpu_mlp::data::shard_paths;
/// assert_eq!(shard_paths("examples/data/f*.csv")?, [std::path::Path::new("examples/data/flowers.csv")]);
/// assert!(shard_paths("examples/data/f*.npy").is_err());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn shard_paths(pattern: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = pattern.as_ref();
    let Some(pattern) = path.to_str() else { return refuse(path, "the pattern must be UTF-8", "other bytes".into()) };
    let found = match glob::glob(pattern) {
        Ok(found) => found,
        Err(error) => return refuse(path, "the pattern must be well-formed", error.to_string()),
    };
    let unread = |error: glob::GlobError| Error::File { path: error.path().into(), source: error.into() };
    let mut paths = found.map(|entry| entry.map_err(unread)).collect::<Result<Vec<_>>>()?;
    paths.retain(|found| !found.is_dir() && hidden(found) <= hidden(path));
    paths.sort();
    if paths.is_empty() {
        return refuse(path, "the pattern must match a file", "none".into());
    }
    Ok(paths)
}

/// The number of names in a path that begin with a dot, but for `.` and `..`.
fn hidden(path: &Path) -> usize {
    let begins_with_dot =
        |part: &Component<'_>| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."));
    path.components().filter(begins_with_dot).count()
}
