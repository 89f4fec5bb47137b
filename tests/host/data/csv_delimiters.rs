//! CSV files that are read with a wrong delimiter, and numbers with a decimal comma.

use ndarray::array;
use wgpu_mlp::Error;
use wgpu_mlp::data::{Column, CsvOptions, read_csv, read_csv_features, read_csv_features_from, read_csv_from};

use super::Scratch;
use super::csv::{features, label, refused, table};

/// The options for a file with this delimiter.
fn divided(delimiter: u8) -> CsvOptions {
    CsvOptions { delimiter, ..Default::default() }
}

/// The rule that is broken if this character separates the cells of a file, but the options name another.
fn seems(delimiter: char) -> String {
    let named = if delimiter == '\t' { "\"\\t\", a tab".into() } else { format!("\"{delimiter}\"") };
    format!("the cells seem to be separated by {named}: set CsvOptions::delimiter to it")
}

#[test]
fn each_delimiter_is_told_from_each_other() {
    let scratch = Scratch::new();
    for (right, wrong) in ";\t|,".chars().flat_map(|right| b";\t|,".map(|wrong| (right, wrong))) {
        if right == char::from(wrong) {
            continue;
        }
        let write = |rows: &str| rows.replace('_', &right.to_string());
        let shown = |row: &str| format!("{:?}", write(row));
        let refused = |text: &str, options: &CsvOptions, place: &str, row: &str| {
            let words = format!("{place}: {}; got {}", seems(right), shown(row));
            scratch.refused(write(text).as_bytes(), |path| read_csv(path, options), &words);
        };
        let options = divided(wrong);
        refused("5.1_3.5_setosa\n4.9_3_setosa\n", &options, "line 1, column 1", "5.1_3.5_setosa");
        refused("\nx_y_kind\n5.1_3.5_setosa\n", &options, "line 2, column 1", "x_y_kind");
        refused("1_2_0\n", &options, "line 1, column 1", "1_2_0");
        for label in [Column::Name("kind".into()), Column::Index(2)] {
            refused("x_y_kind\n1_2_a\n", &CsvOptions { label, ..options.clone() }, "line 1, column 1", "x_y_kind");
        }

        let refused = |text: &str, header, place: &str, row: &str| {
            let words = format!("{place}: {}; got {}", seems(right), shown(row));
            let options = CsvOptions { header, ..options.clone() };
            scratch.refused(write(text).as_bytes(), |path| read_csv_features(path, &options), &words);
        };
        refused("5.1_3.5\n4.9_3\n", Some(false), "line 1, column 1", "5.1_3.5");
        // The first row counts as a header, because it is not a number.
        refused("5.1_3.5\n4.9_3\n", None, "line 2, column 1", "4.9_3");
        refused("x_y\n5.1_3.5\n", None, "line 2, column 1", "5.1_3.5");
        refused("1_2\n3_4\n", None, "line 2, column 1", "3_4");
        refused("x_y\n", None, "line 1, column 1", "x_y");

        // The file can be read with the right options.
        let options = CsvOptions { classes: vec!["setosa".into()], ..divided(right as u8) };
        let read = table(&write("5.1_3.5_setosa\n4.9_3_setosa\n"), &options);
        assert_eq!(read.features, array![[5.1, 3.5], [4.9, 3.0]]);
    }
}

#[test]
fn a_number_with_another_delimiter_in_it() {
    let cell = |text: &str, delimiter, words: &str| refused(text.as_bytes(), &divided(delimiter), words);
    for (other, shown) in [(';', "2;3"), ('\t', "2\\t3"), ('|', "2|3")] {
        let words = format!("line 2, column 2: {}; got \"{shown}\"", seems(other));
        cell(&format!("x,y,kind\n1,2{other}3,a\n"), b',', &words);
    }
    cell("x;y;kind\n1;2,3,4;a\n", b';', &format!("line 2, column 2: {}; got \"2,3,4\"", seems(',')));
    // The file's own delimiter in quotes does not count as another delimiter, and separators of thousands do not make columns.
    let rule = "line 2, column 1: a value must be a number; got";
    cell("x,kind\n\"1,2,3\",a\n", b',', &format!("{rule} \"1,2,3\""));
    cell("x;kind\n\"1;2\";a\n", b';', &format!("{rule} \"1;2\""));
    cell("x;kind\n1,234,567;a\n", b';', &format!("{rule} \"1,234,567\""));
    cell("x;kind\n1,234.5;a\n", b';', &format!("{rule} \"1,234.5\""));
    // A comma before three digits may be a decimal comma or a separator of thousands.
    cell(
        "x;kind\n1,234;a\n",
        b';',
        "line 2, column 1: a value must have a point before its decimals, and no comma; got \"1,234\"",
    );
    // Text in a column that should have numbers may contain any character.
    for genres in ["Action|Comedy", "red;blue", "7;blue"] {
        let words = format!("line 2, column 2: a value must be a number; got {genres:?}");
        cell(&format!("id,genres,kind\n1,{genres},a\n"), b',', &words);
    }
    // A quote that is not closed makes the following rows part of its cell.
    cell("x,kind\n\"1;2\n3;4\",a\n", b',', &format!("{rule} \"1;2\\n3;4\""));
}

