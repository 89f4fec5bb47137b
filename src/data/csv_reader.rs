//! The reader of CSV rows. It recognises a header, and checks the length and the numbers of each row.

use std::io::Read;
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, Trim};

use super::csv_cell::{is_missing, no_text, number, refuse_cell};
use super::csv_choice::{Choice, NO_HEADER};
use super::csv_columns::Columns;
use super::csv_delimiter::{has_decimal_comma, no_number, separated, separated_by_spaces};
use super::csv_options::{Column, CsvOptions};
use super::errors::{refuse, shown};
use super::recent_bytes::RecentBytes;
use crate::error::{Error, Result, Shape};
use crate::files::failed;
use crate::host_memory::no_room;

/// The rule that an empty table breaks.
pub(super) const NOTHING: &str = "there must be a row, and a column of features";

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
    /// A reader of these bytes, whose first rows are read; errors name `path`.
    pub(super) fn open(path: &'a Path, bytes: &'a mut dyn Read, delimiter: u8) -> Result<Self> {
        if b"\"\r\n".contains(&delimiter) {
            let (rule, value) =
                ("a byte that is neither a quote (34) nor an end of a line (10, 13)", f64::from(delimiter));
            return Err(Error::Option { op: "read_csv", option: "delimiter", rule, value });
        }
        let mut builder = ReaderBuilder::new();
        let reader = builder.has_headers(false).flexible(true).delimiter(delimiter).trim(Trim::All);
        let reader = reader.from_reader(RecentBytes::new(bytes));
        let (first, start, columns) = (Vec::new(), String::new(), Columns::default());
        let mut rows = CsvReader { path, reader, delimiter, first, start, header: None, columns };
        let mut row = ByteRecord::new();
        while rows.first.len() < 2 && rows.next(&mut row)? {
            rows.first.push(row.clone());
        }
        Ok(rows)
    }

    /// The first row, if there is one.
    pub(super) fn first_row(&self) -> Option<&ByteRecord> {
        self.first.first()
    }

    /// Chooses the columns that the options ask for. The first row is the header if they are named, or if it seems to be one.
    pub(super) fn choose(&mut self, options: &CsvOptions, label: Option<&Column>) -> Result<()> {
        let path = self.path;
        let Some(first) = self.first.first() else { return refuse(path, NOTHING, "an empty file".into()) };
        if let Some((rule, what)) = no_text(first.as_slice()) {
            return refuse(path, rule, what.into());
        }
        self.start = self.whole(first);
        if label.is_some() && first.len() == 1 {
            self.check_divided(&self.first)?;
        }
        let choice = Choice { path, first, rows: &self.first, start: &self.start, options, label };
        let by_name = choice.is_by_name();
        self.columns = choice.columns()?;
        if options.header.unwrap_or_else(|| by_name || self.columns.has_header(&self.first)) {
            choice.check_label(&self.columns)?;
            let header = self.first.remove(0);
            self.columns.warn_of_unnamed(path, &header);
            if options.header.is_none() && !by_name && options.features.is_empty() {
                self.columns.warn_of_numbers(path, &header);
            }
            self.header = Some(header);
        } else if !options.features.is_empty() {
            // All names are there, but they are numbers, which may as well be values.
            return refuse(path, NO_HEADER, shown(self.start.as_bytes()));
        } else if options.header.is_none() {
            self.columns.warn_of_text(path, &self.first);
        }
        Ok(())
    }

    /// Reads all rows: appends their features to `values`, and calls `label` with each row and the column of its label.
    pub(super) fn read(
        &mut self,
        values: &mut Vec<f32>,
        mut label: impl FnMut(&Self, &ByteRecord, usize) -> Result<()>,
    ) -> Result<()> {
        let mut rows = 0;
        let mut first = std::mem::take(&mut self.first).into_iter();
        let mut row = ByteRecord::new();
        loop {
            match first.next() {
                Some(early) => row = early,
                None if self.next(&mut row)? => {}
                None => break,
            }
            self.add(&row, values)?;
            if let Some(column) = self.columns.label {
                label(self, &row, column)?;
            }
            rows += 1;
        }
        let cols = self.columns.features().len();
        if rows == 0 {
            self.check_header()?;
        }
        if cols == 0 {
            return refuse(self.path, NOTHING, Shape { rows, cols }.to_string());
        }
        Ok(())
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
        let features = self.columns.features();
        if values.try_reserve(features.len()).is_err() {
            let cols = features.len().max(1);
            return Err(no_room::<f32>("read_csv", values.len() / cols + 1, cols));
        }
        for &column in features {
            let cell = row.get(column).unwrap_or_default();
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
        let is_number = |column| Some(column) != label && !self.columns.is_left_out(column);
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

    /// The names of all columns, if there is a header.
    pub(super) fn header(&self) -> Option<&ByteRecord> {
        self.header.as_ref()
    }

    /// The number of all columns.
    pub(super) fn width(&self) -> usize {
        self.columns.width
    }

    /// The column with the labels, if there is one: by its name, or by its index if there is no header.
    pub(super) fn label(&self) -> Option<Column> {
        let place = self.columns.label?;
        let name = self.header.as_ref().and_then(|header| header.get(place));
        Some(name.map_or(Column::Index(place), |name| Column::Name(String::from_utf8_lossy(name).into_owned())))
    }

    /// The names of the features' columns, or their indices if there is no header.
    pub(super) fn columns(&self) -> Vec<String> {
        let name = |column: usize| match self.header.as_ref().and_then(|header| header.get(column)) {
            Some(name) => String::from_utf8_lossy(name).into_owned(),
            None => column.to_string(),
        };
        self.columns.features().iter().copied().map(name).collect()
    }

    /// An error that names this cell; `column` counts from 0.
    pub(super) fn refuse<T>(&self, row: &ByteRecord, column: usize, rule: &'static str, found: String) -> Result<T> {
        refuse_cell(self.path, row, column, rule, found)
    }
}
