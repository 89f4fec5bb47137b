//! Shapes, rows and lists in the form in which errors print them.

use std::fmt;

/// The shape of a matrix, which error messages print as `rows x cols`.
///
/// ```
/// assert_eq!(wgpu_mlp::Shape { rows: 64, cols: 128 }.to_string(), "64x128");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Shape {
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub cols: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.cols)
    }
}

impl From<(usize, usize)> for Shape {
    fn from((rows, cols): (usize, usize)) -> Self {
        Shape { rows, cols }
    }
}

/// The message of [`Error::NonFinite`](crate::Error::NonFinite), with the row if it is known.
pub(super) fn non_finite(op: &str, layer: usize, row: Option<usize>, [epoch, step]: [usize; 2]) -> String {
    let row = row.map(|row| format!(" for row {row}")).unwrap_or_default();
    format!(
        "fit: {op} of layer {layer} is NaN or infinite{row}, in step {step} of epoch {epoch}; features, learning rate or first \
         weights may be too large"
    )
}

/// The message of [`Error::OutOfMemory`](crate::Error::OutOfMemory). Drivers do not say the size if memory runs out inside a
/// call.
pub(super) fn out_of_memory(bytes: u64) -> String {
    match bytes {
        0 => "out of device memory; the driver does not say how much was wanted".into(),
        _ => format!("out of device memory: {bytes} bytes could not be had"),
    }
}

/// The entries as a text with commas between them, or `none`.
pub(super) fn list(found: &[String]) -> String {
    if found.is_empty() { "none".into() } else { found.join(", ") }
}

/// The text of a number in its most readable form: with an exponent if it would have many zeros otherwise.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size == 0.0 || (1e-5..1e16).contains(&size) => value.to_string(),
        _ => format!("{value:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_an_exponent_where_they_would_have_many_zeros() {
        let written = [0.0, -0.5, 3.0, 1e60, -2.5e-9, f64::NAN, f64::INFINITY].map(number);
        assert_eq!(written, ["0", "-0.5", "3", "1e60", "-2.5e-9", "NaN", "inf"]);
    }
}
