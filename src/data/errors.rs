//! Errors about the content of data files.

use std::path::Path;

use crate::error::{Error, Result};

/// The most columns that an error lists.
const LISTED: usize = 20;

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

/// The names of so many columns as errors list them: the first ones, and how many more there are.
pub(super) fn listed(count: usize, names: impl Iterator<Item = String>) -> String {
    let first: Vec<_> = names.take(LISTED).collect();
    match count.saturating_sub(LISTED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
