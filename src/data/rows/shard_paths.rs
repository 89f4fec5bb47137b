//! The paths of the files that match a pattern, such as `train-*.npy`.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use glob::Pattern;

use crate::data::errors::refuse;
use crate::error::{Error, Result};
use crate::files::folder_of;

/// The paths of the files that match a pattern such as `train-*.npy` or `parts/**/*.safetensors`, in the order of their names.
///
/// In a pattern `*` stands for any characters of a name, `?` for one character, `[0-9]` for one of these, and `**` for any
/// folders. As in a shell, these never match a dot at the beginning of a name. `**` follows links to folders. A file that is found
/// in several ways, because a link leads to a folder that is searched anyway, is given once; a link that leads back to a folder
/// above it is an error if there is such a file behind it, since the search could take forever.
///
/// If the pattern, or a leading part of it, is exactly the path of an existing file or folder, these characters have no special
/// meaning in that path. So `folder.join("*.npy")` finds the files of any folder, even of `runs [2026]`. Such a folder is found
/// by listing its parent folder, which must be readable, and must have the same name with the same upper and lower case.
///
/// A pattern does not find files whose names are not UTF-8. Names are compared character by character, so numbers in them need
/// leading zeros: `train-10.npy` comes before `train-2.npy`. [`open_npy`](super::open_npy) has an example.
///
/// # Errors
/// [`Error::Data`] for a malformed pattern, if no file matches, or for a link that leads back; [`Error::File`] for a folder that
/// cannot be read.
///
/// ```
/// use wgpu_mlp::data::shard_paths;
/// assert_eq!(shard_paths("examples/data/f*.csv")?, [std::path::Path::new("examples/data/flowers.csv")]);
/// assert!(shard_paths("examples/data/f*.npy").is_err());
/// # Ok::<(), wgpu_mlp::Error>(())
/// ```
pub fn shard_paths(pattern: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = pattern.as_ref();
    if path.exists() && !path.is_dir() {
        return Ok(vec![path.into()]);
    }
    let Some(pattern) = path.to_str() else { return refuse(path, "the pattern must be UTF-8", "other bytes".into()) };
    let found = match glob::glob(&with_plain_folders(pattern)) {
        Ok(found) => found,
        Err(error) => return refuse(path, "the pattern must be well-formed", error.to_string()),
    };
    let (mut paths, everywhere) = (Vec::new(), pattern.contains("**"));
    for entry in found {
        let found = entry.map_err(|error| Error::File { path: error.path().into(), source: error.into() })?;
        if found.is_dir() || hidden(&found) > hidden(path) {
            continue;
        }
        if everywhere && let Some(link) = link_back(&found) {
            let rule = "with **, no link may lead back to a folder above it";
            return refuse(path, rule, link.display().to_string());
        }
        paths.push(found);
    }
    if everywhere {
        keep_once(&mut paths);
    }
    paths.sort();
    if paths.is_empty() {
        return refuse(path, "the pattern must match a file", "none".into());
    }
    Ok(paths)
}

/// The pattern, with the special characters escaped in the longest leading path that exists as a folder.
fn with_plain_folders(pattern: &str) -> String {
    let path = Path::new(pattern);
    // The prefix of a disk or the root is not escaped. Both it and the folder are at the beginning of the path.
    let is_root = |part: &Component<'_>| matches!(part, Component::Prefix(_) | Component::RootDir);
    let root = path.components().take_while(is_root).collect::<PathBuf>().as_os_str().len();
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).map_or(0, |folder| folder.as_os_str().len());
    match (pattern.get(..root), pattern.get(root..folder), pattern.get(folder..)) {
        (Some(root), Some(folder), Some(rest)) => format!("{root}{}{rest}", Pattern::escape(folder)),
        _ => pattern.into(),
    }
}

/// The link in a path that leads back to a folder above it, if there is one.
fn link_back(path: &Path) -> Option<&Path> {
    let leads_back = |link: &&Path| match (link.canonicalize(), folder_of(link).canonicalize()) {
        (Ok(target), Ok(folder)) => folder.starts_with(target),
        _ => false,
    };
    path.ancestors().skip(1).filter(|folder| folder.is_symlink()).find(leads_back)
}

/// Removes the paths that lead to a folder and a name to which another path leads too. The path with the fewest links stays.
fn keep_once(paths: &mut Vec<PathBuf>) {
    paths.sort_by_cached_key(|path| path.ancestors().skip(1).filter(|folder| folder.is_symlink()).count());
    let mut known = HashSet::new();
    paths.retain(|path| {
        let folder = folder_of(path);
        let real = folder.canonicalize().unwrap_or_else(|_| folder.into());
        known.insert((real, path.file_name().map(ToOwned::to_owned)))
    });
}

/// The number of names in a path that begin with a dot, except `.` and `..`.
fn hidden(path: &Path) -> usize {
    let begins_with_dot =
        |part: &Component<'_>| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."));
    path.components().filter(begins_with_dot).count()
}
