//! A reader that remembers the bytes that it returned last.

use std::io::{self, Read};

/// The byte order mark that some programs write before text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader that keeps the bytes that it returned since a moving position: a row of CSV, and the bytes read ahead of it.
pub(super) struct RecentBytes<'a> {
    reader: &'a mut dyn Read,
    recent: Vec<u8>,
    /// The position of the first byte that is kept.
    start: u64,
    /// The position of the first byte that is still needed.
    needed: u64,
}

impl<'a> RecentBytes<'a> {
    pub(super) fn new(reader: &'a mut dyn Read) -> Self {
        RecentBytes { reader, recent: Vec::new(), start: 0, needed: 0 }
    }

    /// Declares that bytes before this position are not needed any more. They are removed at the next read, so that the other
    /// bytes are not moved for every row.
    pub(super) fn forget_before(&mut self, place: u64) {
        self.needed = place;
    }

    /// The number of newlines among the consecutive line ends at this position.
    pub(super) fn newlines_at(&self, place: u64) -> u64 {
        let skipped = usize::try_from(place.saturating_sub(self.start)).unwrap_or(usize::MAX);
        // A byte order mark at the beginning of the file comes before its first line.
        let mark =
            if place + self.start == 0 && self.recent.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let ends = self.recent.iter().skip(skipped.max(mark)).take_while(|byte| b"\r\n".contains(byte));
        ends.filter(|byte| **byte == b'\n').count() as u64
    }
}

impl Read for RecentBytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let forgotten = usize::try_from(self.needed.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let forgotten = forgotten.min(self.recent.len());
        self.recent.drain(..forgotten);
        self.start += forgotten as u64;
        // The buffer is filled as far as possible. Otherwise the CSV reader would take an interruption for an error, and a byte
        // order mark that comes alone for an empty file.
        let mut read = 0;
        while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let read = read.min(into.len());
        self.recent.try_reserve(read).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.recent.extend_from_slice(into.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_remembered_than_is_needed() {
        let bytes: Vec<u8> = (0..1000).map(|index| if index % 100 < 3 { b'\n' } else { b'x' }).collect();
        let mut unread = &bytes[..];
        let mut reader = RecentBytes::new(&mut unread);
        let mut room = [0; 50];
        for place in (0..1000).step_by(50) {
            reader.forget_before(place);
            assert_eq!(reader.read(&mut room).unwrap(), 50);
            assert_eq!(reader.newlines_at(place), if place % 100 == 0 { 3 } else { 0 });
            assert_eq!(reader.recent.len(), 50);
        }
        assert_eq!((reader.read(&mut room).unwrap(), reader.newlines_at(1000)), (0, 0));
    }
}
