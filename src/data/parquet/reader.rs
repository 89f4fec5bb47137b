//! The reader of batches from a Parquet file. It converts the decoder's errors, and its panics on damaged files, to errors of
//! this crate.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::Fields;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema};
use parquet::errors::{ParquetError as Decoding, Result as Decoded};
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::SchemaDescriptor;

use super::super::errors::refuse;
use super::file_bytes::FileBytes;
use super::pages::Group;
use super::pandas::IndexColumns;
use super::thrift::Thrift;
use crate::error::{Error, ParquetError, Result};
use crate::files::failed;
use crate::source::words_of;

/// The maximal depth of nested columns.
const DEEPEST: usize = 100;

/// An open Parquet file: its bytes, and the metadata from its footer.
pub(super) struct Reader {
    pub(super) path: PathBuf,
    bytes: FileBytes,
    metadata: ParquetMetaData,
    /// The number of rows of each row group.
    rows: Vec<usize>,
}

/// A request for rows of one row group.
pub(super) struct Wish<'a> {
    pub(super) group: usize,
    /// The columns, in the order of the file.
    pub(super) columns: &'a [usize],
    /// The maximal number of rows of a batch.
    pub(super) batch: usize,
    /// The rows to read; all rows if there is no selection.
    pub(super) selection: Option<RowSelection>,
}

