//! Files that pandas, pyarrow and polars wrote: see `tests/data/make_parquet.py`.

use std::sync::Arc;

use arrow_array::{ArrayRef, StructArray};
use parquet::file::metadata::KeyValue;
use wgpu_mlp::data::{ParquetOptions, ParquetRows, read_csv};
use wgpu_mlp::source::RowSource;

use super::super::Scratch;
use super::{all, array, columns, file_of, labelled, list, value, written};

const ROWS: usize = 50;
const KINDS: [&str; 3] = ["rose", "aster", "lily"];

/// The labels of the column `kind`, whose classes are sorted.
fn kinds() -> Vec<i64> {
    (0..ROWS)
        .map(|row| ["aster", "lily", "rose"].iter().position(|kind| *kind == KINDS[row % 3]).unwrap() as i64)
        .collect()
}

/// An embedding's values.
fn embedding(index: usize, width: usize, scale: f32) -> Vec<f32> {
    (0..ROWS).flat_map(|row| (0..width).map(move |place| value(row, index + place) / scale)).collect()
}

fn open(name: &str, options: &ParquetOptions) -> ParquetRows {
    ParquetRows::open(written(name), options).unwrap()
}

#[test]
fn numbers_of_pandas() {
    let numbers = open("numbers.parquet", &labelled("kind"));
    let types =
        ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"];
    assert_eq!(numbers.columns(), [&types[..], &["bool"]].concat(), "neither text nor days nor the index");
    let row = |row| (0..11).map(move |column| value(row, column)).chain([value(row, 11) % 2.0]);
    assert_eq!(all(&numbers), (0..ROWS).flat_map(row).collect::<Vec<_>>());
    assert_eq!((numbers.classes(), numbers.labels()), (&["aster", "lily", "rose"].map(String::from)[..], &kinds()[..]));
    // The index can be asked for by its name.
    let index = open("numbers.parquet", &columns(&["__index_level_0__", "bool"]));
    assert_eq!(all(&index)[..4], [1000.0, value(0, 11) % 2.0, 1003.0, value(1, 11) % 2.0]);
    let label = open("numbers.parquet", &labelled("uint64"));
    assert_eq!(label.labels(), (0..ROWS).map(|row| value(row, 7) as i64).collect::<Vec<_>>());
}

/// An index with a name is a column like any other, except for the entry that pandas writes about it in the file's metadata.
#[test]
fn an_index_of_pandas_with_a_name() {
    let read = |about: &str, options: &ParquetOptions| {
        let pairs = vec![KeyValue::new("pandas".into(), about.to_owned())];
        let numbers = vec![("id", array([7i64, 8])), ("x", array([0.5f32, 1.5]))];
        let bytes = file_of(numbers, |set| set.set_key_value_metadata(Some(pairs.clone())));
        Scratch::new().read(&bytes, |path| ParquetRows::open(path, options)).unwrap()
    };
    let about = r#"{"columns": [{"name": "x"}, {"name": "id"}], "index_columns": ["id"], "pandas_version": "2.3.3"}"#;
    let numbers = read(about, &ParquetOptions::default());
    assert_eq!((numbers.columns(), all(&numbers)), (&["x".to_owned()][..], vec![0.5, 1.5]));
    assert_eq!(all(&read(about, &columns(&["id"]))), [7.0, 8.0], "asked for by its name");
    assert_eq!(read(about, &labelled("id")).labels(), [7, 8]);
    let range = r#"{"index_columns": [{"kind": "range", "name": null, "start": 0, "stop": 2, "step": 1}]}"#;
    for about in [range, "{}", "", "[1]", r#"{"index_columns": 3}"#, r#"{"index_columns": ["id"]"#] {
        assert_eq!(read(about, &ParquetOptions::default()).columns(), ["id", "x"], "{about}");
    }
}

/// Spark, DuckDB and polars write structs. Their numbers may be the features, so they are not left out silently.
#[test]
fn structs_of_numbers_are_not_left_out() {
    let read = |of: Vec<(&str, ArrayRef)>, options: &ParquetOptions| {
        let of: ArrayRef = Arc::new(StructArray::try_from(of).unwrap());
        let bytes = file_of(vec![("id", array([7i64, 8])), ("petal", of)], |set| set);
        Scratch::new().read(&bytes, |path| ParquetRows::open(path, options))
    };
    let (texts, numbers) = (("unit", array(["cm", "mm"])), ("length", array([1.5f32, 2.5])));
    let error = read(vec![texts.clone(), numbers.clone()], &ParquetOptions::default()).unwrap_err().to_string();
    let rule =
        "beside columns of lists, maps or structs, features must be named: by ParquetFeatures::List or ::Columns";
    assert!(error.contains(&format!("{rule}; got column \"petal\" of type Struct(")), "{error}");
    assert_eq!(all(&read(vec![texts.clone(), numbers], &columns(&["id"])).unwrap()), [7.0, 8.0]);
    assert_eq!(read(vec![texts], &ParquetOptions::default()).unwrap().columns(), ["id"]);
}

#[test]
fn lists_of_pyarrow() {
    for file in ["lists.parquet", "lists_v2.parquet"] {
        for (index, name) in ["fixed16", "fixed32", "variable32", "variable64"].into_iter().enumerate() {
            for cache_bytes in [0, usize::MAX] {
                let options = ParquetOptions { label: Some("label".into()), cache_bytes, ..list(name) };
                let lists = open(file, &options);
                assert_eq!((lists.dim(), lists.columns()), ((ROWS, 4), &[name.to_owned()][..]));
                assert_eq!(all(&lists), embedding(index, 4, 4.0), "{file} {name}");
                assert_eq!(lists.labels(), (0..ROWS).map(|row| value(row, 5) as i64).collect::<Vec<_>>());
            }
        }
        assert_eq!(all(&open(file, &list("whole"))), embedding(0, 2, 1.0));
    }
}

#[test]
fn tables_of_polars() {
    let table = open("polars.parquet", &ParquetOptions { label: Some("kind".into()), ..columns(&["x", "y"]) });
    assert_eq!(table.columns(), ["x", "y"]);
    assert_eq!((all(&table), table.labels()), (embedding(0, 2, 1.0), &kinds()[..]));
    assert_eq!(all(&open("polars.parquet", &list("array"))), embedding(2, 4, 4.0));
    assert_eq!(all(&open("polars.parquet", &list("list"))), embedding(3, 4, 4.0));
    let error = ParquetRows::open(written("polars.parquet"), &labelled("kind")).unwrap_err().to_string();
    assert!(error.contains("ParquetFeatures::List or ::Columns; got column \""), "{error}");
}

#[test]
fn the_example_is_the_csv_file() {
    let csv = read_csv("examples/data/flowers.csv", &Default::default()).unwrap();
    let flowers = ParquetRows::open("examples/data/flowers.parquet", &labelled("kind")).unwrap();
    assert_eq!((all(&flowers), flowers.columns()), (csv.features.into_raw_vec_and_offset().0, &csv.columns[..]));
    assert_eq!(flowers.classes(), csv.classes);
    assert_eq!(flowers.labels(), csv.labels.into_iter().map(i64::from).collect::<Vec<_>>());
}
