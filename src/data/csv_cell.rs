//! Cells of a CSV file: numbers, and words that stand for a missing value.

/// Cells that stand for a missing value: the words of pandas, except NaN, which is a number; and the question mark.
const MISSING: [&str; 16] = [
    "", "?", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "null", "NULL", "None", "1.#IND", "-1.#IND",
    "1.#QNAN", "-1.#QNAN",
];

pub(super) fn number(cell: &[u8]) -> Option<f32> {
    str::from_utf8(cell).ok()?.parse().ok()
}

pub(super) fn is_missing(cell: &[u8]) -> bool {
    MISSING.iter().any(|missing| missing.as_bytes() == cell)
}

/// Whether a label is a word that would stand for a missing value in other columns.
pub(super) fn is_missing_label(label: &str) -> bool {
    is_missing(label.as_bytes()) || label.parse::<f32>().is_ok_and(f32::is_nan)
}
