//! The delimiter that a CSV file seems to have, where it cannot be read with the one that was asked for.

/// Characters between cells, each with the rule that a file breaks which has it and is read with another. Of two that
/// fit equally well the first counts; the comma is last because numbers may have one.
const DELIMITERS: [(char, &str); 4] = [
    ('\t', "the cells seem to be separated by \"\\t\", a tab: set CsvOptions::delimiter to it"),
    (';', "the cells seem to be separated by \";\": set CsvOptions::delimiter to it"),
    ('|', "the cells seem to be separated by \"|\": set CsvOptions::delimiter to it"),
    (',', "the cells seem to be separated by \",\": set CsvOptions::delimiter to it"),
];

/// The rule that a number with a comma breaks.
const DECIMAL_COMMA: &str = "a value must have a decimal point; this one has a decimal comma";

/// The rule that a number with a comma breaks which may stand before decimals or behind thousands.
const COMMA: &str = "a value must have a point before its decimals, and no comma";

/// The rule that these texts, rows or single cells, break if another delimiter than this one stands in each of them.
pub(super) fn separated<'a>(delimiter: u8, texts: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let share = |other: char| {
        let parts = texts.clone().flat_map(|text| text.split(other));
        parts.clone().filter(|part| is_number(part)).count() as f64 / parts.count().max(1) as f64
    };
    // A quote that was left open makes rows a cell, which then holds whatever stands in them.
    let fits = |other: char| texts.clone().all(|text| text.contains(other) && !text.contains(['\r', '\n']));
    let fitting = others(delimiter).filter(|(other, _)| fits(*other)).rev();
    // Of equals `max_by` takes the last.
    fitting.max_by(|(left, _), (right, _)| share(*left).total_cmp(&share(*right))).map(|(_, rule)| *rule)
}

/// The rule that a header breaks if another delimiter than this one would give it a column of this name.
pub(super) fn named(delimiter: u8, header: &str, name: &str) -> Option<&'static str> {
    let has = |other: char| header.split(other).any(|part| part.trim().trim_matches('"') == name);
    others(delimiter).find(|(other, _)| has(*other)).map(|(_, rule)| *rule)
}

/// The rule that a cell breaks which should be a number and has a comma in it or another delimiter.
pub(super) fn no_number(delimiter: u8, cell: &str) -> Option<&'static str> {
    match (has_decimal_comma(cell), has_thousands(cell)) {
        (true, true) => Some(COMMA),
        (true, false) => Some(DECIMAL_COMMA),
        (false, true) => None,
        (false, false) => {
            // Text in a column of numbers may have any character in it.
            let divides = |other: char| cell.contains(other) && cell.split(other).all(is_number);
            others(delimiter).find(|(other, _)| divides(*other)).map(|(_, rule)| *rule)
        }
    }
}

/// The delimiters but for this one.
fn others(delimiter: u8) -> impl DoubleEndedIterator<Item = &'static (char, &'static str)> {
    DELIMITERS.iter().filter(move |(other, _)| *other != char::from(delimiter))
}

/// Whether a cell is a number, be it with a decimal comma.
fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f32>().is_ok() || has_decimal_comma(cell.trim())
}

/// Whether a decimal point in the place of its one comma makes this a number.
pub(super) fn has_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && cell.replace(',', ".").parse::<f32>().is_ok()
}

/// Whether commas stand between the thousands of a number.
fn has_thousands(cell: &str) -> bool {
    let whole = cell.split('.').next().unwrap_or(cell);
    let groups = whole.split(',').skip(1);
    groups.clone().count() > 0
        && groups.clone().all(|group| group.len() == 3)
        && cell.replace(',', "").parse::<f32>().is_ok()
}
