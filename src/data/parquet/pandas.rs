//! What pandas tells of a table in the metadata of its Parquet file: which columns are the table's index.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The names of the columns that pandas wrote for a table's index.
#[derive(Default)]
pub(super) struct IndexColumns(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for IndexColumns {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(OfTable)
    }
}

/// Takes the one list out of the description of a table.
struct OfTable;

impl<'de> Visitor<'de> for OfTable {
    type Value = IndexColumns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of pandas")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IndexColumns, A::Error> {
        let mut names = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "index_columns" {
                // An index that counts the rows has no column, and a description in the place of a name.
                let all: Vec<Value> = map.next_value()?;
                names.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(IndexColumns(names))
    }
}
