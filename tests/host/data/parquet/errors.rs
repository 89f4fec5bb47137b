//! Errors with their messages: invalid features and labels, missing columns, and claims that cannot be true.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use wgpu_mlp::data::{ParquetFeatures, ParquetOptions, ParquetRows};
use wgpu_mlp::source::RowSource;
use wgpu_mlp::{Error, FormatError, ParquetError};

use super::super::Scratch;
use super::{all, array, columns, file_of, labelled, list, written};

/// Opens a file and reads all of its rows, with a cache and without.
fn read(path: &std::path::Path, options: &ParquetOptions) -> Result<(), Error> {
    let mut outcomes = [usize::MAX, 0].map(|cache_bytes| {
        let source = ParquetRows::open(path, &ParquetOptions { cache_bytes, ..options.clone() })?;
        let rows: Vec<_> = (0..source.dim().0.min(1000)).collect();
        let mut into = vec![0.0; rows.len() * source.dim().1];
        // A row that is far from the others must be refused too.
        let last = source.dim().0 - 1;
        let read = source.read_rows(&rows, &mut into).and_then(|()| source.read_rows(&[last], &mut into));
        read.map_err(|error| *error.source.downcast::<Error>().unwrap())
    });
    let words = |outcome: &Result<(), Error>| outcome.as_ref().err().map(Error::to_string);
    assert_eq!(words(&outcomes[0]), words(&outcomes[1]), "one error, whatever is kept");
    std::mem::replace(&mut outcomes[0], Ok(()))
}

/// The file of `nulls.parquet` must be refused with these words.
#[track_caller]
fn refused(options: &ParquetOptions, words: &str) -> Error {
    let path = written("nulls.parquet");
    let error = read(&path, options).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: {words}", path.display()));
    error
}

#[test]
fn nulls_and_lists_of_other_lengths() {
    let null = "a feature must not be null; got null";
    let error = refused(&columns(&["good", "number"]), &format!("row group 1, row 13, column number: {null}"));
    let place = |source: &FormatError| match source {
        FormatError::Parquet(ParquetError::Value { row_group, row, column, found, .. }) => {
            (*row_group, *row, column.clone(), found.clone())
        }
        other => panic!("{other:?}"),
    };
    assert!(matches!(&error, Error::Format { source, .. } if place(source) == (1, 13, "number".into(), "null".into())));
    refused(&list("item"), &format!("row group 1, row 13, column item: {null}"));
    for name in ["list", "fixed"] {
        refused(
            &list(name),
            &format!("row group 1, row 13, column {name}: a list of features must not be null; got null"),
        );
    }
    for (name, length) in [("long", 3), ("empty", 0)] {
        let rule = "all lists must be as long as the first";
        refused(
            &list(name),
            &format!("row group 1, row 13, column {name}: {rule}; got {length} values where 2 belong"),
        );
    }
    for label in ["id", "kind"] {
        let options = ParquetOptions { label: Some(label.into()), ..columns(&["good"]) };
        refused(&options, &format!("row group 1, row 13, column {label}: a label must not be null; got null"));
    }
    let huge = ParquetOptions { label: Some("huge".into()), ..columns(&["good"]) };
    let rule = "labels must be at most 9223372036854775807";
    refused(&huge, &format!("row group 1, row 13, column huge: {rule}; got 9223372036854775808"));
}

#[test]
fn good_rows_beside_a_null_are_read() {
    for cache_bytes in [0, usize::MAX] {
        let options = ParquetOptions { cache_bytes, ..columns(&["number"]) };
        let source = ParquetRows::open(written("nulls.parquet"), &options).unwrap();
        let mut into = [0.0; 2];
        source.read_rows(&[9, 0], &mut into).unwrap();
        assert_eq!(into, [9.0, 0.0]);
        let error = source.read_rows(&[2, 13], &mut into).unwrap_err();
        assert!(error.source.to_string().contains("row 13, column number"), "{error:?}");
        assert_eq!(error.row, 13);
        // All other rows of the row group with the null can be read.
        source.read_rows(&[12, 14], &mut into).unwrap();
        assert_eq!(into, [12.0, 14.0]);
        assert_eq!(source.read_rows(&[20], &mut into).unwrap_err().source.to_string(), "there are only 20 rows");
    }
    let nan = all(&ParquetRows::open(written("nulls.parquet"), &columns(&["nan"])).unwrap());
    assert!(nan[13].is_nan() && nan.iter().filter(|value| value.is_nan()).count() == 1);
}

