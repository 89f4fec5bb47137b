//! The reader of CSV rows. It recognises a header, and checks the length and the numbers of each row.

use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, Trim};
use ndarray::Array2;

use super::csv_cell::{is_missing, no_text, number};
use super::csv_columns::Columns;
use super::csv_delimiter::{has_decimal_comma, named, no_number, separated, separated_by_spaces};
use super::csv_options::{Column, CsvOptions};
use super::errors::{listed, refuse, shown};
use super::recent_bytes::RecentBytes;
use crate::error::{Error, Result, Shape};
use crate::files::failed;
use crate::host_memory::no_room;

/// The rule that a file breaks if it has no such column for the labels.
const LABEL: &str = "the label must be one column of the file";
/// The rule that an empty table breaks.
const NOTHING: &str = "there must be a row, and a column of features";

/// A CSV file whose first rows have been read.
pub(super) struct CsvReader<'a> {
    path: &'a Path,
    reader: Reader<RecentBytes<'a>>,
    delimiter: u8,
    /// The first rows, which were read to recognise the header.
    first: Vec<ByteRecord>,
    /// The text of the first row, as if it were a single cell.
    start: String,
    header: Option<ByteRecord>,
    columns: Columns,
}

impl<'a> CsvReader<'a> {
    /// A reader of these bytes; errors name `path`.
    pub(super) fn new(
        path: &'a Path,
        bytes: &'a mut dyn Read,
        options: &CsvOptions,
        label: Option<&Column>,
    ) -> Result<Self> {
        let mut builder = ReaderBuilder::new();
        let reader = builder.has_headers(false).flexible(true).delimiter(options.delimiter).trim(Trim::All);
        let reader = reader.from_reader(RecentBytes::new(bytes));
        let delimiter = options.delimiter;
        let (first, start, columns) = (Vec::new(), String::new(), Columns::default());
        let mut rows = CsvReader { path, reader, delimiter, first, start, header: None, columns };
        let mut row = ByteRecord::new();
        while rows.first.len() < 2 && rows.next(&mut row)? {
            rows.first.push(row.clone());
        }
        let Some(first) = rows.first.first() else { return refuse(path, NOTHING, "an empty file".into()) };
        if let Some((rule, what)) = no_text(first.as_slice()) {
            return refuse(path, rule, what.into());
        }
        (rows.columns.width, rows.start) = (first.len(), rows.whole(first));
        if label.is_some() && first.len() == 1 {
            rows.check_divided(&rows.first)?;
        }
        let found = |rows: &Self, column| rows.find(column, LABEL, options);
        rows.columns.label = label.map(|label| found(&rows, label)).transpose()?;
        let skipped = |column| rows.find(column, "a column to leave out must be one column of the file", options);
        rows.columns.skipped = options.skip.iter().map(skipped).collect::<Result<_>>()?;
        if rows.columns.label.is_some_and(|label| rows.columns.skipped.contains(&label)) {
            return Err(Error::Combination { op: "read_csv", rule: "the column of the labels cannot be left out" });
        }
        let mut named = label.into_iter().chain(&options.skip);
        let by_name = named.any(|column| matches!(column, Column::Name(_)));
        if options.header.unwrap_or_else(|| by_name || rows.has_header()) {
            let header = rows.first.remove(0);
            rows.columns.warn_of_unnamed(path, &header);
            if options.header.is_none() && !by_name {
                rows.columns.warn_of_numbers(path, &header);
            }
            rows.header = Some(header);
        }
        Ok(rows)
    }

    /// The index of a column, which must be in the file exactly once. Otherwise the error has the given rule.
    fn find(&self, column: &Column, rule: &'static str, options: &CsvOptions) -> Result<usize> {
        let (cells, width) = (self.first.first(), self.columns.width);
        let found = match column {
            Column::Last => width.checked_sub(1),
            Column::Index(index) => Some(*index).filter(|index| *index < width),
            Column::Name(_) if options.header == Some(false) => {
                let rule = "a file without a header has no column by name";
                return Err(Error::Combination { op: "read_csv", rule });
            }
            Column::Name(name) => {
                let is_named = |cell: &[u8]| cell == name.as_bytes();
                let mut places = cells.into_iter().flatten().enumerate().filter(|(_, cell)| is_named(cell));
                let place = places.next().map(|(index, _)| index);
                if place.is_none()
                    && let Some(header) = cells
                    && let Some(rule) = named(self.delimiter, &self.start, name)
                {
                    return self.refuse(header, 0, rule, shown(self.start.as_bytes()));
                }
                place.filter(|_| places.next().is_none())
            }
        };
        let names = cells.into_iter().flatten().map(|name| String::from_utf8_lossy(name).into_owned());
        found.map_or_else(|| refuse(self.path, rule, format!("{column:?} of the columns {}", listed(width, names))), Ok)
    }

