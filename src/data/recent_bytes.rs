//! A reader that remembers the bytes that it returned last.

use std::io::{self, Read};

use super::filled::filled;

/// The byte order mark that some programs write before text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader that keeps the bytes that it returned since a moving position: a row of CSV, and the bytes read ahead of it. It counts
/// the lines before that position.
pub(super) struct RecentBytes<'a> {
    reader: &'a mut dyn Read,
    recent: Vec<u8>,
    /// The position of the first byte that is kept.
    start: u64,
    /// The position of the first byte that is still needed.
    needed: u64,
    /// The line ends before that position.
    passed: LineEnds,
}

/// A count of line ends. CR, LF, and CR with LF behind it are one line end each, as in editors.
#[derive(Clone, Copy, Default)]
struct LineEnds {
    count: u64,
    /// Whether the last byte was CR, so that LF behind it belongs to a line end that is counted already.
    after_cr: bool,
}

impl LineEnds {
    /// The count after these further bytes.
    fn and_in<'b>(self, bytes: impl IntoIterator<Item = &'b u8>) -> Self {
        bytes.into_iter().fold(self, |LineEnds { count, after_cr }, byte| {
            let ends = *byte == b'\r' || (*byte == b'\n' && !after_cr);
            LineEnds { count: count + u64::from(ends), after_cr: *byte == b'\r' }
        })
    }
}

impl<'a> RecentBytes<'a> {
    pub(super) fn new(reader: &'a mut dyn Read) -> Self {
        RecentBytes { reader, recent: Vec::new(), start: 0, needed: 0, passed: LineEnds::default() }
    }

    /// Declares that bytes before this position are not needed any more. They are removed at the next read, so that the other
    /// bytes are not moved for every row.
    pub(super) fn forget_before(&mut self, place: u64) {
        let passed = self.index(self.needed)..self.index(place);
        self.passed = self.passed.and_in(self.recent.get(passed).unwrap_or_default());
        self.needed = place;
    }

    /// The line, counted from 1, on which the first row behind the needed position begins. Empty lines before the row count too.
    pub(super) fn line_of_row(&self) -> u64 {
        // A byte order mark at the beginning of the file comes before its first line.
        let has_mark = self.needed == 0 && self.recent.starts_with(BYTE_ORDER_MARK);
        let begin = if has_mark { BYTE_ORDER_MARK.len() } else { self.index(self.needed) };
        let empty = self.recent.iter().skip(begin).take_while(|byte| b"\r\n".contains(byte));
        self.passed.and_in(empty).count + 1
    }

    /// The index of the byte at this position among those that are kept.
    fn index(&self, place: u64) -> usize {
        let index = usize::try_from(place.saturating_sub(self.start)).unwrap_or(usize::MAX);
        index.min(self.recent.len())
    }
}

impl Read for RecentBytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let forgotten = self.index(self.needed);
        self.recent.drain(..forgotten);
        self.start += forgotten as u64;
        // The buffer is filled as far as possible. Otherwise the CSV reader would take an interruption for an error, and a byte
        // order mark that comes alone for an empty file.
        let read = filled(into, |_, rest| self.reader.read(rest))?;
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
            // Every hundred bytes begin with three line ends, which come before the next row.
            assert_eq!(reader.line_of_row(), 1 + 3 * (place / 100 + 1));
            assert_eq!(reader.recent.len(), 50);
        }
        reader.forget_before(1000);
        assert_eq!((reader.read(&mut room).unwrap(), reader.line_of_row()), (0, 31));
    }

    #[test]
    fn line_ends_of_every_kind_are_one_each_also_where_they_are_cut() {
        for cut in 0..=9 {
            let bytes = b"a\r\n\rb\n\r\nc";
            let mut unread = &bytes[..];
            let mut reader = RecentBytes::new(&mut unread);
            assert_eq!(reader.read(&mut [0; 20]).unwrap(), 9);
            reader.forget_before(cut);
            // The rows a, b and c are on the lines 1, 3 and 5.
            let line = match cut {
                0 => 1,
                1..=4 => 3,
                _ => 5,
            };
            assert_eq!(reader.line_of_row(), line, "cut after {cut} bytes");
        }
    }
}
