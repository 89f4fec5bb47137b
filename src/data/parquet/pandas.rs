//! The description of a table that pandas writes into the metadata of a Parquet file. It tells which columns are the table's
//! index.

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

/// A visitor that takes the list of index columns out of the description of a table.
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
                // An index that only counts the rows has no column. It is described by an object instead of a name.
                let all: Vec<Value> = map.next_value()?;
                names.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(IndexColumns(names))
    }
}
