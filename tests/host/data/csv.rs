use std::fs;

use ndarray::array;
use wgpu_mlp::Error;
use wgpu_mlp::data::{Column, CsvOptions, Features, Table, read_csv, read_csv_features, read_csv_from};

use super::Scratch;

pub(super) fn table(text: &str, options: &CsvOptions) -> Table {
    Scratch::new().read(text.as_bytes(), |path| read_csv(path, options)).unwrap()
}

pub(super) fn features(text: &str) -> Features {
    Scratch::new().read(text.as_bytes(), |path| read_csv_features(path, &CsvOptions::default())).unwrap()
}

#[track_caller]
pub(super) fn refused(text: &[u8], options: &CsvOptions, words: &str) {
    Scratch::new().refused(text, |path| read_csv(path, options), words);
}

pub(super) fn label(label: Column) -> CsvOptions {
    CsvOptions { label, ..Default::default() }
}

#[test]
fn a_table_with_a_header() {
    let read = table("petal,sepal,species\n1.4,5.1,setosa\n4.7,7,versicolor\n1.3,4.7,setosa\n", &CsvOptions::default());
    assert_eq!(read.features, array![[1.4, 5.1], [4.7, 7.0], [1.3, 4.7]]);
    assert_eq!((read.labels, read.classes), (vec![0, 1, 0], vec!["setosa".to_owned(), "versicolor".into()]));
    assert_eq!(read.columns, ["petal", "sepal"]);
}

#[test]
fn columns_can_be_left_out() {
    let text = ",name,petal,species,note\n0,\"Rose, red\",1.4,setosa,?\n1,,4.7,versicolor,\n";
    let skip = vec![Column::Index(0), Column::Name("name".into()), Column::Last];
    let options = CsvOptions { skip: skip.clone(), ..label(Column::Name("species".into())) };
    let read = table(text, &options);
    assert_eq!((read.features, read.labels), (array![[1.4], [4.7]], vec![0, 1]));
    assert_eq!(read.columns, ["petal"]);
    // If columns have no names, text in a column that is left out does not make the first row a header.
    let by_place = CsvOptions { skip: vec![Column::Index(0)], ..Default::default() };
    assert_eq!(table("x,1.4,0\ny,4.7,1\n", &by_place).features, array![[1.4], [4.7]]);
    assert_eq!(table("id,petal,kind\n7,1.4,0\n8,4.7,1\n", &by_place).columns, ["petal"]);
    let new = Scratch::new().read(b"7,1.4\n8,4.7\n", |path| read_csv_features(path, &by_place)).unwrap();
    assert_eq!((new.features, new.columns), (array![[1.4], [4.7]], vec!["1".to_owned()]));

    let unknown = CsvOptions { skip: vec![Column::Name("colour".into())], ..Default::default() };
    let words = "a column to leave out must be one column of the file; got Name(\"colour\") of the columns , name, petal, species, note";
    refused(text.as_bytes(), &unknown, words);
    let both = CsvOptions { skip: vec![Column::Last], ..Default::default() };
    let error = Scratch::new().read(text.as_bytes(), |path| read_csv(path, &both)).unwrap_err();
    assert!(matches!(error, Error::Combination { op: "read_csv", .. }), "{error}");
    let all = CsvOptions { skip: vec![Column::Index(0)], ..Default::default() };
    refused(b"1,a\n2,b\n", &all, "there must be a row, and a column of features; got 2x0");
}