impl Reader {
    /// Opens a file and reads its footer.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let bytes = File::open(path).and_then(FileBytes::new).map_err(|source| failed(path, source))?;
        let skipped = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let reader = ParquetMetaDataReader::new().with_metadata_options(Some(skipped));
        let metadata = guarded(path, || {
            check_depth(&bytes)?;
            reader.parse_and_finish(&bytes)
        })?;
        let rows = metadata.row_groups().iter().map(|group| usize::try_from(group.num_rows()).ok());
        let total = |rows: &Vec<usize>| rows.iter().try_fold(0usize, |sum, rows| sum.checked_add(*rows));
        let Some(rows) = rows.collect::<Option<Vec<_>>>().filter(|rows| total(rows).is_some()) else {
            let found: Vec<_> = metadata.row_groups().iter().map(|group| group.num_rows().to_string()).collect();
            return refuse(path, "row groups must have numbers of rows that can be counted", found.join(", "));
        };
        Ok(Reader { path: path.into(), bytes, metadata, rows })
    }

    /// The number of rows of each row group.
    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// Whether the file has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.iter().all(|rows| *rows == 0)
    }

    /// The file's columns, each with the type that it is decoded to. The copy of an Arrow schema in the file is ignored, so that
    /// lists, strings and dictionaries have the same types whichever program wrote the file.
    pub(super) fn fields(&self) -> Result<Fields> {
        let fields = guarded(&self.path, || parquet_to_arrow_schema(self.schema(), None))?.fields;
        let columns = self.schema().root_schema().get_fields().len();
        if fields.len() != columns {
            let rule = "each column of the file must hold something";
            return refuse(&self.path, rule, format!("{} of {columns} columns", columns - fields.len().min(columns)));
        }
        Ok(fields)
    }

    /// The names of the columns that are the index of a pandas table, from the file's metadata.
    pub(super) fn index_columns(&self) -> Vec<String> {
        let pairs = self.metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let mut tables = pairs.filter(|pair| pair.key == "pandas").filter_map(|pair| pair.value.as_deref());
        let index = tables.next().and_then(|table| serde_json::from_str::<IndexColumns>(table).ok());
        index.unwrap_or_default().0
    }

    fn schema(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Checks the footer's claims about these columns against the length of the file and the numbers of rows.
    pub(super) fn check(&self, columns: &[usize]) -> Result<()> {
        let schema = self.schema();
        let mut wanted = vec![false; schema.root_schema().get_fields().len()];
        columns.iter().for_each(|column| wanted[*column] = true);
        let leaves: Vec<_> =
            (0..schema.num_columns()).filter(|leaf| wanted[schema.get_column_root_idx(*leaf)]).collect();
        for (index, group) in self.metadata.row_groups().iter().enumerate() {
            for leaf in &leaves {
                let Some(chunk) = group.columns().get(*leaf) else {
                    return refuse(&self.path, "a row group must have all columns", format!("row group {index}"));
                };
                self.check_chunk(index, group, chunk)?;
            }
        }
        Ok(())
    }

    fn check_chunk(&self, index: usize, group: &RowGroupMetaData, chunk: &ColumnChunkMetaData) -> Result<()> {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let span = || Some((u64::try_from(start).ok()?, u64::try_from(chunk.compressed_size()).ok()?));
        let (values, rows, column) = (chunk.num_values(), group.num_rows(), chunk.column_path());
        let refuse = |rule, found: String| refuse(&self.path, rule, format!("{found} in row group {index}"));
        if chunk.file_path().is_some() {
            return refuse("columns must lie in the file itself", format!("column {column} in another file"));
        }
        if span().and_then(|(start, length)| start.checked_add(length)).is_none_or(|end| end > self.bytes.len()) {
            let found = format!("column {column} with {} bytes from {start} on", chunk.compressed_size());
            return refuse("columns must lie within the file, which may be cut short", found);
        }
        let is_list = chunk.column_descr().max_rep_level() > 0;
        if values < rows || (values > rows && !is_list) {
            let found = format!("{values} values where {rows} belong, for column {column}");
            return refuse("columns must have a value for each row", found);
        }
        Ok(())
    }

    /// Checks that a row group has as many rows as its metadata say.
    pub(super) fn check_rows(&self, group: usize, read: usize) -> Result<()> {
        match self.rows[group] {
            rows if rows == read => Ok(()),
            rows => {
                let rule = "a row group must have as many rows as the file's metadata say";
                refuse(&self.path, rule, format!("{read} rows where {rows} belong, in row group {group}"))
            }
        }
    }

    /// Reads the requested rows, and calls `take` with each batch until it breaks.
    pub(super) fn read(
        &self,
        wish: Wish<'_>,
        mut take: impl FnMut(RecordBatch) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Wish { group, columns, batch, selection } = wish;
        let mask = ProjectionMask::roots(self.schema(), columns.iter().copied());
        let levels = guarded(&self.path, || parquet_to_arrow_field_levels(self.schema(), mask, None))?;
        let group = Group { bytes: &self.bytes, metadata: &self.metadata, index: group };
        let open = || ParquetRecordBatchReader::try_new_with_row_groups(&levels, &group, batch, selection);
        let mut batches = guarded(&self.path, open)?;
        while let Some(batch) = guarded(&self.path, || Ok(batches.next().transpose()?))? {
            if take(batch)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Checks the depth of the schema. The decoder follows the schema by recursion, and a stack overflow would end the process.
fn check_depth(bytes: &FileBytes) -> Decoded<()> {
    let Some(end) = bytes.len().checked_sub(8) else { return Ok(()) };
    let tail = bytes.get_bytes(end, 8)?;
    let length = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
    let start = match end.checked_sub(length) {
        Some(start) if tail.ends_with(b"PAR1") => start,
        // The decoder has its own error for a missing footer.
        _ => return Ok(()),
    };
    match Thrift(&bytes.get_bytes(start, length as usize)?).schema_depth() {
        Some(depth) if depth <= DEEPEST => Ok(()),
        Some(depth) => Err(Decoding::General(format!("columns have {depth} levels; at most {DEEPEST} are read"))),
        None => Err(Decoding::General("the footer is damaged".into())),
    }
}

/// Calls the decoder, and converts a panic to an error, since it panics on some damaged files. Its state is not used after a
/// panic.
fn guarded<T>(path: &Path, call: impl FnOnce() -> Decoded<T>) -> Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(Decoding::General(format!("the decoder panicked: {}", words_of(&*panic)))));
    outcome.map_err(|error| {
        let is_damage = |error: &io::Error| matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
        let source = match error {
            Decoding::External(source) => match source.downcast::<io::Error>() {
                Ok(source) if !is_damage(&source) => return failed(path, *source),
                Ok(source) => Decoding::External(source),
                Err(source) => Decoding::External(source),
            },
            other => other,
        };
        Error::Format { path: path.into(), source: ParquetError::Decoder(source).into() }
    })
}