#[test]
fn decimal_commas() {
    let comma = "a value must have a decimal point; this one has a decimal comma; got";
    let cell = |text: &str, delimiter, words: &str| refused(text.as_bytes(), &divided(delimiter), words);
    for delimiter in [b';', b'\t', b'|'] {
        let write = |text: &str| text.replace(';', &char::from(delimiter).to_string());
        cell(&write("x;y;kind\n1;-2,5;a\n"), delimiter, &format!("line 2, column 2: {comma} \"-2,5\""));
        cell(&write("x;kind\n,5e-3;a\n"), delimiter, &format!("line 2, column 1: {comma} \",5e-3\""));
        // A row of such numbers counts as a header.
        cell(&write("1,5;a\n2,5;b\n"), delimiter, &format!("line 2, column 1: {comma} \"2,5\""));
        cell(&write("1,5;2;a\n"), delimiter, &format!("line 1, column 1: {comma} \"1,5\""));
    }
    cell("x,kind\n\"1,5\",a\n", b',', &format!("line 2, column 1: {comma} \"1,5\""));
    let alone = |text: &str, words: &str| {
        Scratch::new().refused(text.as_bytes(), |path| read_csv_features(path, &divided(b';')), words);
    };
    alone("degrees\n21,5\n", &format!("line 2, column 1: {comma} \"21,5\""));
    alone("x,y\n21,5\n", &format!("line 2, column 1: {}; got \"21,5\"", seems(',')));
    alone("x;y\n1;\"2,5\"\n", &format!("line 2, column 2: {comma} \"2,5\""));
}

#[test]
fn decimal_commas_of_a_file_read_with_the_comma() {
    for right in [';', '\t', '|'] {
        let write = |text: &str| text.replace(';', &right.to_string());
        let words = |place: &str, cell: &str| format!("{place}: {}; got {:?}", seems(right), write(cell));
        let refused = |text: &str, options: &CsvOptions, place: &str, cell: &str| {
            refused(write(text).as_bytes(), options, &words(place, cell));
        };
        let usual = CsvOptions::default();
        refused("5,1;3,5;setosa\n4,9;3,0;setosa\n", &usual, "line 2, column 2", "9;3");
        refused("x;y;kind\n5,1;3,5;setosa\n", &usual, "line 1, column 1", "x;y;kind");
        refused("5,1;3,5;0\n4;3,0;0\n", &usual, "line 2, column 1", "4;3");
        refused("5,1;setosa\n4;setosa\n", &usual, "line 2, column 1", "4;setosa");
        refused("5;1,5;setosa\n4;3;setosa\n", &usual, "line 2, column 1", "4;3;setosa");
        let first = "Length, cm;Width, cm;kind";
        let named = label(Column::Name("kind".into()));
        refused(&format!("{first}\n5,1;3,5;setosa\n"), &named, "line 1, column 1", &first.replace(", ", ","));

        let refused = |text: &str, place: &str, cell: &str| {
            let read = |path| read_csv_features(path, &CsvOptions::default());
            Scratch::new().refused(write(text).as_bytes(), read, &words(place, cell));
        };
        refused("5,1;3,5\n4,9;3,0\n", "line 2, column 2", "9;3");
        refused("x;y\n5,1;3,5\n", "line 2, column 2", "1;3");
        refused("5,1;3\n4;3\n", "line 2, column 1", "4;3");
    }
}

