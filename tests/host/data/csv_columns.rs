//! Columns of CSV files that are chosen by name: in another order, beside other columns, and in several files.

use std::path::PathBuf;

use ndarray::{Array2, array};
use wgpu_mlp::Error;
use wgpu_mlp::data::{
    Column, CsvOptions, read_csv, read_csv_features, read_csv_features_from, read_csv_from, read_csv_shards,
};

use super::Scratch;
use super::csv::{label, refused, table};

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Options with these features. The label is in the column "kind".
fn named(features: &[&str]) -> CsvOptions {
    CsvOptions { features: owned(features), ..label(Column::Name("kind".into())) }
}

/// Options with these features. The label is in the last column.
fn before_the_last(features: &[&str]) -> CsvOptions {
    CsvOptions { features: owned(features), ..Default::default() }
}

#[test]
fn columns_in_another_order_give_the_same_rows() {
    let train = table("a,b,c,kind\n1,2,3,x\n4,5,6,y\n", &CsvOptions::default());
    let options = CsvOptions { features: train.columns.clone(), ..named(&[]) };
    for text in [
        "a,b,c,kind\n1,2,3,x\n4,5,6,y\n",
        "c,kind,a,b\n3,x,1,2\n6,y,4,5\n",
        "\"kind\",\"c\",\"b\",\"a\"\nx,3,2,1\ny,6,5,4\n",
        // Columns that are not named may contain anything.
        "note,kind,c,,b,a\n?,x,3,nan,2,1\n\"a, b\",y,6,,5,4\n",
        "\u{feff}b,7,a,c,kind,7\r\n2,-,1,3,x,-\r\n5,-,4,6,y,-\r\n",
    ] {
        assert_eq!(table(text, &options), train, "{text}");
        let forced = CsvOptions { header: Some(true), ..options.clone() };
        assert_eq!(read_csv_from(text.as_bytes(), &forced).unwrap(), train, "{text}");
        let new = read_csv_features_from(text.as_bytes(), &options).unwrap();
        assert_eq!((new.features, new.columns), (train.features.clone(), train.columns.clone()), "{text}");
    }
    let some = table("a,b,c,kind\n1,2,3,x\n4,5,6,y\n", &named(&["c", "a"]));
    assert_eq!(
        (some.features, some.columns, some.labels),
        (array![[3.0, 1.0], [6.0, 4.0]], owned(&["c", "a"]), vec![0, 1])
    );
}

#[test]
fn names_of_any_characters() {
    let quoted = table("\"x, mm\",\"say \"\"y\"\"\",kind\n1,2,a\n", &CsvOptions::default());
    assert_eq!(quoted.columns, ["x, mm", "say \"y\""]);
    let options = CsvOptions { features: quoted.columns.clone(), ..named(&[]) };
    assert_eq!(table("kind,\"say \"\"y\"\"\",\"x, mm\"\na,2,1\n", &options), quoted);
    // The names of a file that is not UTF-8 are those that `columns` has.
    let latin = read_csv_from(&b"l\xe4nge,b,kind\n1,2,a\n"[..], &CsvOptions::default()).unwrap();
    let options = CsvOptions { features: latin.columns.clone(), ..named(&[]) };
    assert_eq!(read_csv_from(&b"b,kind,l\xe4nge\n2,a,1\n"[..], &options).unwrap(), latin);
    // A column without a name has the empty name.
    assert_eq!(table(",a,kind\n7,1,x\n", &named(&["a", ""])).features, array![[1.0, 7.0]]);
}

#[test]
fn many_columns() {
    let column = |column: usize| (format!("pixel{column}"), column.to_string());
    let (names, values): (Vec<_>, Vec<_>) = (0..784).rev().map(column).unzip();
    let text = format!("{}\n{}\n", names.join(","), values.join(","));
    let features = names.into_iter().rev().collect();
    let read = read_csv_features_from(text.as_bytes(), &CsvOptions { features, ..Default::default() }).unwrap();
    assert_eq!(read.features, Array2::from_shape_fn((1, 784), |(_, column)| column as f32));
}