    /// Whether the first row seems to be a header: see [`CsvOptions::header`].
    fn has_header(&self) -> bool {
        let is_text = |cell: &[u8]| !is_missing(cell) && number(cell).is_none();
        let text = |row: usize, column| self.first.get(row).and_then(|row| row.get(column)).map(is_text);
        let named = (0..self.columns.width).any(|column| {
            let differs = self.columns.is_feature(column) || text(1, column) == Some(false);
            text(0, column) == Some(true) && differs
        });
        named || self.is_numbered()
    }

    /// Whether the features of the first row are the numbers of the columns, from 0 on. pandas writes these if columns have no
    /// names. Only two of them may as well be data.
    fn is_numbered(&self) -> bool {
        let Some(first) = self.first.first() else { return false };
        let features = || first.iter().enumerate().filter(|(column, _)| self.columns.is_feature(*column));
        let is = |cell: &[u8], number: usize| cell == number.to_string().as_bytes();
        let counted = features().zip(0..).all(|((column, cell), count)| is(cell, column) || is(cell, count));
        features().count() > 2 && counted
    }

    /// Reads the features of all rows, and calls `label` with each row and the column of its label.
    pub(super) fn read(
        &mut self,
        mut label: impl FnMut(&Self, &ByteRecord, usize) -> Result<()>,
    ) -> Result<Array2<f32>> {
        let (mut rows, mut values) = (0, Vec::new());
        let mut first = std::mem::take(&mut self.first).into_iter();
        let mut row = ByteRecord::new();
        loop {
            match first.next() {
                Some(early) => row = early,
                None if self.next(&mut row)? => {}
                None => break,
            }
            self.add(&row, &mut values)?;
            if let Some(column) = self.columns.label {
                label(self, &row, column)?;
            }
            rows += 1;
        }
        let cols = self.columns.features().count();
        let shape = Shape { rows, cols };
        if rows == 0 {
            self.check_header()?;
        }
        if rows == 0 || cols == 0 {
            return refuse(self.path, NOTHING, shape.to_string());
        }
        Array2::from_shape_vec((rows, cols), values).or_else(|_| refuse(self.path, NOTHING, shape.to_string()))
    }

    /// Appends the features of one row to `values`.
    fn add(&self, row: &ByteRecord, values: &mut Vec<f32>) -> Result<()> {
        let width = self.columns.width;
        if row.len() != width {
            self.check_length(row)?;
            let column = row.len().min(width) + 1;
            let rule = "each row must have as many cells as the first";
            return self.refuse(row, column - 1, rule, format!("{} cells where {width} belong", row.len()));
        }
        if values.try_reserve(width).is_err() {
            let cols = self.columns.features().count().max(1);
            return Err(no_room::<f32>("read_csv", values.len() / cols + 1, cols));
        }
        for (column, cell) in row.iter().enumerate().filter(|(column, _)| self.columns.is_feature(*column)) {
            let rule = match number(cell) {
                Some(value) if value.is_finite() => {
                    values.push(value);
                    continue;
                }
                Some(value) if value.is_nan() => "a value must not be NaN",
                Some(_) => "a value must be finite as f32",
                None if is_missing(cell) => "a value is missing",
                None => self.no_number(cell).unwrap_or("a value must be a number"),
            };
            return self.refuse(row, column, rule, shown(cell));
        }
        Ok(())
    }

