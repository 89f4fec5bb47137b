//! Filling a buffer from a reader that gives its bytes in parts.

use std::io::{self, ErrorKind};

/// Fills the buffer as far as there are bytes, even if they come in parts or a read is interrupted. `read` gets the number of
/// bytes that are there by now, and the rest of the buffer. Returns the number of bytes.
pub(super) fn filled(
    into: &mut [u8],
    mut read: impl FnMut(usize, &mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match read(done, rest) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done.min(into.len()))
}
