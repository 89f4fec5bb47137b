//! What breaks a rule of the source and is known.

/// Rules, and for each what may break it: nothing new may come to it.
pub const EXCEPTIONS: &[(&str, &[&str])] = &[("no file has more than 300 lines", &["tests/mutants"])];