#[test]
fn names_that_choose_no_column() {
    let text = b"a,b,kind\n1,2,x\n";
    let one = "a feature must be one column of the file; got";
    refused(text, &named(&["a", "z"]), &format!("{one} \"z\" of the columns a, b, kind"));
    refused(text, &before_the_last(&["A"]), &format!("{one} \"A\" of the columns a, b, kind"));
    refused(b"a,b,a,kind\n1,2,3,x\n", &named(&["b", "a"]), &format!("{one} \"a\" in columns 1 and 3 of a, b, a, kind"));
    assert_eq!(table("a,b,a,kind\n1,2,3,x\n", &named(&["b"])).features, array![[2.0]]);
    refused(text, &named(&["b", "a", "b"]), "each column may be asked for once; got column 2, \"b\"");
    let both = "the column of the labels cannot hold a feature as well: CsvOptions::label chooses it, and read_csv_features \
                reads a file without labels; got column";
    refused(text, &named(&["a", "kind"]), &format!("{both} 3, \"kind\""));
    // The label is in the last column unless it is named, and here that is a feature.
    refused(b"kind,b,a\nx,2,1\n", &before_the_last(&["a", "b"]), &format!("{both} 3, \"a\""));
    let skip = CsvOptions { skip: vec![Column::Index(1)], ..named(&["a", "b"]) };
    refused(text, &skip, "a column to leave out cannot hold a feature; got column 2, \"b\"");
    assert_eq!(table("a,b,kind\n1,?,x\n", &CsvOptions { features: owned(&["a"]), ..skip }).features, array![[1.0]]);
    let semicolons =
        "line 1, column 1: the cells seem to be separated by \";\": set CsvOptions::delimiter to it; got \"a;b\"";
    let new = |path: PathBuf| read_csv_features(path, &before_the_last(&["a", "b"]));
    Scratch::new().refused(b"a;b\n1;2\n", new, semicolons);
    refused(b"a,b,kind\n1,2,x\n1,?,x\n", &named(&["b", "a"]), "line 3, column 2: a value is missing; got \"?\"");
    refused(
        b"a,b,kind\n1,2,x\n1,2\n",
        &named(&["b"]),
        "line 3, column 3: each row must have as many cells as the first; got 2 cells where 3 belong",
    );
}

#[test]
fn names_in_a_file_without_a_header() {
    let none =
        "CsvOptions::features needs a header, and the first row seems to be none: CsvOptions::header decides; got";
    refused(b"1,2,x\n3,4,y\n", &before_the_last(&["a", "b"]), &format!("{none} \"1,2,x\""));
    let new = |path: PathBuf| read_csv_features(path, &before_the_last(&["a", "b"]));
    Scratch::new().refused(b"1,2\n3,4\n", new, &format!("{none} \"1,2\""));
    let forced = |header| CsvOptions { header, ..before_the_last(&["0", "1"]) };
    let error = read_csv_from(&b"a,b,kind\n1,2,x\n"[..], &forced(Some(false))).unwrap_err();
    assert!(matches!(error, Error::Combination { op: "read_csv", .. }), "{error:?}");
    // A training file without a header has numbers for names. They must not be found among the values of the next file.
    let train = table("5,6,x\n7,8,y\n", &CsvOptions::default());
    assert_eq!(train.columns, ["0", "1"]);
    for text in ["1,0,x\n3,4,y\n", "0,1,x\n3,4,y\n"] {
        refused(text.as_bytes(), &forced(None), &format!("{none} {:?}", &text[..5]));
    }
    refused(b"first,1,0,x\nsecond,3,4,y\n", &forced(None), &format!("{none} \"first,1,0,x\""));
    assert_eq!(table("1,0,kind\n3,4,y\n", &forced(Some(true))).features, array![[4.0, 3.0]]);
    let numbered = before_the_last(&["2", "0", "1"]);
    assert_eq!(
        table("0,1,2,kind\n5,3,1,y\n", &numbered).features,
        array![[1.0, 5.0, 3.0]],
        "as pandas numbers columns"
    );
}