#[test]
fn columns_of_other_types_and_names() {
    let numbers =
        "features must be booleans, integers, f16, f32 or f64; in pandas: df[column].astype(\"float32\"); got";
    let rule =
        "beside columns of lists, maps or structs, features must be named: by ParquetFeatures::List or ::Columns";
    let words = format!("{rule}; got column \"list\" of type List(Float32, field: 'element')");
    refused(&ParquetOptions::default(), &words);
    refused(&columns(&["price"]), &format!("{numbers} column \"price\" of type Decimal128(8, 2)"));
    refused(&columns(&["kind"]), &format!("{numbers} column \"kind\" of type Utf8"));
    refused(&list("words"), &format!("{numbers} column \"words\" of type List(Utf8, field: 'element')"));
    let rule = "a column of lists must be the only one, and be asked for by ParquetFeatures::List";
    refused(&columns(&["good", "item"]), &format!("{rule}; got column \"item\""));
    let rule = "ParquetFeatures::List takes a column of lists; ParquetFeatures::Columns takes others";
    refused(&list("good"), &format!("{rule}; got column \"good\" of type Float32"));
    let file = "good, number, nan, list, fixed, item, long, empty, id, kind, huge, price, words";
    let rule = "a feature must be one column of the file";
    refused(&columns(&["good", "bad"]), &format!("{rule}; got \"bad\" of the columns {file}"));
    refused(&list("bad"), &format!("the features must be one column of the file; got \"bad\" of the columns {file}"));
    let label = |label: &str| ParquetOptions { label: Some(label.into()), ..columns(&["good"]) };
    refused(&label("bad"), &format!("the label must be one column of the file; got \"bad\" of the columns {file}"));
    let rule = "labels must be integers, floats that are whole numbers, booleans or strings";
    refused(&label("price"), &format!("{rule}; got column \"price\" of type Decimal128(8, 2)"));
    refused(&label("nan"), "row group 1, row 13, column nan: labels must be whole numbers; got NaN");
    refused(&columns(&[]), "ParquetFeatures::Columns must have a column; got none");
    refused(&columns(&["good", "nan", "good"]), "each column may be asked for once; got column \"good\" twice");
}

#[test]
fn a_column_of_decimals_is_not_left_out() {
    let prices = Decimal128Array::from(vec![125, 250]).with_precision_and_scale(8, 2).unwrap();
    let bytes = file_of(vec![("x", array([1.0f32, 2.0])), ("price", Arc::new(prices) as ArrayRef)], |set| set);
    let error = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &ParquetOptions::default())).unwrap_err();
    assert!(error.to_string().ends_with("got column \"price\" of type Decimal128(8, 2)"), "{error}");
}

#[test]
fn labels_that_are_floats() {
    let read = |labels: ArrayRef| {
        let columns = vec![("x", array((0..12).map(|row| row as f32))), ("label", labels)];
        let bytes = file_of(columns, |set| set.set_max_row_group_row_count(Some(8)));
        Scratch::new().read(&bytes, |path| ParquetRows::open(path, &labelled("label")))
    };
    let wanted: Vec<i64> = (0..12).map(|row| row % 3 - 1).collect();
    let halves = array(wanted.iter().map(|label| half::f16::from_f32(*label as f32)));
    let singles = array(wanted.iter().map(|label| *label as f32));
    for labels in [halves, singles, array(wanted.iter().map(|label| *label as f64))] {
        assert_eq!(read(labels).unwrap().labels(), wanted);
    }
    let with = |row: usize, value: f64| {
        let mut values = vec![3.0; 12];
        values[row] = value;
        read(array(values))
    };
    let least = i64::MIN as f64;
    assert_eq!(with(11, least).unwrap().labels()[10..], [3, i64::MIN]);
    assert_eq!(with(0, -0.0).unwrap().labels()[0], 0);
    for (row, value, words) in [
        (9, 2.5, "labels must be whole numbers; got 2.5"),
        (0, f64::NAN, "labels must be whole numbers; got NaN"),
        (7, f64::NEG_INFINITY, "labels must be whole numbers; got -inf"),
        (8, -least, "labels must be at most 9223372036854775807; got 9.223372036854776e18"),
        (11, -1e19, "labels must be at least -9223372036854775808; got -1e19"),
    ] {
        let error = with(row, value).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error:?}");
        let words = format!(": row group {}, row {row}, column label: {words}", row / 8);
        assert!(error.to_string().ends_with(&words), "{error}");
    }
}

