//! Pages of one row group, whose claims are checked before the decoder reserves memory for them.

use std::iter;
use std::sync::Arc;

use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::SerializedPageReader;

use super::file_bytes::FileBytes;

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
        let checked = Checked { reader, left: u64::try_from(chunk.num_values()).unwrap_or(0) };
        Ok(Box::new(Pages(Some(Box::new(checked)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(iter::once(self.of()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The most bytes that a byte of a page can expand to.
fn expansion(compression: Compression) -> u64 {
    match compression {
        Compression::UNCOMPRESSED => 1,
        // A copy of up to 64 bytes has three bytes.
        Compression::SNAPPY => 22,
        // A byte lengthens a match by up to 255.
        Compression::LZ4 | Compression::LZ4_RAW => 256,
        // A match of 258 bytes can have two bits.
        Compression::GZIP(_) => 1032,
        // A block of 128 KiB can have four bytes.
        _ => 1 << 15,
    }
}

/// The pages of one column: a single reader, as there is one row group.
struct Pages(Option<Box<dyn PageReader>>);

impl Iterator for Pages {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for Pages {}

/// A reader of pages that gives no more values than the file's metadata promise.
struct Checked<R> {
    reader: R,
    /// The number of values that are left.
    left: u64,
}

impl<R: PageReader> Checked<R> {
    /// Counts a page's values.
    fn count(&mut self, values: u64) -> Result<()> {
        let left = self.left.checked_sub(values);
        self.left =
            left.ok_or_else(|| ParquetError::General("a column has more values than its metadata say".into()))?;
        Ok(())
    }
}

/// Checks a dictionary's length: each of its values has at least a byte.
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
