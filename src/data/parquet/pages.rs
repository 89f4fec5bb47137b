//! Pages of a row group. Their claims are checked before the decoder reserves memory for them.

use std::iter;
use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;

use super::file_bytes::FileBytes;
use super::thrift::{Thrift, skip_deltas};

/// A row group of a file.
pub(super) struct Group<'a> {
    pub(super) bytes: &'a FileBytes,
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) index: usize,
}

impl Group<'_> {
    fn of(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.index)
    }
}

impl RowGroups for Group<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.of().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.of().column(column);
        let bytes = Arc::new(self.bytes.of_pages(expansion(chunk.compression())));
        let reader = SerializedPageReader::new(bytes, chunk, self.num_rows(), None)?;
        let levels = [chunk.column_descr().max_rep_level(), chunk.column_descr().max_def_level()];
        let checked = Checked { reader, left: u64::try_from(chunk.num_values()).unwrap_or(0), levels };
        Ok(Box::new(Pages(Some(Box::new(checked)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(iter::once(self.of()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The maximal number of bytes to which a byte of a page can expand.
fn expansion(compression: Compression) -> u64 {
    match compression {
        Compression::UNCOMPRESSED => 1,
        // A copy of up to 64 bytes takes three bytes.
        Compression::SNAPPY => 22,
        // Each further byte lengthens a match by up to 255.
        Compression::LZ4 | Compression::LZ4_RAW => 256,
        // A match of 258 bytes can take two bits.
        Compression::GZIP(_) => 1032,
        // A block of 128 KiB can take four bytes.
        _ => 1 << 15,
    }
}

/// The pages of one column. There is a single reader, since there is one row group.
struct Pages(Option<Box<dyn PageReader>>);

impl Iterator for Pages {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Pages {}

/// A reader of pages that refuses more values than the file's metadata say.
struct Checked<R> {
    reader: R,
    /// The number of values that are still allowed.
    left: u64,
    /// The maximal levels of repetition and of definition.
    levels: [i16; 2],
}

impl<R: PageReader> Checked<R> {
    /// Counts the values of a page, and refuses them if they are too many.
    fn count(&mut self, values: u64) -> Result<()> {
        let left = self.left.checked_sub(values);
        self.left =
            left.ok_or_else(|| ParquetError::General("a column has more values than its metadata say".into()))?;
        Ok(())
    }
}

/// Checks the lengths of the strings in a page, since the decoder reserves memory for all of them.
fn check_lengths(page: &Page, levels: [i16; 2]) -> Result<()> {
    let lists = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // The first list has the lengths of the parts that strings share with the string before; the second has the lengths of
        // the rest.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let most = page.num_values().into();
    let lengths = values(page, levels).and_then(|values| {
        let mut values = Thrift(values);
        (0..lists).try_for_each(|_| skip_deltas(&mut values, most))
    });
    lengths.ok_or_else(|| ParquetError::General(format!("a page has no lengths of {most} strings")))
}

/// The bytes of a page after the levels.
fn values(page: &Page, levels: [i16; 2]) -> Option<&[u8]> {
    let mut bytes = Thrift(page.buffer());
    match page {
        Page::DataPage { num_values, rep_level_encoding, def_level_encoding, .. } => {
            for (level, encoding) in levels.into_iter().zip([rep_level_encoding, def_level_encoding]) {
                let bits = u64::from(i16::BITS - level.leading_zeros());
                let length = match encoding {
                    _ if level == 0 => 0,
                    Encoding::RLE => u32::from_le_bytes(bytes.bytes(4)?.try_into().ok()?).into(),
                    _ => (bits * u64::from(*num_values)).div_ceil(8),
                };
                bytes.bytes(length)?;
            }
        }
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            bytes.bytes(u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len))?;
        }
        Page::DictionaryPage { .. } => {}
    }
    Some(bytes.0)
}

/// Checks the length of a dictionary: each of its values takes at least a byte.
fn check_dictionary(page: &Page) -> Result<()> {
    match page {
        Page::DictionaryPage { buf, num_values, .. } if *num_values as usize > buf.len() => {
            Err(ParquetError::General(format!("{} bytes of a dictionary hold no {num_values} values", buf.len())))
        }
        _ => Ok(()),
    }
}

impl<R: PageReader> PageReader for Checked<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.reader.get_next_page()?;
        if let Some(page) = &page {
            check_dictionary(page)?;
            if page.is_data_page() {
                self.count(page.num_values().into())?;
                check_lengths(page, self.levels)?;
            }
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.reader.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        let next = self.reader.peek_next_page()?;
        if let Some(values) = next.filter(|page| !page.is_dict).and_then(|page| page.num_levels.or(page.num_rows)) {
            self.count(values as u64)?;
        }
        self.reader.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.reader.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        let page = self.reader.take_deferred_dictionary()?;
        page.iter().try_for_each(check_dictionary)?;
        Ok(page)
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.reader.at_record_boundary()
    }
}

impl<R: PageReader> Iterator for Checked<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