#[test]
fn options_that_exclude_each_other() {
    let combined = |options: &ParquetOptions| ParquetRows::open(written("numbers.parquet"), options);
    let itself = ParquetOptions { label: Some("int8".into()), ..columns(&["int8"]) };
    let words = "ParquetRows::open: the column of the labels cannot hold features as well";
    refused!(combined(&itself), Error::Combination { .. }, words);
    let classes = ParquetOptions { classes: vec!["1".into()], ..labelled("int8") };
    let words = "ParquetRows::open: classes are for labels that are strings; numbers come back as they are";
    refused!(combined(&classes), Error::Combination { .. }, words);
    let classes = ParquetOptions { classes: vec!["rose".into(); 2], ..labelled("kind") };
    refused!(combined(&classes), Error::Combination { .. }, "ParquetRows::open: classes must name each class once");
    let classes = ParquetOptions { classes: vec!["rose".into()], ..labelled("kind") };
    let words = combined(&classes).unwrap_err().to_string();
    let rule = "row group 0, row 1, column kind: the label must be one of the classes asked for; got \"aster\"";
    assert!(words.ends_with(rule), "{words}");
}

#[test]
fn what_is_no_parquet_file() {
    let open = |path| ParquetRows::open(path, &ParquetOptions::default());
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing"), dir.path().into(), "\0".into()] {
        let error = open(path.clone()).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error:?}");
    }
    for bytes in [&b""[..], b"PAR1", b"a,b\n1,2\n3,4\n", b"PAR1\xff\xff\xff\xffPAR1"] {
        let error = Scratch::new().read(bytes, open).unwrap_err();
        assert!(
            matches!(error, Error::Format { source: FormatError::Parquet(ParquetError::Decoder(_)), .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(": not a Parquet file that can be read: "), "{error}");
    }
}

/// A small file of one row group, followed by a footer that was changed in this way.
fn lying(change: impl Fn(ParquetMetaData) -> ParquetMetaData) -> Vec<u8> {
    let x: ArrayRef = array([1.0f32; 300]);
    let bytes = file_of(vec![("x", x)], |set| set.set_compression(Compression::SNAPPY));
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes.clone())).unwrap();
    let footer = 8 + u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let mut lying = bytes[..bytes.len() - footer].to_vec();
    ParquetMetaDataWriter::new(&mut lying, &change(metadata)).finish().unwrap();
    lying
}

/// A footer with these numbers of rows of the row group, values of its column, and bytes.
fn claims(rows: i64, values: i64, length: i64) -> Vec<u8> {
    lying(|metadata| {
        let group = metadata.row_group(0).clone();
        let chunk = group.column(0).clone().into_builder().set_num_values(values).set_total_compressed_size(length);
        let group = group.into_builder().set_num_rows(rows).set_column_metadata(vec![chunk.build().unwrap()]);
        metadata.into_builder().set_row_groups(vec![group.build().unwrap()]).build()
    })
}

