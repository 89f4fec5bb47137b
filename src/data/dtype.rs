//! Number types of data files, with NumPy's names: `<f4` is f32, little-endian.

use std::fmt;

/// A number type, with its size in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dtype {
    /// The kind: `b'f'` for floats, `b'i'` and `b'u'` for integers, `b'b'` for booleans, and `b'V'` for bfloat16. NumPy does not
    /// know bfloat16, and writes it as two bytes without a type.
    pub(super) kind: u8,
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

impl Dtype {
    /// The type with this name, if numbers of that type can be read.
    pub(super) fn named(name: &str) -> Option<Self> {
        let [order, kind, size] = *name.as_bytes() else { return None };
        let size = match (kind, size) {
            (b'f', b'2' | b'4' | b'8') | (b'i' | b'u', b'1' | b'2' | b'4' | b'8') | (b'b', b'1') | (b'V', b'2') => {
                usize::from(size - b'0')
            }
            _ => return None,
        };
        let big_endian = match order {
            b'<' => false,
            b'>' => true,
            b'=' => cfg!(target_endian = "big"),
            b'|' if size == 1 || kind == b'V' => false,
            _ => return None,
        };
        Some(Dtype { kind, size, big_endian })
    }

    pub(super) fn is_integer(self) -> bool {
        matches!(self.kind, b'i' | b'u' | b'b')
    }

    /// Whether numbers of this type are f32 in this machine's byte order.
    pub(super) fn is_native_f32(self) -> bool {
        self.kind == b'f' && self.size == 4 && self.big_endian == cfg!(target_endian = "big")
    }
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