    /// The rule that this cell breaks, if it is not a number because of a comma, a space or another delimiter.
    fn no_number(&self, cell: &[u8]) -> Option<&'static str> {
        let cell = String::from_utf8_lossy(cell);
        // A row "1,5" that is one cell is taken as two numbers if its header has a comma too.
        let has_comma = |header: &ByteRecord| header.as_slice().contains(&b',');
        let alone = self.columns.width == 1;
        let rule = match alone && self.delimiter != b',' && self.header.as_ref().is_none_or(has_comma) {
            true => separated(self.delimiter, [&*cell].into_iter()),
            false => no_number(self.delimiter, &cell),
        };
        rule.or_else(|| separated_by_spaces(self.delimiter, &cell).filter(|_| alone))
    }

    /// Refuses rows of a single cell if another delimiter divides all of them. The first row is given, and a second one if there
    /// is one.
    fn check_divided(&self, rows: &[ByteRecord]) -> Result<()> {
        let whole: Vec<_> = rows.iter().map(|row| self.whole(row)).collect();
        let rule = separated(self.delimiter, whole.iter().map(String::as_str));
        // The row before the last one may be a header.
        match (rows.first(), rule.or_else(|| separated_by_spaces(self.delimiter, whole.last()?))) {
            (Some(first), Some(rule)) => self.refuse(first, 0, rule, shown(whole[0].as_bytes())),
            _ => Ok(()),
        }
    }

    /// Refuses a header without rows after it if it seems to be a row of data: because it is undivided, or has a decimal comma.
    fn check_header(&self) -> Result<()> {
        let Some(header) = &self.header else { return Ok(()) };
        if self.columns.width == 1 {
            return self.check_divided(std::slice::from_ref(header));
        }
        let numbers = header.iter().enumerate().filter(|(column, _)| self.columns.is_feature(*column));
        let mut wrong = numbers.filter(|(_, cell)| has_decimal_comma(&String::from_utf8_lossy(cell)));
        match wrong.next().and_then(|(column, cell)| Some((column, cell, self.no_number(cell)?))) {
            Some((column, cell, rule)) => self.refuse(header, column, rule, shown(cell)),
            None => Ok(()),
        }
    }

    /// Refuses a row that is shorter or longer than the first, if another delimiter divides both rows. A label may contain
    /// another delimiter, unless it is the only cell.
    fn check_length(&self, row: &ByteRecord) -> Result<()> {
        let label = self.columns.label.filter(|_| row.len() > 1).map(|label| label.min(row.len() - 1));
        let is_number = |column| Some(column) != label && !self.columns.skipped.contains(&column);
        for (column, cell) in row.iter().enumerate().filter(|(column, _)| is_number(*column)) {
            let text = String::from_utf8_lossy(cell);
            if number(cell).is_none()
                && !has_decimal_comma(&text)
                && let Some(rule) = separated(self.delimiter, [&*self.start, &*text].into_iter())
            {
                return self.refuse(row, column, rule, shown(cell));
            }
        }
        Ok(())
    }

    /// The text of a row, as if it were a single cell.
    fn whole(&self, row: &ByteRecord) -> String {
        let delimiter = char::from(self.delimiter).to_string();
        row.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(&delimiter)
    }

    /// Reads the next row. Returns false if there is none.
    fn next(&mut self, row: &mut ByteRecord) -> Result<bool> {
        let begin = self.reader.position().byte();
        self.reader.get_mut().forget_before(begin);
        let read = self.reader.read_byte_record(row).map_err(|error| {
            let source = match error.into_kind() {
                ErrorKind::Io(source) => source,
                other => std::io::Error::other(format!("{other:?}")),
            };
            failed(self.path, source)
        })?;
        // The reader itself counts only LF, and gives the position before the empty lines that precede the row.
        if let Some(mut position) = row.position().cloned() {
            position.set_line(self.reader.get_ref().line_of_row());
            row.set_position(Some(position));
        }
        Ok(read)
    }

    /// The names of the features' columns.
    pub(super) fn columns(&self) -> Vec<String> {
        let name = |column: usize| match self.header.as_ref().and_then(|header| header.get(column)) {
            Some(name) => String::from_utf8_lossy(name).into_owned(),
            None => column.to_string(),
        };
        self.columns.features().map(name).collect()
    }

    /// An error that names this cell; `column` counts from 0.
    pub(super) fn refuse<T>(&self, row: &ByteRecord, column: usize, rule: &'static str, found: String) -> Result<T> {
        let line = row.position().map_or(0, |position| position.line());
        Err(Error::Cell { path: self.path.into(), line, column: column + 1, rule, found })
    }
}
