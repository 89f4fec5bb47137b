//! Shapes, rows and lists as errors print them.

use std::fmt;

/// The shape of a matrix, which error messages print as `rows x cols`.
///
/// ```
/// assert_eq!(wgpu_mlp::Shape { rows: 64, cols: 128 }.to_string(), "64x128");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Shape {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
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

/// The message of [`Error::NonFinite`](crate::Error::NonFinite), with the row where one is known.
pub(super) fn non_finite(op: &str, layer: usize, row: Option<usize>, [epoch, step]: [usize; 2]) -> String {
    let row = row.map(|row| format!(" for row {row}")).unwrap_or_default();
    format!(
        "fit: {op} of layer {layer} is NaN or infinite{row}, in step {step} of epoch {epoch}; features, learning rate or first \
         weights may be too large"
    )
}

/// The entries with commas between, or `none`.
pub(super) fn list(found: &[String]) -> String {
    if found.is_empty() { "none".into() } else { found.join(", ") }
}
