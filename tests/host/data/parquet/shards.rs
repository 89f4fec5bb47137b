//! Several files as one source: rows and labels one file after the other, classes of all files, and errors for files that do
//! not fit.

use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float32Builder, ListBuilder};
use wgpu_mlp::data::{ParquetOptions, ParquetRows, shard_paths};
use wgpu_mlp::source::RowSource;
use wgpu_mlp::{Error, Result};

use super::{array, columns, file_of, labelled, list};

/// A folder with these files, of row groups of three rows.
fn folder_of(files: &[(&str, Vec<(&str, ArrayRef)>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, columns) in files {
        let bytes = file_of(columns.clone(), |set| set.set_max_row_group_row_count(Some(3)));
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(folder: &Path, options: &ParquetOptions) -> Result<ParquetRows> {
    ParquetRows::open_shards(shard_paths(folder.join("*.parquet"))?, options)
}

/// Consecutive numbers from this one on, and labels.
fn table(first: usize, kinds: &[&'static str]) -> Vec<(&'static str, ArrayRef)> {
    let numbers = |factor: usize| array((first..first + kinds.len()).map(|row| (factor * row) as f32));
    vec![("a", numbers(1)), ("b", numbers(10)), ("kind", array(kinds.iter().copied()))]
}

#[test]
fn rows_labels_and_classes_are_those_of_all_files() {
    let first = table(0, &["rose", "aster", "rose", "rose", "aster"]);
    let second = table(5, &["lily", "rose", "lily", "aster"]);
    let folder = folder_of(&[("0.parquet", first), ("1.parquet", second)]);
    for cache_bytes in [0, 24, 60, usize::MAX] {
        let options = ParquetOptions { cache_bytes, ..labelled("kind") };
        let shards = open(folder.path(), &options).unwrap();
        assert_eq!((shards.dim(), shards.columns()), ((9, 2), &["a", "b"].map(String::from)[..]));
        assert_eq!(shards.classes(), ["aster", "lily", "rose"]);
        assert_eq!(shards.labels(), [2, 0, 2, 2, 0, 1, 2, 1, 0]);
        for _ in 0..2 {
            let rows = [8, 0, 5, 4, 3, 7, 1, 2, 6, 8];
            let mut into = [f32::NAN; 20];
            shards.read_rows(&rows, &mut into).unwrap();
            let wanted: Vec<f32> = rows.iter().flat_map(|row| [*row as f32, 10.0 * *row as f32]).collect();
            assert_eq!(into[..], wanted, "{cache_bytes} bytes kept");
        }
        assert_eq!(shards.read_rows(&[9], &mut [0.0; 2]).unwrap_err().row, 9);
        assert!(
            shards.name().ends_with("the first of 2 Parquet files of 9x2 together")
                && format!("{shards:?}").contains("(9, 2)")
        );
    }
    let classes = ["lily", "none", "rose", "aster"].map(String::from).to_vec();
    let asked = open(folder.path(), &ParquetOptions { classes: classes.clone(), ..labelled("kind") }).unwrap();
    assert_eq!((asked.classes(), asked.labels()), (&classes[..], &[2, 3, 2, 2, 3, 0, 2, 0, 3][..]));
}

#[test]
fn what_is_kept_of_any_file_is_read_first() {
    let names = ["0.parquet", "1.parquet", "2.parquet", "3.parquet"];
    let tables = [0, 3, 6, 9].map(|first| table(first, &["rose"; 3]));
    let folder = folder_of(&names.into_iter().zip(tables).collect::<Vec<_>>());
    // There is room for three of four row groups, each of three rows of two values.
    let options = ParquetOptions { cache_bytes: 3 * 3 * 2 * size_of::<f32>(), ..labelled("kind") };
    let shards = open(folder.path(), &options).unwrap();
    let rows: Vec<usize> = (0..12).collect();
    let wanted: Vec<f32> = rows.iter().flat_map(|row| [*row as f32, 10.0 * *row as f32]).collect();
    let mut into = [f32::NAN; 24];
    shards.read_rows(&rows, &mut into).unwrap();
    assert_eq!(into[..], wanted);
    // The first file's row group was removed from the cache; those of the others are not read from their files again.
    for name in &names[1..] {
        let path = folder.path().join(name);
        let length = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(path, vec![0xff; length]).unwrap();
    }
    into.fill(f32::NAN);
    shards.read_rows(&rows, &mut into).unwrap();
    assert_eq!(into[..], wanted);
    // Now it is kept instead of the second file's row group.
    assert_eq!(shards.read_rows(&[0, 11, 4], &mut [0.0; 6]).unwrap_err().row, 4);
}

#[test]
fn files_without_rows_are_left_out() {
    let none = || vec![("other", array([0.5f32; 0]))];
    let (first, second) = (table(0, &["rose"; 4]), table(4, &["lily"]));
    let files = [("0.parquet", none()), ("1.parquet", first), ("2.parquet", table(4, &[])), ("3.parquet", second)];
    let folder = folder_of(&files);
    for cache_bytes in [0, usize::MAX] {
        let shards = open(folder.path(), &ParquetOptions { cache_bytes, ..labelled("kind") }).unwrap();
        assert_eq!((shards.dim(), shards.labels()), ((5, 2), &[1, 1, 1, 1, 0][..]));
        assert_eq!(shards.classes(), ["lily", "rose"]);
        let mut rows = [f32::NAN; 4];
        shards.read_rows(&[4, 1], &mut rows).unwrap();
        assert_eq!(rows, [4.0, 40.0, 1.0, 10.0]);
    }
    let folder = folder_of(&[("0.parquet", none()), ("1.parquet", none())]);
    let error = open(folder.path(), &labelled("kind")).unwrap_err().to_string();
    assert!(error.contains("0.parquet: there must be a row; got "), "{error}");
}

#[test]
fn labels_that_are_numbers_and_none() {
    let numbers = |first: i64| vec![("x", array([0.5f32; 4])), ("label", array(first..first + 4))];
    let folder = folder_of(&[("0.parquet", numbers(7)), ("1.parquet", numbers(-2))]);
    let shards = open(folder.path(), &labelled("label")).unwrap();
    assert_eq!((shards.labels(), shards.classes()), (&[7, 8, 9, 10, -2, -1, 0, 1][..], &[][..]));
    assert!(open(folder.path(), &columns(&["x"])).unwrap().labels().is_empty());
    // Texts that are numbers are sorted by value, over all files together.
    let texts = |texts: [&'static str; 2]| vec![("x", array([0.5f32; 2])), ("label", array(texts))];
    let folder = folder_of(&[("0.parquet", texts(["10", "9"])), ("1.parquet", texts(["-1", "10"]))]);
    let shards = open(folder.path(), &labelled("label")).unwrap();
    assert_eq!((shards.classes(), shards.labels()), (&["-1", "9", "10"].map(String::from)[..], &[2, 1, 0, 2][..]));
}

/// The second file must be refused with these words after its path; the first file's path is put into the braces.
#[track_caller]
fn refused(
    second: Vec<(&'static str, ArrayRef)>,
    first: Vec<(&'static str, ArrayRef)>,
    options: &ParquetOptions,
    words: &str,
) {
    let folder = folder_of(&[("0.parquet", first), ("1.parquet", second)]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let error = open(folder.path(), options).unwrap_err();
    assert!(
        matches!(&error, Error::Data { path: named, .. } if *named == folder.path().join("1.parquet")),
        "{error:?}"
    );
    assert_eq!(error.to_string(), format!("{}: {}", path("1.parquet"), words.replace("{}", &path("0.parquet"))));
}

#[test]
fn files_that_do_not_fit_each_other() {
    let (first, mut turned) = (table(0, &["rose"; 4]), table(0, &["rose"; 4]));
    turned.swap(0, 1);
    let rule = "all files must have the same features in one order, as ParquetFeatures::Columns gives them; got";
    let words =
        |found: &str, place: usize, wanted: &str| format!("{rule} {found} as feature {place}, where {{}} has {wanted}");
    refused(turned.clone(), first.clone(), &labelled("kind"), &words("\"b\"", 0, "\"a\""));
    let (longer, shorter) = ([first.clone(), vec![("c", array([0.5f32; 4]))]].concat(), first[1..].to_vec());
    refused(longer, first.clone(), &labelled("kind"), &words("\"c\"", 2, "none"));
    refused(shorter, first.clone(), &labelled("kind"), &words("\"b\"", 0, "\"a\""));
    refused(first[..1].to_vec(), first.clone(), &Default::default(), &words("none", 1, "\"b\""));
    // If columns are given by name, they have one order.
    let folder = folder_of(&[("0.parquet", first.clone()), ("1.parquet", turned)]);
    let shards = open(folder.path(), &columns(&["b", "a"])).unwrap();
    let mut rows = [0.0; 4];
    shards.read_rows(&[3, 7], &mut rows).unwrap();
    assert_eq!(rows, [30.0, 3.0, 30.0, 3.0]);
    let numbers = vec![("a", array([0.5f32; 4])), ("b", array([0.5f32; 4])), ("kind", array([1i64; 4]))];
    let words = "the labels of all files must be strings, or those of none; got numbers, where those of {} are strings";
    refused(numbers.clone(), first.clone(), &labelled("kind"), words);
    refused(numbers, first, &ParquetOptions { classes: vec!["rose".into()], ..labelled("kind") }, words);
    let lists = |length: usize| {
        let mut lists = ListBuilder::new(Float32Builder::new());
        for _ in 0..4 {
            lists.values().append_slice(&vec![0.5; length]);
            lists.append(true);
        }
        vec![("x", Arc::new(lists.finish()) as ArrayRef)]
    };
    let words = "the lists of all files must have one length; got 3 values, where those of {} have 2";
    refused(lists(3), lists(2), &list("x"), words);
    let none = ParquetRows::open_shards([] as [&Path; 0], &ParquetOptions::default());
    assert!(matches!(none, Err(Error::Empty { op: "ParquetRows::open_shards", .. })));
}