/// Rows as NumPy's `savetxt` writes them, and rows with columns of equal widths.
#[test]
fn numbers_with_spaces_between_them() {
    let usual = CsvOptions::default();
    let spaces = "the cells seem to be separated by spaces: set CsvOptions::delimiter to b' '; got";
    refused(b"1.5e+00 2 0\n2.5 3 1\n", &usual, &format!("line 1, column 1: {spaces} \"1.5e+00 2 0\""));
    refused(b"# x y kind\n2.5 3 1\n", &usual, &format!("line 1, column 1: {spaces} \"# x y kind\""));
    let runs = "the cells seem to be separated by several spaces: between two cells there must be one delimiter; got";
    refused(b" 1.5   2 0\n12.5  13 1\n", &usual, &format!("line 1, column 1: {runs} \"1.5   2 0\""));
    for options in [usual.clone(), divided(b';')] {
        let read = |path| read_csv_features(path, &options);
        // The first row counts as a header, because it is not a number.
        Scratch::new().refused(b"1.5 2\n2.5 3\n", read, &format!("line 2, column 1: {spaces} \"2.5 3\""));
        Scratch::new().refused(b"1.5 2\n", read, &format!("line 1, column 1: {spaces} \"1.5 2\""));
    }
    assert_eq!(table("1.5 2 0\n2.5 3 1\n", &divided(b' ')).features, array![[1.5, 2.0], [2.5, 3.0]]);
    // In a file of several columns a space may separate thousands.
    refused(b"x,y,kind\n1 000,2,a\n", &usual, "line 2, column 1: a value must be a number; got \"1 000\"");
}

#[test]
fn other_delimiters_where_they_may_stand() {
    let usual = CsvOptions::default();
    for other in [";", "\t", "|"] {
        let write = |text: &str| text.replace('_', other);
        let read = table(&write("petal_cm,sepal_cm,kind\n1,2,a_b\n3,4,\"b_a\"\n"), &usual);
        assert_eq!(read.columns, [write("petal_cm"), write("sepal_cm")]);
        assert_eq!(read.classes, [write("a_b"), write("b_a")]);
        // A label that looks like numbers, and a label in a row that is wrong for another reason.
        assert_eq!(table(&write("1,2_3\n4,5_6\n"), &usual).classes, [write("2_3"), write("5_6")]);
        let short = write("1,2,a_b\n1,a_b\n");
        let rule = "each row must have as many cells as the first; got";
        refused(short.as_bytes(), &usual, &format!("line 2, column 3: {rule} 2 cells where 3 belong"));
        let footer = write("x,kind\n1,a\nfrom A_B\n");
        refused(footer.as_bytes(), &usual, &format!("line 3, column 2: {rule} 1 cells where 2 belong"));
        let title = write("flowers_ measured\nx,kind\n1,a\n");
        refused(title.as_bytes(), &usual, &format!("line 2, column 2: {rule} 2 cells where 1 belong"));
        assert_eq!(features(&write("x_y\n1\n2\n")).columns, [write("x_y")]);
    }
    let read = table("Length, cm;kind\n1;a, b\n2;\"c; d\"\n", &divided(b';'));
    assert_eq!((read.columns, read.classes), (vec!["Length, cm".to_owned()], vec!["a, b".to_owned(), "c; d".into()]));
    let nothing = "there must be a row, and a column of features; got";
    refused(b"a\nb\n", &usual, &format!("{nothing} 2x0"));
    refused(b"a b\nc;d\n", &usual, &format!("{nothing} 2x0"));
    refused(b"\"a, b\"\n", &usual, &format!("{nothing} 1x0"));
    refused(b"a;b\nc;d\n", &usual, &format!("line 1, column 1: {}; got \"a;b\"", seems(';')));
    refused(
        "L\u{e4}nge;kind\n".as_bytes(),
        &usual,
        &format!("line 1, column 1: {}; got \"L\u{e4}nge;kind\"", seems(';')),
    );
    refused(b"L\xe4nge;kind\n1;a\n", &usual, &format!("line 1, column 1: {}; got \"L\u{fffd}nge;kind\"", seems(';')));
}

#[test]
fn bytes_that_cannot_be_delimiters() {
    for delimiter in *b"\"\r\n" {
        let options = divided(delimiter);
        let rows = read_csv_from(&b"1,a\n"[..], &options).map(drop);
        for error in [rows, read_csv_features_from(&b"1\n"[..], &options).map(drop)].map(Result::unwrap_err) {
            let words = format!(
                "read_csv: delimiter must be a byte that is neither a quote (34) nor an end of a line (10, 13); got {delimiter}"
            );
            assert!(matches!(error, Error::Option { .. }), "{error:?}");
            assert_eq!(error.to_string(), words);
        }
    }
}
