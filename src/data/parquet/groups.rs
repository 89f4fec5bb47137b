//! Rows of features from a file's row groups. A row group is decoded and kept, or read batch by batch.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::RowSelection;

use super::cache::Cache;
use super::columns::Columns;
use super::convert::Place;
use super::reader::{Reader, Wish};
use crate::error::{Error, FormatError, ParquetError, Result};
use crate::host_memory::no_room;
use crate::source::RowError;

/// The maximal numbers of rows and of values that are decoded at once.
const BATCH: (usize, usize) = (8192, 1 << 20);

/// The row groups of a file, and the columns that are read from them.
pub(super) struct Groups {
    pub(super) reader: Reader,
    columns: Columns,
    /// The number of values in a row.
    cols: usize,
    /// For each row group, the number of rows up to its end.
    ends: Vec<usize>,
    /// The cache that all files share.
    cache: Arc<Cache>,
    /// The numbers of row groups and rows in the files before this one.
    before: Before,
}

/// The numbers of row groups and rows in the files before a file.
#[derive(Clone, Copy, Default)]
pub(super) struct Before {
    pub groups: usize,
    pub rows: usize,
}

/// A wanted row: its number within its row group, and its place among the wanted rows.
pub(super) type Wanted = (usize, usize);

impl Groups {
    /// The row groups of a file. If the features are a column of lists, its first row is read to find the length.
    pub(super) fn new(reader: Reader, columns: Columns, cache: &Arc<Cache>, before: Before) -> Result<Self> {
        let cols = if columns.is_list { first_length(&reader, &columns)? } else { columns.features.len() };
        let mut total = 0;
        let ends = reader.rows().iter().map(|rows| {
            total += rows;
            total
        });
        Ok(Groups { ends: ends.collect(), reader, columns, cols, cache: cache.clone(), before })
    }

    /// The number of values in a row.
    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    /// The numbers of row groups and rows before the next file. Returns an error if there are more rows than this machine can
    /// count.
    pub(super) fn behind(&self) -> Result<Before> {
        let (before, rows) = (self.before.rows, self.ends.last().copied().unwrap_or(0));
        let rule = "all files together must have a number of rows that this machine can count";
        let (left, right) = ((before, self.cols).into(), (rows, self.cols).into());
        let rows =
            before.checked_add(rows).ok_or(Error::Shape { op: "ParquetRows::open_shards", rule, left, right })?;
        Ok(Before { groups: self.end(), rows })
    }

    /// The number after that of the last row group, counted over all files.
    pub(super) fn end(&self) -> usize {
        self.before.groups + self.ends.len()
    }

    /// The end of each row group, in rows counted over all files.
    pub(super) fn ends(&self) -> impl Iterator<Item = usize> {
        self.ends.iter().map(|end| self.before.rows + end)
    }

    /// Reads these rows of a row group, whose number counts the row groups of all files. Errors also count the rows of all files.
    pub(super) fn read_group(&self, group: usize, wanted: Vec<Wanted>, into: &mut [f32]) -> Result<(), RowError> {
        let group = group - self.before.groups;
        let row = self.first_row(group) + wanted.first().map_or(0, |(row, _)| *row);
        let numbered = |error: Error| RowError::new(self.before.rows + value_row(&error).unwrap_or(row), error);
        self.try_read_group(group, wanted, into).map_err(numbered)
    }

    fn try_read_group(&self, group: usize, wanted: Vec<Wanted>, into: &mut [f32]) -> Result<()> {
        let Some(bytes) = self.bytes(group).filter(|bytes| self.cache.can_hold(*bytes)) else {
            return self.stream(group, wanted, into);
        };
        let cols = self.cols;
        let values = match self.cache.get(self.before.groups + group, bytes, || self.decode(group)) {
            // The value may be in a row that is not wanted, so only the wanted rows are read.
            Err(error) if value_row(&error).is_some() => return self.stream(group, wanted, into),
            values => values?,
        };
        for (row, place) in wanted {
            into[place * cols..(place + 1) * cols].copy_from_slice(&values[row * cols..(row + 1) * cols]);
        }
        Ok(())
    }

    /// The number of the first row of this row group.
    fn first_row(&self, group: usize) -> usize {
        if group == 0 { 0 } else { self.ends[group - 1] }
    }

    /// The number of bytes of a row group's features; `None` if this machine cannot count them.
    fn bytes(&self, group: usize) -> Option<usize> {
        self.reader.rows()[group].checked_mul(self.cols)?.checked_mul(size_of::<f32>())
    }

    /// The number of rows that are decoded at once.
    fn batch(&self) -> usize {
        (BATCH.1 / self.cols.max(1)).clamp(1, BATCH.0)
    }

