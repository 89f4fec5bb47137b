//! Columns of a Parquet file: chooses those with features, and the one with labels.

use std::collections::HashMap;
use std::path::Path;

use arrow_schema::{DataType, Field, Fields};

use super::super::errors::{listed, refuse};
use super::options::{ParquetFeatures, ParquetOptions};
use crate::error::{Error, Result};

/// The columns that were chosen from a file.
#[derive(Debug)]
pub(super) struct Columns {
    /// The columns with features, in the order of the file. Each comes with the place of its feature in a row.
    pub(super) features: Vec<(usize, usize)>,
    /// Whether the features are a single column of lists.
    pub(super) is_list: bool,
    pub(super) label: Option<usize>,
}

impl Columns {
    /// Chooses columns of a file with these fields. `index` has the names of columns that are the index of a pandas table.
    pub(super) fn choose(path: &Path, fields: &Fields, index: &[String], options: &ParquetOptions) -> Result<Self> {
        let file = Chooser { path, fields, index };
        let rule = "the label must be one column of the file";
        let label = options.label.as_ref().map(|name| file.named(name, rule)).transpose()?;
        let chosen = match &options.features {
            ParquetFeatures::Numeric => file.numeric(label)?,
            ParquetFeatures::Columns(names) => file.columns(names)?,
            ParquetFeatures::List(name) => vec![file.list(name)?],
        };
        if label.is_some_and(|label| chosen.contains(&label)) {
            let rule = "the column of the labels cannot hold features as well";
            return Err(Error::Combination { op: "ParquetRows::open", rule });
        }
        let mut features: Vec<_> = chosen.into_iter().zip(0..).collect();
        features.sort_unstable();
        let is_list = matches!(options.features, ParquetFeatures::List(_));
        Ok(Columns { features, is_list, label })
    }

    /// The columns with features, in the order of the file.
    pub(super) fn roots(&self) -> Vec<usize> {
        self.features.iter().map(|(root, _)| *root).collect()
    }
}

/// The columns of a file, from which some are chosen.
struct Chooser<'a> {
    path: &'a Path,
    fields: &'a Fields,
    /// The names of the columns of the table's index, if pandas wrote the file.
    index: &'a [String],
}

impl Chooser<'_> {
    /// The column with this name.
    fn named(&self, name: &str, rule: &'static str) -> Result<usize> {
        let mut places = (0..self.fields.len()).filter(|index| self.fields[*index].name() == name);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            _ => refuse(self.path, rule, format!("{name:?} of the columns {}", self.all(|field| field.name().clone()))),
        }
    }

    /// All columns of numbers, without the column of the labels and pandas' index.
    fn numeric(&self, label: Option<usize>) -> Result<Vec<usize>> {
        let is_index = |name: &String| name.starts_with("__index_level_") || self.index.contains(name);
        let others =
            (0..self.fields.len()).filter(|place| Some(*place) != label && !is_index(self.fields[*place].name()));
        let mut chosen = Vec::new();
        for index in others {
            let field = &self.fields[index];
            match field.data_type() {
                decimal if decimal.is_decimal() => return self.no_numbers(field),
                // For example an embedding beside the number of a row: without this check, the model would be trained on that
                // number alone.
                nested if nested.is_nested() && holds_numbers(nested) => {
                    let rule = "beside columns of lists, maps or structs, features must be named: by ParquetFeatures::List or \
                                ::Columns";
                    return refuse(self.path, rule, format!("column {:?} of type {nested}", field.name()));
                }
                numbers if is_numeric(numbers) => chosen.push(index),
                _ => {}
            }
        }
        if chosen.is_empty() {
            let rule = "there must be a column of numbers";
            return refuse(self.path, rule, self.all(|field| format!("{} ({})", field.name(), field.data_type())));
        }
        Ok(chosen)
    }

    /// The columns with these names.
    fn columns(&self, names: &[String]) -> Result<Vec<usize>> {
        // The place of each name, or none if several columns have it.
        let mut places: HashMap<&str, Option<usize>> = HashMap::new();
        for (place, field) in self.fields.iter().enumerate() {
            places.entry(field.name()).and_modify(|known| *known = None).or_insert(Some(place));
        }
        let (mut chosen, mut taken) = (Vec::new(), vec![false; self.fields.len()]);
        for name in names {
            let index = match places.get(name.as_str()) {
                Some(Some(place)) => *place,
                _ => self.named(name, "a feature must be one column of the file")?,
            };
            let field = &self.fields[index];
            if matches!(field.data_type(), DataType::List(_)) {
                let rule = "a column of lists must be the only one, and be asked for by ParquetFeatures::List";
                return refuse(self.path, rule, format!("column {name:?}"));
            }
            if !is_numeric(field.data_type()) {
                return self.no_numbers(field);
            }
            if taken[index] {
                return refuse(self.path, "each column may be asked for once", format!("column {name:?} twice"));
            }
            taken[index] = true;
            chosen.push(index);
        }
        if chosen.is_empty() {
            return refuse(self.path, "ParquetFeatures::Columns must have a column", "none".into());
        }
        Ok(chosen)
    }

    /// The column with this name, which must contain lists.
    fn list(&self, name: &str) -> Result<usize> {
        let index = self.named(name, "the features must be one column of the file")?;
        let field = &self.fields[index];
        match field.data_type() {
            DataType::List(item) if is_numeric(item.data_type()) => Ok(index),
            DataType::List(_) => self.no_numbers(field),
            other => {
                let rule = "ParquetFeatures::List takes a column of lists; ParquetFeatures::Columns takes others";
                refuse(self.path, rule, format!("column {name:?} of type {other}"))
            }
        }
    }

    /// The error for a column that must contain numbers.
    fn no_numbers<T>(&self, field: &Field) -> Result<T> {
        let rule = "features must be booleans, integers, f16, f32 or f64; in pandas: df[column].astype(\"float32\")";
        refuse(self.path, rule, format!("column {:?} of type {}", field.name(), field.data_type()))
    }

    /// The first columns of the file as a text; `show` gives the text of each.
    fn all(&self, show: impl Fn(&Field) -> String) -> String {
        listed(self.fields.len(), self.fields.iter().map(|field| show(field)))
    }
}

