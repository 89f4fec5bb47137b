//! What breaks a rule of the source and is known.

/// Rules, and for each what may break it as yet: this is to become empty, and nothing new may come to it.
pub const EXCEPTIONS: &[(&str, &[&str])] = &[];
