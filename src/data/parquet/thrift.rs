//! Thrift's compact protocol: as much of it as is needed to check a Parquet file's claims before the decoder uses them.

/// The maximal depth of nested structs and lists.
const DEEPEST: u32 = 32;

/// Bytes in the compact protocol, read from the front. Methods return `None` if the bytes end too early or are not valid.
pub(super) struct Thrift<'a>(pub(super) &'a [u8]);

impl<'a> Thrift<'a> {
    pub(super) fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    /// Reads an integer, which is stored in groups of seven bits, the lowest group first.
    pub(super) fn integer(&mut self) -> Option<u64> {
        let mut value = 0;
        for index in 0..10 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Reads a signed integer, which must not be negative.
    pub(super) fn count(&mut self) -> Option<u64> {
        self.integer().filter(|value| value % 2 == 0).map(|value| value / 2)
    }

    /// Reads the number and type of a struct's next field. `before` is the number of the field before. Type 0 is the end of the
    /// struct.
    fn field(&mut self, before: u64) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let number = match byte >> 4 {
            _ if byte == 0 => before,
            0 => self.count()?,
            more => before + u64::from(more),
        };
        // The decoder would truncate a larger number and take the field for another one.
        (number <= i16::MAX as u64).then_some((number, byte & 0xf))
    }

    /// Reads the length of a list, and the type of its items.
    fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let length = if byte >> 4 == 0xf { self.integer()? } else { u64::from(byte >> 4) };
        Some((length, byte & 0xf))
    }

    /// Skips a value of this type. Lists of booleans are refused, since a footer has none.
    fn skip(&mut self, kind: u8, in_list: bool, deeper: u32) -> Option<()> {
        let deeper = deeper.checked_sub(1)?;
        match kind {
            1 | 2 if !in_list => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.integer()?),
            7 => drop(self.bytes(8)?),
            8 => {
                let length = self.integer()?;
                self.bytes(length)?;
            }
            9 | 10 => {
                let (length, kind) = self.list()?;
                // Each item has at least one byte, so a large length alone takes no time.
                (0..length).try_for_each(|_| self.skip(kind, true, deeper))?;
            }
            12 => {
                let mut number = 0;
                loop {
                    let (next, kind) = self.field(number)?;
                    if kind == 0 {
                        break;
                    }
                    self.skip(kind, false, deeper)?;
                    number = next;
                }
            }
            // A footer has neither maps nor other types.
            _ => return None,
        }
        Some(())
    }

    /// The depth of the schema in a footer, which is the maximal number of nested groups.
    pub(super) fn schema_depth(mut self) -> Option<usize> {
        let (mut number, mut deepest) = (0, 0);
        loop {
            let (next, kind) = self.field(number)?;
            match (next, kind) {
                (_, 0) => return Some(deepest),
                // If a field occurs twice, the deeper schema counts.
                (2, 9) => deepest = deepest.max(self.elements_depth()?),
                // The decoder ignores the types of fields that it knows. A field of another type could thus hide what the decoder
                // reads, so it is refused.
                (1, 5) | (3, 6) | (4 | 5 | 7, 9) | (6 | 9, 8) | (8, 12) | (10.., _) => {
                    self.skip(kind, false, DEEPEST)?
                }
                _ => return None,
            }
            number = next;
        }
    }

    /// The depth of a list of schema elements. Each element comes before its children.
    fn elements_depth(&mut self) -> Option<usize> {
        let (length, _) = self.list()?;
        // For each level, the number of children that are still to come.
        let (mut to_come, mut deepest) = (Vec::new(), 0);
        for _ in 0..length {
            while to_come.pop_if(|count| *count == 0).is_some() {}
            if let Some(count) = to_come.last_mut() {
                *count -= 1;
            }
            let (mut number, mut children) = (0, 0);
            loop {
                let (next, kind) = self.field(number)?;
                match (next, kind) {
                    (_, 0) => break,
                    // The decoder reserves memory for this number of children.
                    (5, 5) => children = self.count().filter(|count| *count <= length)?,
                    (1..=3 | 6..=9, 5) | (4, 8) | (10, 12) | (11.., _) => self.skip(kind, false, DEEPEST)?,
                    _ => return None,
                }
                number = next;
            }
            to_come.push(children);
            deepest = deepest.max(to_come.len());
        }
        Some(deepest)
    }
}

/// Skips numbers in the encoding DELTA_BINARY_PACKED, and checks that there are at most `most` of them.
///
/// The numbers begin with the length of a block, the number of its parts, the count of numbers, and the first number. A block has
/// its smallest difference, a bit width for each part, and the parts.
pub(super) fn skip_deltas(bytes: &mut Thrift<'_>, most: u64) -> Option<()> {
    let (block, parts, count) = (bytes.integer()?, bytes.integer()?, bytes.integer()?);
    bytes.integer()?;
    let length = block.checked_div(parts)?;
    let mut left = Some(count).filter(|count| *count <= most)?.saturating_sub(1);
    while left > 0 {
        bytes.integer()?;
        for width in bytes.bytes(parts)? {
            if left > 0 {
                bytes.bytes(length.checked_mul(u64::from(*width))? / 8)?;
                left = left.saturating_sub(length);
            }
        }
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A footer whose schema has this number of nested groups.
    fn nested(levels: usize) -> Vec<u8> {
        let mut footer = vec![0x15, 2, 0x19, 0xfc, (levels + 1) as u8 | 0x80, ((levels + 1) >> 7) as u8];
        (0..levels).for_each(|_| footer.extend([0x35, 0, 0x18, 1, b'a', 0x15, 2, 0]));
        footer.extend([0x15, 2, 0x25, 0, 0x18, 1, b'x', 0, 0]);
        footer
    }

    #[test]
    fn a_schema_is_as_deep_as_its_groups() {
        for levels in [1, 3, 1000] {
            assert_eq!(Thrift(&nested(levels)).schema_depth(), Some(levels + 1));
        }
        let footer = nested(3);
        (0..footer.len()).for_each(|length| assert_eq!(Thrift(&footer[..length]).schema_depth(), None));
        // Damages: a group that claims more children than the schema has elements, and fields of other types.
        let children = footer.iter().position(|byte| *byte == b'a').map_or(0, |name| name + 2);
        for (place, byte) in [(children, 120), (0, 0x18), (2, 0x18), (children - 1, 0x18)] {
            let mut damaged = footer.clone();
            damaged[place] = byte;
            assert_eq!(Thrift(&damaged).schema_depth(), None, "{place}");
        }
    }

    #[test]
    fn deltas_are_skipped_and_counted() {
        // A block of 128 numbers in four parts. The second part is needed, but its width is 0 bits.
        let numbers = |count: u8| [&[0x80, 1, 4, count, 2, 0, 1, 0, 0, 0][..], &[0xff; 4], &[7]].concat();
        for (count, most, left) in [(34, 34, Some(1)), (33, 100, Some(1)), (34, 33, None), (1, 1, Some(10))] {
            let bytes = numbers(count);
            let mut thrift = Thrift(&bytes);
            assert_eq!(skip_deltas(&mut thrift, most).map(|()| thrift.0.len()), left);
        }
        assert!(skip_deltas(&mut Thrift(&[0x80, 1, 0, 1, 0]), 9).is_none());
        assert!(skip_deltas(&mut Thrift(&[0, 1, 9, 0, 0, 0, 0]), 9).is_none());
    }
}
