//! Errors about the content of data files.

use std::path::Path;

use crate::error::{Error, Result};

/// The maximal number of columns that an error lists.
const LISTED: usize = 20;

/// The error for a file that breaks a rule. `found` says what was there instead.
pub(super) fn refuse<T>(path: &Path, rule: &'static str, found: String) -> Result<T> {
    Err(Error::Data { path: path.into(), rule, found })
}

/// The text of a cell or a name in errors: in quotes, and cut after 40 characters.
pub(super) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?} and more", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The names of `count` columns as errors list them: the first names, and the number of the others.
pub(super) fn listed(count: usize, names: impl Iterator<Item = String>) -> String {
    let first: Vec<_> = names.take(LISTED).collect();
    match count.saturating_sub(LISTED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
