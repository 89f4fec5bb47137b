//! Numbers in saved reports: JSON has none for NaN and infinity, so these are written as words.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serialize, Serializer};

/// The word for a number that is not finite.
fn word(number: f64) -> &'static str {
    match number {
        _ if number.is_nan() => "NaN",
        _ if number > 0.0 => "inf",
        _ => "-inf",
    }
}

/// Writes a number, or its word.
pub(super) fn write<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() { number.serialize(to) } else { word(*number).serialize(to) }
}

/// Writes an f32, or its word.
pub(super) fn write_f32<S: Serializer>(number: &f32, to: S) -> Result<S::Ok, S::Error> {
    if number.is_finite() { number.serialize(to) } else { word((*number).into()).serialize(to) }
}

/// Writes a number, or `null` where there is none.
pub(super) fn write_some<S: Serializer>(number: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => write(number, to),
        None => to.serialize_none(),
    }
}

/// Reads a number, one of the words, or `null` as none.
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

/// Reads a share that may be missing.
pub(super) fn some_share<'a, D: Deserializer<'a>>(from: D) -> Result<Option<f64>, D::Error> {
    from.deserialize_any(NumberVisitor)
}

/// Reads a share; `null` is infinity.
pub(super) fn share<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    Ok(from.deserialize_any(NumberVisitor)?.unwrap_or(f64::INFINITY))
}

/// Reads a value; `null` is NaN.
pub(super) fn value<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    Ok(from.deserialize_any(NumberVisitor)?.unwrap_or(f64::NAN))
}

/// Reads an f32; `null` is NaN.
pub(super) fn value_f32<'a, D: Deserializer<'a>>(from: D) -> Result<f32, D::Error> {
    value(from).map(|value| value as f32)
}
