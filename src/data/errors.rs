//! Errors about the content of data files.

use std::path::Path;

use crate::error::{Error, Result};

/// The error for a file that breaks a rule, with what was found instead.
pub(super) fn refuse<T>(path: &Path, rule: &'static str, found: String) -> Result<T> {
    Err(Error::Data { path: path.into(), rule, found })
}

/// A cell or a name as errors print it: in quotes, and cut after 40 characters.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?} and more", &text[..end]),
        None => format!("{text:?}"),
    }
}