/// A file with one more column than the training file may have another column at the place of the label.
#[test]
fn a_label_by_place_is_the_only_column_left() {
    let train = table("a,b,kind\n1,2,x\n3,4,y\n", &CsvOptions::default());
    assert_eq!(train.label, Column::Name("kind".into()));
    assert_eq!(train.split(&Default::default()).unwrap().1.label, train.label);
    assert_eq!(table("1,2,x\n", &CsvOptions::default()).label, Column::Index(2));
    let by_place = before_the_last(&train.columns.iter().map(String::as_str).collect::<Vec<_>>());
    let by_name = CsvOptions { label: train.label, classes: train.classes, ..by_place.clone() };
    let first = CsvOptions { label: Column::Index(0), ..by_place.clone() };
    let rule = "CsvOptions::label must name the label if there is another column beside the named features; got column";
    for (text, options, found) in [
        ("a,b,kind,note\n1,2,y,x\n", &by_place, "3, \"kind\", and the label by its place in column 4, \"note\""),
        ("id,b,a,kind\n7,2,1,y\n", &by_place, "1, \"id\", and the label by its place in column 4, \"kind\""),
        ("id,b,a,kind\n7,2,1,y\n", &first, "4, \"kind\", and the label by its place in column 1, \"id\""),
    ] {
        for header in [None, Some(true)] {
            let options = CsvOptions { header, ..options.clone() };
            refused(text.as_bytes(), &options, &format!("{rule} {found}"));
        }
        let read = table(text, &by_name);
        assert_eq!((read.features, read.labels), (array![[1.0, 2.0]], vec![1]), "{text}");
        assert_eq!(read_csv_features_from(text.as_bytes(), options).unwrap().features, array![[1.0, 2.0]], "{text}");
    }
    // Nothing else is left if the other column is to be left out.
    let skip = CsvOptions { skip: vec![Column::Index(0)], ..by_place.clone() };
    assert_eq!(table("id,b,a,kind\n7,2,1,y\n", &skip).classes, ["y"]);
    assert_eq!(table("kind,b,a\ny,2,1\n", &first).classes, ["y"]);
    // A column that is no label does not take the place of one that is missing.
    let none = "the label must be one column of the file; got Name(\"kind\") of the columns a, b, note";
    refused(b"a,b,note\n1,2,x\n", &by_name, none);
}

/// The cells of a column that is left out may be texts and numbers, so they do not make the first row a header.
#[test]
fn what_is_left_out_makes_no_header() {
    let options = CsvOptions { skip: vec![Column::Index(0)], ..Default::default() };
    let read = table("n/17,1.4,0\n18,4.7,1\n", &options);
    assert_eq!((read.features, read.labels), (array![[1.4], [4.7]], vec![0, 1]));
}

/// A folder with these files, and their paths.
fn folder_of(files: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let written = |(index, text): (usize, &&str)| {
        let path = folder.path().join(format!("{index}.csv"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths = files.iter().enumerate().map(written).collect();
    (folder, paths)
}

#[test]
fn shards_are_read_by_name() {
    let files = ["a,b,kind\n1,2,x\n", "kind,b,a\ny,4,3\nw,6,5\n", "\"b\",\"kind\",\"a\"\n8,x,7\n"];
    let (_folder, paths) = folder_of(&files);
    let want: Array2<f32> = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]];
    for options in [CsvOptions::default(), named(&[]), CsvOptions { header: Some(true), ..Default::default() }] {
        let read = read_csv_shards(&paths, &options).unwrap();
        assert_eq!((&read.features, &read.labels[..]), (&want, &[1, 2, 0, 1][..]));
        assert_eq!((read.classes, read.columns), (owned(&["w", "x", "y"]), owned(&["a", "b"])));
    }
    let classes = owned(&["y", "none", "x", "w"]);
    let read = read_csv_shards(&paths, &CsvOptions { classes: classes.clone(), ..named(&["b"]) }).unwrap();
    assert_eq!((read.features, read.labels), (array![[2.0], [4.0], [6.0], [8.0]], vec![2, 0, 3, 2]));
    assert_eq!((read.classes, read.columns), (classes, owned(&["b"])));
    let alone = read_csv_shards(&paths[..1], &CsvOptions::default()).unwrap();
    assert_eq!(alone, read_csv(&paths[0], &CsvOptions::default()).unwrap());
}

#[test]
fn shards_with_other_columns_beside_those_to_read() {
    let (_folder, paths) = folder_of(&["id,a,kind\nr1,1,x\n", "a,kind,id\n2,y,r2\n"]);
    for skip in [Column::Index(0), Column::Name("id".into())] {
        let read = read_csv_shards(&paths, &CsvOptions { skip: vec![skip], ..Default::default() }).unwrap();
        assert_eq!((read.features, read.labels, read.columns), (array![[1.0], [2.0]], vec![0, 1], owned(&["a"])));
    }
    let (_folder, paths) = folder_of(&["a,kind\n1,x\n", "note,kind,a\n?,y,2\n"]);
    assert_eq!(read_csv_shards(&paths, &named(&["a"])).unwrap().features, array![[1.0], [2.0]]);
    let (_folder, paths) = folder_of(&["1,2,x\n", "3,4,y\n5,6,x\n"]);
    let read = read_csv_shards(&paths, &CsvOptions::default()).unwrap();
    assert_eq!((read.features, read.labels), (array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], vec![0, 1, 0]));
}

