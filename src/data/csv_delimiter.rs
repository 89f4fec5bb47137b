//! The delimiter that a CSV file seems to have, if it cannot be read with the one that was asked for.

/// Possible delimiters. Each has the rule that a file with this delimiter breaks when it is read with another one. If two
/// delimiters fit equally well, the earlier one is reported. The comma is last, because numbers may contain commas.
const DELIMITERS: [(char, &str); 4] = [
    ('\t', "the cells seem to be separated by \"\\t\", a tab: set CsvOptions::delimiter to it"),
    (';', "the cells seem to be separated by \";\": set CsvOptions::delimiter to it"),
    ('|', "the cells seem to be separated by \"|\": set CsvOptions::delimiter to it"),
    (',', "the cells seem to be separated by \",\": set CsvOptions::delimiter to it"),
];

/// The rule that a number with a decimal comma breaks.
const DECIMAL_COMMA: &str = "a value must have a decimal point; this one has a decimal comma";

/// The rule that a number breaks if its comma may be a decimal comma or a separator of thousands.
const COMMA: &str = "a value must have a point before its decimals, and no comma";

/// The rule that a row of numbers breaks if spaces separate them, as NumPy's `savetxt` writes it.
const SPACES: &str = "the cells seem to be separated by spaces: set CsvOptions::delimiter to b' '";

/// The rule that a row of numbers breaks if runs of spaces separate them.
const RUNS: &str = "the cells seem to be separated by several spaces: between two cells there must be one delimiter";

/// The rule that these texts, which are rows or cells, break if each of them contains another delimiter than the given one.
pub(super) fn separated<'a>(delimiter: u8, texts: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let share = |other: char| {
        let parts = texts.clone().flat_map(|text| text.split(other));
        parts.clone().filter(|part| is_number(part)).count() as f64 / parts.count().max(1) as f64
    };
    // If a quote was left open, whole rows become one cell, which may contain any character.
    let fits = |other: char| texts.clone().all(|text| text.contains(other) && !text.contains(['\r', '\n']));
    let fitting = others(delimiter).filter(|(other, _)| fits(*other)).rev();
    // `max_by` returns the last of equal values, so the list is reversed.
    fitting.max_by(|(left, _), (right, _)| share(*left).total_cmp(&share(*right))).map(|(_, rule)| *rule)
}

/// The rule that a row of a single cell breaks if the cell is several numbers with spaces between them.
pub(super) fn separated_by_spaces(delimiter: u8, cell: &str) -> Option<&'static str> {
    let divided = delimiter != b' ' && cell.contains(' ');
    let fits = divided && cell.split(' ').filter(|part| !part.is_empty()).all(is_number);
    fits.then_some(if cell.contains("  ") { RUNS } else { SPACES })
}

/// The rule that a header breaks if it would have a column of this name with another delimiter.
pub(super) fn named(delimiter: u8, header: &str, name: &str) -> Option<&'static str> {
    let has = |other: char| header.split(other).any(|part| part.trim().trim_matches('"') == name);
    others(delimiter).find(|(other, _)| has(*other)).map(|(_, rule)| *rule)
}

/// The rule that a cell breaks which should be a number, if it contains a comma or another delimiter.
pub(super) fn no_number(delimiter: u8, cell: &str) -> Option<&'static str> {
    match (has_decimal_comma(cell), has_thousands(cell)) {
        (true, true) => Some(COMMA),
        (true, false) => Some(DECIMAL_COMMA),
        (false, true) => None,
        (false, false) => {
            // Text in a column of numbers may contain any character, so all parts of the cell must be numbers.
            let divides = |other: char| cell.contains(other) && cell.split(other).all(is_number);
            others(delimiter).find(|(other, _)| divides(*other)).map(|(_, rule)| *rule)
        }
    }
}

/// All delimiters except this one.
fn others(delimiter: u8) -> impl DoubleEndedIterator<Item = &'static (char, &'static str)> {
    DELIMITERS.iter().filter(move |(other, _)| *other != char::from(delimiter))
}

/// Whether a cell is a number, with a decimal point or a decimal comma.
fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f32>().is_ok() || has_decimal_comma(cell.trim())
}

/// Whether the cell has one comma, and is a number if that is replaced by a decimal point.
pub(super) fn has_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && cell.replace(',', ".").parse::<f32>().is_ok()
}

/// Whether a number has commas as separators of thousands.
fn has_thousands(cell: &str) -> bool {
    let whole = cell.split('.').next().unwrap_or(cell);
    let groups = whole.split(',').skip(1);
    groups.clone().count() > 0
        && groups.clone().all(|group| group.len() == 3)
        && cell.replace(',', "").parse::<f32>().is_ok()
}