/// Whether a column contains numbers at any depth, including decimals.
fn holds_numbers(column: &DataType) -> bool {
    match column {
        DataType::List(item) | DataType::Map(item, _) => holds_numbers(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_numbers(field.data_type())),
        other => is_numeric(other) || other.is_decimal(),
    }
}

fn is_numeric(numbers: &DataType) -> bool {
    numbers.is_integer() || matches!(numbers, DataType::Boolean) || numbers.is_floating()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn numbers_are_found_at_any_depth() {
        let field = |data: DataType| Arc::new(Field::new("item", data, true));
        let list = |item: DataType| DataType::List(field(item));
        let of = |columns: Vec<DataType>| DataType::Struct(columns.into_iter().map(field).collect());
        let map = |value: DataType| DataType::Map(field(of(vec![DataType::Utf8, value])), false);
        let with_numbers = [
            list(DataType::Float32),
            list(list(DataType::Boolean)),
            list(DataType::Decimal128(8, 2)),
            list(of(vec![DataType::Utf8, DataType::Float32])),
            of(vec![DataType::Int8, list(DataType::Float64)]),
            of(vec![of(vec![list(DataType::Int32)])]),
            map(DataType::Int64),
            map(list(DataType::Float16)),
            of(vec![DataType::Utf8, DataType::Int8]),
        ];
        for column in with_numbers {
            assert!(column.is_nested() && holds_numbers(&column), "{column}");
        }
        let texts = of(vec![DataType::Utf8, DataType::Binary]);
        for column in [DataType::Date32, list(DataType::Utf8), map(DataType::Utf8), texts.clone(), list(texts)] {
            assert!(!holds_numbers(&column), "{column}");
        }
    }

    #[test]
    fn many_columns_are_found_by_name() {
        let count = 20_000;
        let name = |column: usize| format!("gene {column}");
        let fields: Fields = (0..count).map(|column| Field::new(name(column), DataType::Float32, false)).collect();
        let features = ParquetFeatures::Columns((0..count).rev().map(name).collect());
        let options = ParquetOptions { features, ..Default::default() };
        let columns = Columns::choose(Path::new("genes.parquet"), &fields, &[], &options).unwrap();
        assert!(columns.features.into_iter().eq((0..count).map(|column| (column, count - 1 - column))));
    }
}
