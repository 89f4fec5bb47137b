//! Numbers in files that may be NaN or infinite. JSON cannot represent these, so text formats get them as words. Binary formats
//! get them as numbers.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The word for a number that is not finite.
fn word(number: f64) -> &'static str {
    match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "inf",
        _ => "-inf",
    }
}

/// Writes a number, or its word if it is not finite.
pub(crate) fn write<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() || !to.is_human_readable() { number.serialize(to) } else { word(*number).serialize(to) }
}

/// Writes an f32, or its word if it is not finite.
pub(crate) fn write_f32<S: Serializer>(number: &f32, to: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() || !to.is_human_readable() {
        number.serialize(to)
    } else {
        word((*number).into()).serialize(to)
    }
}

/// Writes an optional number; `None` is written as `null`.
pub(crate) fn write_some<S: Serializer>(number: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match number {
        number if !to.is_human_readable() => number.serialize(to),
        Some(number) => write(number, to),
        None => to.serialize_none(),
    }
}

/// A visitor that reads a number, one of the words, or `null`, which means `None`.
struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(r#"a number, "NaN", "inf" or "-inf""#)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<f64>, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<f64>, E> {
        Ok(Some(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<f64>, E> {
        Ok(Some(number as f64))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Option<f64>, E> {
        match word {
            "NaN" => Ok(Some(f64::NAN)),
            "inf" => Ok(Some(f64::INFINITY)),
            "-inf" => Ok(Some(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
        Ok(None)
    }
}

/// Reads an optional number.
pub(crate) fn some<'a, D: Deserializer<'a>>(from: D) -> Result<Option<f64>, D::Error> {
    if !from.is_human_readable() {
        return Option::deserialize(from);
    }
    from.deserialize_any(NumberVisitor)
}

/// Reads a number; `null` means infinity.
pub(crate) fn or_infinity<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    read(from, f64::INFINITY)
}

/// Reads a number; `null` means NaN.
pub(crate) fn or_nan<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    read(from, f64::NAN)
}

/// Reads an f32; `null` means NaN.
pub(crate) fn or_nan_f32<'a, D: Deserializer<'a>>(from: D) -> Result<f32, D::Error> {
    if from.is_human_readable() { or_nan(from).map(|number| number as f32) } else { f32::deserialize(from) }
}

fn read<'a, D: Deserializer<'a>>(from: D, null: f64) -> Result<f64, D::Error> {
    if from.is_human_readable() { Ok(some(from)?.unwrap_or(null)) } else { f64::deserialize(from) }
}