#[test]
fn footers_that_lie() {
    let length = |bytes: &[u8]| bytes.len() as i64;
    let true_length = {
        let bytes = bytes::Bytes::from(lying(|metadata| metadata));
        ParquetMetaDataReader::new().parse_and_finish(&bytes).unwrap().row_group(0).column(0).compressed_size()
    };
    let scratch = Scratch::new();
    let words = |bytes: &[u8]| {
        let error = scratch.read(bytes, |path| read(&path, &ParquetOptions::default())).unwrap_err();
        error.to_string().replacen(&format!("{}: ", scratch.path.display()), "", 1)
    };
    scratch.read(&claims(300, 300, true_length), |path| read(&path, &ParquetOptions::default())).unwrap();
    let values = "columns must have a value for each row; got";
    assert_eq!(
        words(&claims(1 << 40, 300, true_length)),
        format!("{values} 300 values where {} belong, for column \"x\" in row group 0", 1u64 << 40)
    );
    let within = "columns must lie within the file, which may be cut short; got column \"x\"";
    assert_eq!(
        words(&claims(300, 300, 1 << 40)),
        format!("{within} with {} bytes from 4 on in row group 0", 1u64 << 40)
    );
    let negative = words(&claims(-1, -1, true_length));
    assert_eq!(negative, "row groups must have numbers of rows that can be counted; got -1");
    assert_eq!(words(&claims(0, 0, true_length)), "there must be a row; got 1 row groups without rows");
    // Two false claims that agree are found when the rows are decoded; no memory is reserved for them.
    let many = claims(1 << 40, 1 << 40, true_length);
    let options = ParquetOptions { cache_bytes: usize::MAX, features: ParquetFeatures::Numeric, ..Default::default() };
    let source = scratch.read(&many, |path| ParquetRows::open(path, &options)).unwrap();
    let error = source.read_rows(&[7], &mut [0.0]).unwrap_err().source.to_string();
    assert!(error.ends_with(&format!("got 300 rows where {} belong, in row group 0", 1u64 << 40)), "{error}");
    // Claims that are within range one by one, but whose sum is not.
    let folder = tempfile::tempdir().unwrap();
    let paths = ["0", "1", "2"].map(|name| folder.path().join(name));
    paths.iter().for_each(|path| std::fs::write(path, claims(i64::MAX, i64::MAX, true_length)).unwrap());
    assert_eq!(ParquetRows::open_shards(&paths[..2], &options).unwrap().dim().0, usize::MAX - 1);
    assert!(matches!(ParquetRows::open_shards(&paths, &options), Err(Error::Shape { .. })));
    assert!(words(&claims(200, 200, true_length)).contains("a column has more values than its metadata say"));
    assert!(length(&many) < 2000);
}

#[test]
fn schemas_too_deep_for_the_stack() {
    let levels: u32 = 500_000;
    let mut file = b"PAR1".to_vec();
    // A footer of Thrift's compact protocol: the version, and a list of elements, each of which has one child.
    file.extend([0x15, 2, 0x19, 0xfc]);
    let length = levels + 1;
    file.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]);
    (0..levels).for_each(|_| file.extend([0x35, 0, 0x18, 1, b'a', 0x15, 2, 0]));
    file.extend([0x15, 2, 0x25, 0, 0x18, 1, b'x', 0, 0x16, 0, 0x19, 0x0c, 0]);
    let footer = file.len() as u32 - 4;
    file.extend([&footer.to_le_bytes()[..], b"PAR1"].concat());
    let error = Scratch::new().read(&file, |path| ParquetRows::open(path, &ParquetOptions::default())).unwrap_err();
    assert!(error.to_string().ends_with("columns have 500001 levels; at most 100 are read"), "{error}");
}

#[test]
fn strings_without_end() {
    for (encoding, place) in
        [(Encoding::DELTA_LENGTH_BYTE_ARRAY, 0), (Encoding::DELTA_BYTE_ARRAY, 0), (Encoding::DELTA_BYTE_ARRAY, 1)]
    {
        let columns = vec![("x", array([0.0f32; 300])), ("kind", array([0; 300].map(|_| "rose")))];
        let mut bytes = file_of(columns, |set| {
            let set = set.set_column_dictionary_enabled("kind".into(), false);
            set.set_column_encoding("kind".into(), encoding)
        });
        // Blocks of 128 numbers in four parts, and 300 numbers; then the claim is changed to 2^48 and more.
        let lengths: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&[0x80, 1, 4, 0xac, 2])).collect();
        bytes[lengths[place] + 3..][..7].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        let error = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &labelled("kind"))).unwrap_err();
        assert!(error.to_string().ends_with("a page has no lengths of 300 strings"), "{error}");
    }
}
