//! The header of a safetensors file. It is checked before any of its sizes is used.
//!
//! The check is needed because the crate safetensors adds up the header's sizes without overflow checks, and needs the whole file
//! in memory before it parses the header.

use std::collections::HashSet;
use std::fmt;
#[cfg(feature = "data")]
use std::fs::File;
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::Source;

/// The maximal length of a header in bytes, which the format defines. It allows about a million tensors.
const MAX_HEADER: u64 = 100_000_000;
/// The first bytes of a zip archive.
const ARCHIVE: &[u8] = b"PK\x03\x04";
/// The number of bytes before the header. They contain its length.
const PREFIX: u64 = 8;

/// An open safetensors file. Its header has been read and fits the length of the file.
pub(crate) struct Opened<'a> {
    path: &'a Path,
    source: Source<'a>,
    metadata: Metadata,
}

impl<'a> Opened<'a> {
    pub(crate) fn open(path: &'a Path) -> Result<Self> {
        let mut source = Source::open(path)?;
        let (mut bytes, mut header) = (Vec::new(), Vec::new());
        source.read(PREFIX, &mut bytes)?;
        let length = header_length(path, &bytes)?;
        source.read(length, &mut header)?;
        let whole = source.length();
        Ok(Opened { path, source, metadata: checked(path, &header, length, whole)? })
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads the data: all bytes after the header.
    pub(crate) fn data(mut self) -> Result<Vec<u8>> {
        let (mut data, length) = (Vec::new(), self.metadata.data_len());
        self.source.read((length as u64).saturating_add(1), &mut data)?;
        if data.len() != length {
            return Err(failed(self.path, SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(data)
    }

    /// The file itself, and the position at which its data begin; `None` for pipes, which have no positions.
    #[cfg(feature = "data")]
    pub(crate) fn into_file(self) -> Option<(File, u64)> {
        let (file, length) = self.source.into_file()?;
        Some((file, length.saturating_sub(self.metadata.data_len() as u64)))
    }
}

/// Splits a safetensors file that is in memory into its header and the data after it.
pub(crate) fn split<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Metadata, &'a [u8])> {
    let length = header_length(path, bytes)?;
    let rest = bytes.get(PREFIX as usize..).unwrap_or_default();
    let (header, data) = rest.split_at(rest.len().min(length as usize));
    Ok((checked(path, header, length, Some(bytes.len() as u64))?, data))
}

/// The length of the header, from the first bytes of the file.
fn header_length(path: &Path, start: &[u8]) -> Result<u64> {
    let length = start.first_chunk().ok_or(SafeTensorError::HeaderTooSmall).map_err(|rule| failed(path, rule))?;
    match u64::from_le_bytes(*length) {
        length if length <= MAX_HEADER => Ok(length),
        _ if start.starts_with(ARCHIVE) => {
            let rule =
                "the file must be in the safetensors format; in PyTorch: safetensors.torch.save_file(tensors, file)";
            Err(Error::Data { path: path.into(), rule, found: "a zip archive, as torch.save writes it".into() })
        }
        _ => Err(failed(path, SafeTensorError::HeaderTooLarge)),
    }
}

/// Parses a header, which must have the given length, in a file of length `whole`.
fn checked(path: &Path, header: &[u8], length: u64, whole: Option<u64>) -> Result<Metadata> {
    if header.len() as u64 != length {
        return Err(failed(path, SafeTensorError::InvalidHeaderLength));
    }
    let metadata = parse(header).map_err(|rule| failed(path, rule))?;
    let total = (metadata.data_len() as u64).checked_add(PREFIX + length);
    // If the file's length is not known, as of a pipe, it is compared with the header when the data are read.
    if total.is_none() || whole.is_some_and(|whole| total != Some(whole)) {
        return Err(failed(path, SafeTensorError::MetadataIncompleteBuffer));
    }
    Ok(metadata)
}

/// Parses the header. The names of the tensors must differ, their shapes must fit their offsets, and there must be no gap between
/// them.
fn parse(header: &[u8]) -> Result<Metadata, SafeTensorError> {
    let mut parser = serde_json::Deserializer::from_slice(header);
    let header = parser.deserialize_map(Entries).and_then(|header| parser.end().map(|()| header));
    let Header { texts, mut tensors } = header.map_err(SafeTensorError::InvalidHeaderDeserialization)?;
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    Metadata::new(Some(texts.into_iter().collect()), tensors)
}

/// The content of a header.
#[derive(Default)]
struct Header {
    /// The entries of `__metadata__` whose values are texts.
    texts: Vec<(String, String)>,
    tensors: Vec<(String, TensorInfo)>,
}

/// The parser of a header's entries.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut header, mut names) = (Header::default(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(M::Error::custom(format_args!("the name `{name}` stands there twice")));
            }
            if name != "__metadata__" {
                header.tensors.push((name, map.next_value()?));
            } else if let Value::Object(entries) = map.next_value()? {
                let text = |(key, value): (String, Value)| Some((key, value.as_str()?.to_owned()));
                header.texts.extend(entries.into_iter().filter_map(text));
            }
        }
        Ok(header)
    }
}

/// The error for a file that is not in the safetensors format.
pub(crate) fn failed(path: &Path, source: SafeTensorError) -> Error {
    Error::Format { path: path.into(), source: source.into() }
}
