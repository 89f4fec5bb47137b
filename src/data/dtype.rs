//! Number types of `.npy` files, as NumPy names them: `<f4` is f32, little-endian.

use std::fmt;

/// A number type, with its size in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dtype {
    /// `b'f'` for floats, `b'i'` and `b'u'` for integers, `b'b'` for booleans.
    pub(super) kind: u8,
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

impl Dtype {
    /// The type with this name, if numbers of that type can be read.
    pub(super) fn named(name: &str) -> Option<Self> {
        let [order, kind, size] = *name.as_bytes() else { return None };
        let size = match (kind, size) {
            (b'f', b'4' | b'8') | (b'i' | b'u', b'1' | b'2' | b'4' | b'8') | (b'b', b'1') => usize::from(size - b'0'),
            _ => return None,
        };
        let big_endian = match order {
            b'<' => false,
            b'>' => true,
            b'=' => cfg!(target_endian = "big"),
            b'|' if size == 1 => false,
            _ => return None,
        };
        Some(Dtype { kind, size, big_endian })
    }

    pub(super) fn is_integer(self) -> bool {
        self.kind != b'f'
    }

    /// Whether numbers of this type are f32 in this machine's byte order.
    pub(super) fn is_native_f32(self) -> bool {
        self.kind == b'f' && self.size == 4 && self.big_endian == cfg!(target_endian = "big")
    }
}

/// Defines a decoder to one type, into which each number is cast by `as`.
macro_rules! decode {
    ($name:ident, $to:ty) => {
        #[doc = concat!("Decodes the numbers in these bytes, and appends them as ", stringify!($to), ".")]
        pub(super) fn $name(dtype: Dtype, bytes: &[u8], values: &mut Vec<$to>) {
            let big = dtype.big_endian;
            match (dtype.kind, dtype.size) {
                (b'f', 4) => values.extend(chunks(bytes, big).map(|bytes| f32::from_le_bytes(bytes) as $to)),
                (b'f', 8) => values.extend(chunks(bytes, big).map(|bytes| f64::from_le_bytes(bytes) as $to)),
                (b'i', 1) => values.extend(chunks(bytes, big).map(|bytes| i8::from_le_bytes(bytes) as $to)),
                (b'i', 2) => values.extend(chunks(bytes, big).map(|bytes| i16::from_le_bytes(bytes) as $to)),
                (b'i', 4) => values.extend(chunks(bytes, big).map(|bytes| i32::from_le_bytes(bytes) as $to)),
                (b'i', 8) => values.extend(chunks(bytes, big).map(|bytes| i64::from_le_bytes(bytes) as $to)),
                (b'u', 1) => values.extend(chunks(bytes, big).map(|bytes| u8::from_le_bytes(bytes) as $to)),
                (b'u', 2) => values.extend(chunks(bytes, big).map(|bytes| u16::from_le_bytes(bytes) as $to)),
                (b'u', 4) => values.extend(chunks(bytes, big).map(|bytes| u32::from_le_bytes(bytes) as $to)),
                (b'u', 8) => values.extend(chunks(bytes, big).map(|bytes| u64::from_le_bytes(bytes) as $to)),
                _ => values.extend(bytes.iter().map(|byte| u8::from(*byte != 0) as $to)),
            }
        }
    };
}
decode!(floats, f32);
decode!(doubles, f64);
decode!(integers, i64);

/// The bytes of each number, in chunks with the lowest byte first.
fn chunks<const SIZE: usize>(bytes: &[u8], big_endian: bool) -> impl Iterator<Item = [u8; SIZE]> {
    let order = move |mut bytes: [u8; SIZE]| {
        if big_endian {
            bytes.reverse();
        }
        bytes
    };
    bytes.as_chunks().0.iter().copied().map(order)
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.big_endian {
            _ if self.size == 1 => '|',
            true => '>',
            false => '<',
        };
        write!(f, "{order}{}{}", char::from(self.kind), self.size)
    }
}