/// The second file must be refused with these words after its path; the first file's path is put into the braces.
#[track_caller]
fn second_refused(first: &str, second: &str, words: &str) {
    let (_folder, paths) = folder_of(&[first, second]);
    let error = read_csv_shards(&paths, &CsvOptions::default()).unwrap_err();
    let words = words.replace("{}", &paths[0].display().to_string());
    assert_eq!(error.to_string(), format!("{}: {words}", paths[1].display()));
}

#[test]
fn shards_that_do_not_fit_the_first() {
    let first = "a,b,kind\n1,2,x\n";
    let more = "all files must have the columns of the first, unless CsvOptions::features names them; got";
    second_refused(first, "a,b,c,kind\n1,2,3,x\n", &format!("{more} column 3, \"c\", which {{}} lacks"));
    let one = "a feature must be one column of the file; got";
    second_refused(first, "a,kind\n1,x\n", &format!("{one} \"b\" of the columns a, kind"));
    second_refused(first, "a,a,b,kind\n1,1,2,x\n", &format!("{one} \"a\" in columns 1 and 2 of a, a, b, kind"));
    let label = "the label must be one column of the file; got Name(\"kind\") of the columns";
    second_refused(first, "a,b,sort\n1,2,x\n", &format!("{label} a, b, sort"));
    second_refused(first, "3,4,y\n5,6,x\n", &format!("{label} 3, 4, y"));
    second_refused(first, "kind,b,a\nx,?,1\n", "line 2, column 2: a value is missing; got \"?\"");
    second_refused(first, "", "there must be a row, and a column of features; got an empty file");
    let plain = "1,2,x\n3,4,y\n";
    second_refused(plain, first, "line 1, column 1: a value must be a number; got \"a\"");
    second_refused(plain, "1,2,3,x\n", "all files must have as many columns as the first; got 4, where {} has 3");
    let none = read_csv_shards([] as [PathBuf; 0], &CsvOptions::default());
    assert!(matches!(none, Err(Error::Empty { op: "read_csv_shards", .. })));
}

/// Several columns may have one name. In a file with the header of the first one they are at its places.
#[test]
fn shards_with_the_header_of_the_first() {
    for (header, columns) in [("a,a,kind", ["a", "a"]), ("a,b,a", ["a", "b"]), (",,kind", ["", ""])] {
        let texts = ["1,2,x", "3,4,y"].map(|row| format!("{header}\n{row}\n"));
        let (_folder, paths) = folder_of(&texts.each_ref().map(String::as_str));
        let read = read_csv_shards(&paths, &CsvOptions { header: Some(true), ..Default::default() }).unwrap();
        assert_eq!((read.features, read.labels), (array![[1.0, 2.0], [3.0, 4.0]], vec![0, 1]), "{header}");
        assert_eq!(read.columns, columns, "{header}");
    }
    let (_folder, paths) = folder_of(&["a,b,kind,a\n1,2,x,3\n", "a,b,kind,a\n4,5,y,6\n"]);
    let read = read_csv_shards(&paths, &named(&[])).unwrap();
    assert_eq!((read.features, read.labels), (array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], vec![0, 1]));
    second_refused(
        "a,a,kind\n1,2,x\n",
        "kind,a,a\nx,1,2\n",
        "a feature must be one column of the file; got \"a\" in columns 2 and 3 of kind, a, a",
    );
}

/// Programs that store a table in parts may write parts without rows.
#[test]
fn shards_without_rows_are_left_out() {
    let empty = "a,b,kind\n";
    for files in [[empty, "kind,b,a\ny,4,3\n", empty], ["a,b,kind\n3,4,y\n", "b,kind,a\n", empty]] {
        let (_folder, paths) = folder_of(&files);
        let read = read_csv_shards(&paths, &CsvOptions::default()).unwrap();
        assert_eq!((read.features, read.labels), (array![[3.0, 4.0]], vec![0]));
        assert_eq!((read.classes, read.columns), (owned(&["y"]), owned(&["a", "b"])));
    }
    let (_folder, paths) = folder_of(&[empty, "kind,a,b\n"]);
    let error = read_csv_shards(&paths, &CsvOptions::default()).unwrap_err();
    let words = "there must be a row, and a column of features; got 0x2";
    assert_eq!(error.to_string(), format!("{}: {words}", paths[0].display()));
    let one = "a feature must be one column of the file; got";
    second_refused("a,b,kind\n3,4,y\n", "a,c,kind\n", &format!("{one} \"b\" of the columns a, c, kind"));
}