    /// Decodes a row group.
    fn decode(&self, group: usize) -> Result<Vec<f32>> {
        let (cols, rows, first) = (self.cols, self.reader.rows()[group], self.first_row(group));
        let (mut values, mut read) = (Vec::new(), 0);
        let wish = Wish { group, columns: &self.columns.roots(), batch: self.batch(), selection: None };
        self.reader.read(wish, |batch| {
            let begin = values.len();
            let end = begin + batch.num_rows() * cols;
            // Memory grows with the data that were decoded, and is not reserved by the file's claim alone.
            let room = end.max(2 * begin).min((rows * cols).max(end));
            if values.try_reserve_exact(room - begin).is_err() {
                return Err(no_room::<f32>("ParquetRows", rows, cols));
            }
            values.resize(end, 0.0);
            let row = |row| first + read + row;
            let place = Place { path: &self.reader.path, group, row: &row };
            self.columns.write(&batch, cols, &place, &mut values[begin..])?;
            read += batch.num_rows();
            Ok(ControlFlow::Continue(()))
        })?;
        self.reader.check_rows(group, read)?;
        Ok(values)
    }

    /// Reads these rows of a row group batch by batch, without keeping the row group.
    fn stream(&self, group: usize, mut wanted: Vec<Wanted>, into: &mut [f32]) -> Result<()> {
        wanted.sort_unstable();
        let (cols, first) = (self.cols, self.first_row(group));
        let mut rows: Vec<_> = wanted.iter().map(|(row, _)| *row).collect();
        rows.dedup();
        let end = rows.last().map_or(0, |row| row + 1);
        let (mut wanted, mut values) = (wanted.into_iter().peekable(), Vec::new());
        // Writes the features of a batch with these rows. A row that is wanted several times is written to all of its places.
        let mut write = |batch: &RecordBatch, rows: &[usize]| {
            let more = (batch.num_rows() * cols).saturating_sub(values.len());
            if values.try_reserve(more).is_err() {
                return Err(no_room::<f32>("ParquetRows", batch.num_rows(), cols));
            }
            values.resize(batch.num_rows() * cols, 0.0);
            let row = |row| first + rows.get(row).copied().unwrap_or(end);
            let place = Place { path: &self.reader.path, group, row: &row };
            self.columns.write(batch, cols, &place, &mut values)?;
            for (row, values) in rows.iter().zip(values.chunks_exact(cols.max(1))) {
                while let Some((_, place)) = wanted.next_if(|(wanted, _)| wanted == row) {
                    into[place * cols..(place + 1) * cols].copy_from_slice(values);
                }
            }
            Ok(())
        };
        let (mut rest, mut read) = (&rows[..], 0);
        // Lists that are not wanted are decoded too, since the decoder never ends when it skips damaged rows of lists.
        let skipped = || RowSelection::from_consecutive_ranges(rows.iter().map(|row| *row..row + 1), end);
        let selection = (!self.columns.is_list).then(skipped);
        let wish = Wish { group, columns: &self.columns.roots(), batch: self.batch(), selection };
        self.reader.read(wish, |batch| {
            let count = batch.num_rows();
            let here = if self.columns.is_list { rest.partition_point(|row| *row < read + count) } else { count };
            let (now, later) = rest.split_at(here.min(rest.len()));
            if self.columns.is_list {
                now.iter().try_for_each(|row| write(&batch.slice(row - read, 1), &[*row]))?;
            } else {
                write(&batch, now)?;
            }
            (rest, read) = (later, read + count);
            Ok(if rest.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        // A wanted row is missing, so the row group has fewer rows than the metadata say.
        rest.first().map_or(Ok(()), |_| self.reader.check_rows(group, read))
    }
}

/// The row of a value that cannot be a feature, if the error is about such a value.
fn value_row(error: &Error) -> Option<usize> {
    match error {
        Error::Format { source: FormatError::Parquet(ParquetError::Value { row, .. }), .. } => Some(*row),
        _ => None,
    }
}

/// The length of the first list, which all lists must have.
fn first_length(reader: &Reader, columns: &Columns) -> Result<usize> {
    let group = reader.rows().iter().position(|rows| *rows > 0).unwrap_or(0);
    let mut length = None;
    reader.read(Wish { group, columns: &columns.roots(), batch: 1, selection: None }, |batch| {
        let place = Place { path: &reader.path, group, row: &|row| row };
        let schema = batch.schema();
        let column = schema.field(0).name();
        if let Some(lists) = batch.column(0).as_list_opt::<i32>() {
            place.no_null(lists, column, "a list of features must not be null", |row| row)?;
            length = lists.value_offsets().windows(2).map(|ends| ends[1].abs_diff(ends[0]) as usize).next();
        }
        match length {
            Some(0) => place.refuse(0, column, "a list of features must have a value", "an empty list".into()),
            _ => Ok(ControlFlow::Break(())),
        }
    })?;
    length.map_or_else(|| reader.check_rows(group, 0).map(|()| 0), Ok)
}
