//! Cells of a CSV file: numbers, words that stand for a missing value, and errors; and the first bytes of files that are not text.

use std::path::Path;

use csv::ByteRecord;

use crate::error::{Error, Result};

/// Cells that stand for a missing value: the words of pandas, except NaN, which is a number; and the question mark.
const MISSING: [&str; 16] = [
    "", "?", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "null", "NULL", "None", "1.#IND", "-1.#IND",
    "1.#QNAN", "-1.#QNAN",
];

/// The rule that a file breaks which a spreadsheet can save as text.
const UTF_8: &str = "the text must be UTF-8, in spreadsheets \"CSV UTF-8\"";
/// The rule that a compressed file breaks.
const PLAIN: &str = "the text must not be compressed; read_csv_from reads from a decompressor";

/// The first bytes of files that are not text in UTF-8, the rule that such a file breaks, and what it is.
const NO_TEXT: [(&[u8], &str, &str); 6] = [
    // Spreadsheets call this "Unicode text", and the shell of Windows writes it.
    (b"\xff\xfe", UTF_8, "UTF-16"),
    (b"\xfe\xff", UTF_8, "UTF-16"),
    (b"PK\x03\x04", UTF_8, "a zip archive, as a workbook of Excel is"),
    (b"\xd0\xcf\x11\xe0", UTF_8, "a workbook of an old Excel"),
    (b"\x1f\x8b", PLAIN, "a file compressed by gzip"),
    (b"\x28\xb5\x2f\xfd", PLAIN, "a file compressed by Zstandard"),
];

/// The rule that a file with these first bytes breaks because it is not text in UTF-8, and what it is.
pub(super) fn no_text(first: &[u8]) -> Option<(&'static str, &'static str)> {
    NO_TEXT.iter().find(|(mark, ..)| first.starts_with(mark)).map(|(_, rule, what)| (*rule, *what))
}

/// The number in a cell. The words `true` and `false`, in any case, are 1 and 0: pandas, R and databases write them.
pub(super) fn number(cell: &[u8]) -> Option<f32> {
    let text = str::from_utf8(cell).ok()?;
    match text.parse::<f32>() {
        Ok(number) => Some(number),
        Err(_) if text.eq_ignore_ascii_case("true") => Some(1.0),
        Err(_) if text.eq_ignore_ascii_case("false") => Some(0.0),
        Err(_) => None,
    }
}

pub(super) fn is_missing(cell: &[u8]) -> bool {
    MISSING.iter().any(|missing| missing.as_bytes() == cell)
}

/// Whether a label is a word that would stand for a missing value in other columns.
pub(super) fn is_missing_label(label: &str) -> bool {
    is_missing(label.as_bytes()) || label.parse::<f32>().is_ok_and(f32::is_nan)
}

/// Whether two labels are spellings of one number, such as `1` and `1.0`. Integers are compared as such: f64 cannot tell large ones
/// apart.
pub(super) fn are_one_number(left: &str, right: &str) -> bool {
    match (left.parse::<i128>(), right.parse::<i128>()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left.parse::<f64>().is_ok_and(|left| right.parse::<f64>() == Ok(left)),
    }
}

/// The error for a cell of this row, which has its line; `column` counts from 0.
pub(super) fn refuse_cell<T>(
    path: &Path,
    row: &ByteRecord,
    column: usize,
    rule: &'static str,
    found: String,
) -> Result<T> {
    let line = row.position().map_or(0, |position| position.line());
    Err(Error::Cell { path: path.into(), line, column: column + 1, rule, found })
}
