//! Labels in files: integers, booleans, or floats that are whole numbers.

use std::path::Path;

use super::dtype::Dtype;
use super::errors::refuse;
use crate::error::Result;

/// 2^63, the first whole number that is too large for i64.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;
/// The rule that a label of 2^63 or more breaks.
pub(super) const TOO_LARGE: &str = "labels must be at most 9223372036854775807";

/// Checks labels that were decoded to i64 from integers or booleans of this type.
pub(super) fn from_integers(path: &Path, dtype: Dtype, labels: Vec<i64>) -> Result<Vec<i64>> {
    // The decoder casts u64 to i64, so the upper half of the range becomes negative.
    match labels.iter().position(|label| *label < 0) {
        Some(row) if dtype.kind == b'u' => refuse(path, TOO_LARGE, format!("{} in row {row}", labels[row] as u64)),
        _ => Ok(labels),
    }
}

/// Converts labels that were decoded to f64 from floats. They must be whole numbers.
pub(super) fn from_floats(path: &Path, values: Vec<f64>) -> Result<Vec<i64>> {
    let label = |(row, value): (usize, f64)| {
        whole(value).or_else(|rule| {
            let found = if value.fract() == 0.0 { format!("{value:e}") } else { value.to_string() };
            refuse(path, rule, format!("{found} in row {row}"))
        })
    };
    values.into_iter().enumerate().map(label).collect()
}

/// The label that a float stands for, or the rule that it breaks.
pub(super) fn whole(value: f64) -> Result<i64, &'static str> {
    match value {
        _ if value.fract() != 0.0 || !value.is_finite() => Err("labels must be whole numbers"),
        _ if value >= BEYOND => Err(TOO_LARGE),
        _ if value < -BEYOND => Err("labels must be at least -9223372036854775808"),
        _ => Ok(value as i64),
    }
}
