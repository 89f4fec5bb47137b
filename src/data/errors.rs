//! Errors about the content of data files.

use std::path::Path;

use crate::error::{Error, Result};

/// The error for a file that breaks a rule, with what was found instead.
pub(super) fn refuse<T>(path: &Path, rule: &'static str, found: String) -> Result<T> {
    Err(Error::Data { path: path.into(), rule, found })
}