#[test]
fn a_header_is_told_from_a_first_row() {
    let rows = |text: &str| table(text, &CsvOptions::default()).labels.len();
    assert_eq!(rows("a,b\n1,2\n"), 1, "names");
    assert_eq!(rows("1,2\n3,4\n"), 2, "numbers");
    assert_eq!(rows("5.1,setosa\n7.0,versicolor\n"), 2, "text is no header where every label is text");
    assert_eq!(rows("0,1,label\n5,6,2\n7,8,3\n"), 2, "numbered columns, and a name over numbers");
    assert_eq!(rows("1e3,-inf\n1,2\n"), 2, "numbers in other spellings");
    assert_eq!(rows("1,x\n"), 1, "one row of data");
    assert_eq!(rows("0,1,2,species\n5,3,1,setosa\n"), 1, "columns that pandas has numbered");
    assert_eq!(rows("0,1,2,3\n5,3,1,0\n"), 1, "the label's column, too");
    assert_eq!(rows("0,1,species\n5,3,setosa\n"), 2, "two features may be 0 and 1");
    assert_eq!(rows("0,1,2.0,species\n5,3,1,setosa\n"), 2, "a number in another spelling");
    let first = table("kind,0,1,2\na,5,3,1\n", &label(Column::Index(0)));
    assert_eq!((first.features, first.columns), (array![[5.0, 3.0, 1.0]], ["0", "1", "2"].map(String::from).to_vec()));
    let forced = |header| table("1,2\n3,4\n", &CsvOptions { header, ..Default::default() });
    assert_eq!(forced(Some(true)).columns, ["1"]);
    assert_eq!(forced(Some(false)).columns, ["0"]);
    assert_eq!(features("1,2\n3,4\n").features, array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(features("x,2\n3,4\n").columns, ["x", "2"]);
    // A missing value does not count as a name.
    for missing in ["", "#N/A", "-1.#IND"] {
        let words = format!("line 1, column 1: a value is missing; got \"{missing}\"");
        refused(format!("{missing},1\n2,3\n").as_bytes(), &CsvOptions::default(), &words);
    }
}

#[test]
fn the_label_is_any_column() {
    let text = "x,kind,y\n1,b,2\n3,a,4\n";
    for column in [Column::Index(1), Column::Name("kind".into())] {
        let read = table(text, &label(column));
        assert_eq!(read.features, array![[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!((read.labels, read.columns), (vec![1, 0], vec!["x".to_owned(), "y".into()]));
    }
    let read = table("0,7,9\n1,8,9\n", &label(Column::Name("7".into())));
    assert_eq!((read.classes, read.columns), (vec!["8".to_owned()], vec!["0".into(), "9".into()]));
    assert_eq!(table("b;1\na;2\n", &CsvOptions { delimiter: b';', ..label(Column::Index(0)) }).labels, [1, 0]);
}

#[test]
fn classes_are_sorted_and_numbered() {
    let classes = |labels: &[&str]| {
        let text: String = labels.iter().map(|label| format!("0,{label}\n")).collect();
        let read = table(&text, &CsvOptions { header: Some(false), ..Default::default() });
        (read.classes, read.labels)
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(classes(&["10", "9", "-1", "9"]), (words(&["-1", "9", "10"]), vec![2, 1, 0, 1]));
    assert_eq!(classes(&["10.5", "9.0"]), (words(&["9.0", "10.5"]), vec![1, 0]));
    assert_eq!(classes(&["10", "9", "b"]), (words(&["10", "9", "b"]), vec![0, 1, 2]));
    assert_eq!(classes(&["ä", "\"a, b\"", "B"]), (words(&["B", "a, b", "ä"]), vec![2, 1, 0]));
}

#[test]
fn a_test_file_is_numbered_as_the_training_file() {
    let training = table("1,a\n2,b\n3,c\n", &CsvOptions::default());
    let options = CsvOptions { classes: training.classes.clone(), ..Default::default() };
    let test = table("1,c\n2,a\n", &options);
    assert_eq!((test.labels, test.classes), (vec![2, 0], training.classes));
    refused(b"1,c\n2,d\n", &options, "line 2, column 2: the label must be one of the classes asked for; got \"d\"");
    let twice = CsvOptions { classes: vec!["a".into(), "b".into(), "a".into()], ..Default::default() };
    let error = read_csv_from(&b"1,a\n"[..], &twice).unwrap_err();
    assert_eq!(error.to_string(), "read_csv: classes must name each class once");
}

#[test]
fn what_spreadsheets_write() {
    let read = table("\u{feff}x,kind\r\n\"1\", a \r\n\r\n 2 ,a\r\n", &CsvOptions::default());
    assert_eq!((read.features, read.columns), (array![[1.0], [2.0]], vec!["x".to_owned()]));
    assert_eq!(read.classes, ["a"]);
    assert_eq!(table("1,a\n2,b", &CsvOptions::default()).labels, [0, 1], "no line end behind the last row");
}

#[test]
fn cells_that_are_no_numbers() {
    let cell = |text: &[u8], words: &str| refused(text, &CsvOptions::default(), words);
    cell(b"x,y,kind\n1,2,a\n1,,a\n", "line 3, column 2: a value is missing; got \"\"");
    cell(b"x,y,kind\n1,2,a\n1,N/A,a\n", "line 3, column 2: a value is missing; got \"N/A\"");
    cell(b"x,y,kind\n1,2,a\n1,#N/A,a\n", "line 3, column 2: a value is missing; got \"#N/A\"");
    cell(b"x,y,kind\nnan,2,a\n", "line 2, column 1: a value must not be NaN; got \"nan\"");
    cell(b"x,y,kind\n1,inf,a\n", "line 2, column 2: a value must be finite as f32; got \"inf\"");
    cell(b"x,y,kind\n1,-1e39,a\n", "line 2, column 2: a value must be finite as f32; got \"-1e39\"");
    cell(b"1,2,a\n1,two,a\n", "line 2, column 2: a value must be a number; got \"two\"");
    cell(b"1,2,a\n1,\xff,a\n", "line 2, column 2: a value must be a number; got \"\u{fffd}\"");
    cell(b"x,y,kind\n1,2,\n", "line 2, column 3: the label is missing; got \"\"");
    cell(b"x,y,kind\n1,2,\xff\n", "line 2, column 3: a label must be UTF-8; got \"\u{fffd}\"");
    let long = [b"1,2,a\n1,", &[b'x'; 1000][..], b",a\n"].concat();
    cell(&long, &format!("line 2, column 2: a value must be a number; got \"{}\" and more", "x".repeat(40)));
    cell(b"\xef\xbb\xbf\r\n\n?,1\n", "line 3, column 1: a value is missing; got \"?\"");
    cell(b"\xef\xbb\xbfx,kind\r\n1,a\r\n\r\n\r\n?,a\r\n", "line 5, column 1: a value is missing; got \"?\"");
    // Line numbers are those that an editor shows.
    cell(b"x,\"ki\nnd\"\n\n\n1,a\n\n?,a\n", "line 7, column 1: a value is missing; got \"?\"");
}

/// Files of old programs end their lines with CR alone.
#[test]
fn lines_are_counted_for_every_line_end() {
    let missing = |text: &str, line: usize| {
        let words = format!("line {line}, column 1: a value is missing; got \"?\"");
        refused(text.as_bytes(), &CsvOptions::default(), &words);
    };
    for end in ["\r", "\n", "\r\n"] {
        // Line ends within a quoted cell and empty lines count too.
        missing(&["x,\"ki", "nd\"", "", "1,a", "", "?,a", ""].join(end), 6);
        // These rows are longer than what is read at a time.
        missing(&format!("x,kind{end}{}?,a{end}", format!("1,a{end}").repeat(5000)), 5002);
    }
    missing("x,kind\r1,a\r\n2,b\n\r3,a\n\n\r\n?,a\r", 8);
}

#[test]
fn booleans_are_one_and_zero() {
    let usual = CsvOptions::default();
    let read = table("sunny,kind\nTrue,a\nfalse,b\nTRUE,a\n", &usual);
    assert_eq!((read.features, read.columns), (array![[1.0], [0.0], [1.0]], vec!["sunny".to_owned()]));
    // A first row of booleans is data. Labels that are booleans stay words, and a name above them makes a header.
    assert_eq!(table("true,FALSE,a\n1,0,b\n", &usual).features, array![[1.0, 0.0], [1.0, 0.0]]);
    let read = table("5,6,sunny\n7,8,True\n9,9,False\n", &usual);
    assert_eq!((read.labels, read.classes), (vec![1, 0], vec!["False".to_owned(), "True".into()]));
    refused(b"x,kind\n1,a\nyes,a\n", &usual, "line 3, column 1: a value must be a number; got \"yes\"");
}

#[test]
fn rows_of_other_lengths() {
    let row = |text: &[u8], words: &str| refused(text, &CsvOptions::default(), words);
    let rule = "each row must have as many cells as the first; got";
    row(b"x,y,kind\n1,2,a\n1,2\n", &format!("line 3, column 3: {rule} 2 cells where 3 belong"));
    row(b"x,y,kind\n1,2,a,4,5\n", &format!("line 2, column 4: {rule} 5 cells where 3 belong"));
    let open = "line 2, column 3: a label must be one line (a quote may be left open); got \"a\\n3,4,b\"";
    row(b"1,2,a\n1,2,\"a\n3,4,b\n", open);
}

#[test]
fn tables_that_are_none() {
    let whole = |text: &[u8], options: &CsvOptions, words: &str| refused(text, options, words);
    let nothing = "there must be a row, and a column of features; got";
    for empty in [&b""[..], b"\n\n", b"\xef\xbb\xbf"] {
        whole(empty, &CsvOptions::default(), &format!("{nothing} an empty file"));
    }
    whole(b"x,y,kind\n", &CsvOptions::default(), &format!("{nothing} 0x2"));
    whole(b"a\nb\n", &CsvOptions::default(), &format!("{nothing} 2x0"));
    let one = "the label must be one column of the file; got";
    whole(b"x,y\n1,2\n", &label(Column::Index(2)), &format!("{one} Index(2) of the columns x, y"));
    whole(b"x,y\n1,2\n", &label(Column::Name("z".into())), &format!("{one} Name(\"z\") of the columns x, y"));
    whole(b"x,x\n1,2\n", &label(Column::Name("x".into())), &format!("{one} Name(\"x\") in columns 1 and 2 of x, x"));
    let names = (0..100).map(|column| format!("c{column}")).collect::<Vec<_>>();
    let some = format!("{one} Name(\"z\") of the columns {} and 80 more", names[..20].join(", "));
    whole(format!("{}\n", names.join(",")).as_bytes(), &label(Column::Name("z".into())), &some);
    let named = CsvOptions { header: Some(false), ..label(Column::Name("x".into())) };
    let error = Scratch::new().read(b"x,y\n1,2\n", |path| read_csv(path, &named)).unwrap_err();
    assert_eq!(error.to_string(), "read_csv: a file without a header has no column by name");
}

#[test]
fn text_in_utf_16() {
    for text in ["x,kind\r\n1,a\r\n", "x\tkind\n1\ta\n"] {
        let units: Vec<u16> = format!("\u{feff}{text}").encode_utf16().collect();
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = units.iter().flat_map(|unit| order(*unit)).collect();
            let words = "the text must be UTF-8, in spreadsheets \"CSV UTF-8\"; got UTF-16";
            refused(&bytes, &CsvOptions::default(), words);
        }
    }
}

#[test]
fn files_that_are_not_text() {
    let spreadsheets = "the text must be UTF-8, in spreadsheets \"CSV UTF-8\"; got";
    let compressed = "the text must not be compressed; read_csv_from reads from a decompressor; got";
    for (bytes, words) in [
        (&b"PK\x03\x04\x14\0\x06\0,\n\0"[..], format!("{spreadsheets} a zip archive, as a workbook of Excel is")),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\n\0", format!("{spreadsheets} a workbook of an old Excel")),
        (b"\x1f\x8b\x08\0\0\0,\0\n\x03", format!("{compressed} a file compressed by gzip")),
        (b"\x28\xb5\x2f\xfd\x04\0\n\x59", format!("{compressed} a file compressed by Zstandard")),
    ] {
        refused(bytes, &CsvOptions::default(), &words);
    }
}

#[test]
fn what_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing"), dir.path().into(), "\0".into()] {
        let error = read_csv(&path, &CsvOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error:?}");
        let error = read_csv_features(&path, &CsvOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error:?}");
    }
    if fs::metadata("/dev/null").is_ok() {
        assert!(matches!(read_csv("/dev/null", &CsvOptions::default()), Err(Error::Data { .. })));
    }
}
