//! Bits of features: they are those of the array that a file stands for, with all types, caches and orders.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, LargeListBuilder, ListBuilder, PrimitiveBuilder};
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, StringArray};
use half::f16;
use ndarray::Array2;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterPropertiesBuilder, WriterVersion};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use wgpu_mlp::data::{ParquetFeatures, ParquetOptions, ParquetRows};
use wgpu_mlp::source::{Converted, RowSource, Selected};
use wgpu_mlp::{Device, FitOptions, Mlp};

use super::super::Scratch;
use super::{array, bits, file_of, labelled, list};

const ROWS: usize = 40;

/// Extreme numbers of their types, drawn row by row.
fn edges<T: Copy>(edges: &[T]) -> Vec<T> {
    (0..ROWS).map(|row| edges[(row * 5 + row / 7) % edges.len()]).collect()
}

/// A column of each type, and the values that it stands for.
fn all_types() -> (Vec<(&'static str, ArrayRef)>, Array2<f32>) {
    let (mut columns, mut values): (Vec<(&str, ArrayRef)>, Vec<Vec<f32>>) = (Vec::new(), Vec::new());
    macro_rules! add {
        ($name:literal, $edges:expr) => {
            let edges = edges(&$edges);
            values.push(edges.iter().map(|value| *value as f32).collect());
            columns.push(($name, array(edges)));
        };
    }
    add!("i8", [i8::MIN, -1, 0, 7, i8::MAX]);
    add!("i16", [i16::MIN, -1, 0, 7, i16::MAX]);
    add!("i32", [i32::MIN, -16_777_217, 0, 16_777_217, i32::MAX]);
    add!("i64", [i64::MIN, -9_007_199_254_740_993, 0, 1 << 40, i64::MAX]);
    add!("u8", [0, 1, 200, u8::MAX]);
    add!("u16", [0, 1, 40_000, u16::MAX]);
    add!("u32", [0, 16_777_217, 3_000_000_000, u32::MAX]);
    add!("u64", [0, 1 << 63, 16_777_219, u64::MAX]);
    add!("f32", [0.1, -0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE / 8.0, f32::MAX]);
    add!("f64", [0.1, -0.0, f64::NAN, -f64::INFINITY, 1e-46, 1e300, 16_777_217.0]);
    let halves = edges(&[0.1, -0.0, f32::NAN, 65504.0, 6e-8]).into_iter().map(f16::from_f32);
    values.push(halves.clone().map(f32::from).collect());
    columns.push(("f16", array(halves)));
    let flags = edges(&[true, false, false]);
    values.push(flags.iter().map(|flag| f32::from(u8::from(*flag))).collect());
    columns.push(("bool", array(flags)));
    let shape = (ROWS, values.len());
    (columns, Array2::from_shape_fn(shape, |(row, column)| values[column][row]))
}

/// Rows in any order, some of them more than once.
fn draw(seed: u64, count: usize) -> Vec<usize> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(0..ROWS)).collect()
}

/// These rows of an array, as bits.
fn wanted(values: &Array2<f32>, rows: &[usize]) -> Vec<u32> {
    rows.iter().flat_map(|row| values.row(*row)).map(|value| value.to_bits()).collect()
}

/// Opens a file with caches for nothing, one row group, some row groups, and all.
#[track_caller]
fn same_bits(bytes: &[u8], options: &ParquetOptions, values: &Array2<f32>) {
    let group = 8 * values.ncols() * size_of::<f32>();
    for cache_bytes in [0, group - 1, group, 3 * group, usize::MAX] {
        let options = ParquetOptions { cache_bytes, ..options.clone() };
        let source = Scratch::new().read(bytes, |path| ParquetRows::open(path, &options)).unwrap();
        assert_eq!(source.dim(), values.dim());
        for (seed, count) in [(0, 0), (1, 1), (2, 7), (3, 100), (4, 300)] {
            let rows = draw(seed, count);
            assert_eq!(bits(&source, &rows), wanted(values, &rows), "{count} rows, {cache_bytes} bytes kept");
        }
        let rows: Vec<_> = (0..ROWS).rev().collect();
        assert_eq!(bits(&source, &rows), wanted(values, &rows));
    }
}

/// Row groups of eight rows, in small pages.
fn small(set: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    set.set_max_row_group_row_count(Some(8)).set_data_page_row_count_limit(3).set_write_batch_size(3)
}

#[test]
fn every_type_in_every_encoding() {
    let (columns, values) = all_types();
    let ways: [&dyn Fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder; 6] = [
        &|set| set,
        &|set| set.set_dictionary_enabled(false),
        &|set| set.set_dictionary_enabled(false).set_writer_version(WriterVersion::PARQUET_2_0),
        &|set| set.set_compression(Compression::SNAPPY).set_writer_version(WriterVersion::PARQUET_2_0),
        &|set| set.set_compression(Compression::ZSTD(Default::default())).set_dictionary_enabled(false),
        &|set| set.set_compression(Compression::LZ4_RAW).set_dictionary_enabled(false).set_encoding(Encoding::PLAIN),
    ];
    for way in ways {
        let bytes = file_of(columns.clone(), |set| small(way(set)));
        same_bits(&bytes, &ParquetOptions::default(), &values);
    }
    let gzip = file_of(columns, |set| small(set.set_compression(Compression::GZIP(Default::default()))));
    same_bits(&gzip, &ParquetOptions::default(), &values);
}

#[test]
fn nan_of_two_bytes_has_the_bits_that_an_array_gives() {
    let halves = [0x7c01, 0xfc01, 0x7d55, 0x7e00, 0xffff, 0x7c00].map(f16::from_bits);
    let numbers = Converted(ndarray::Array2::from_shape_fn((halves.len(), 1), |(row, _)| halves[row]));
    let mut wanted = [0.0; 6];
    numbers.read_rows(&[0, 1, 2, 3, 4, 5], &mut wanted).unwrap();
    let bytes = file_of(vec![("f16", array(halves))], |set| set);
    let source = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &ParquetOptions::default())).unwrap();
    assert_eq!(bits(&source, &[0, 1, 2, 3, 4, 5]), wanted.map(f32::to_bits));
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let (columns, values) = all_types();
    let bytes = file_of(columns.clone(), small);
    let order = [8, 0, 11, 3];
    let names = order.iter().map(|index| columns[*index].0.to_owned()).collect();
    let options = ParquetOptions { features: ParquetFeatures::Columns(names), ..Default::default() };
    same_bits(&bytes, &options, &values.select(ndarray::Axis(1), &order));
    let source = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &options)).unwrap();
    assert_eq!(source.columns(), ["f32", "i8", "bool", "i64"]);
}

/// The values of an embedding.
fn embedding() -> Array2<f32> {
    Array2::from_shape_fn((ROWS, 3), |(row, column)| f16::from_f32((row * 3 + column) as f32 / 8.0 - 7.0).to_f32())
}

/// The embedding as values one after the other, which a builder of lists takes.
macro_rules! lists {
    ($builder:expr, $convert:expr) => {{
        let mut builder = $builder;
        for row in embedding().rows() {
            row.iter().for_each(|value| builder.values().append_value($convert(*value)));
            builder.append(true);
        }
        Arc::new(builder.finish()) as ArrayRef
    }};
}

fn items<T: ArrowPrimitiveType>() -> PrimitiveBuilder<T> {
    PrimitiveBuilder::new()
}

#[test]
fn lists_of_each_kind() {
    let columns = vec![
        ("list", lists!(ListBuilder::new(items::<Float32Type>()), |value| value)),
        ("large", lists!(LargeListBuilder::new(items::<Float64Type>()), f64::from)),
        ("fixed", lists!(FixedSizeListBuilder::new(items::<Float16Type>(), 3), f16::from_f32)),
        ("id", array(0..ROWS as i64)),
    ];
    for (version, dictionary) in [(WriterVersion::PARQUET_1_0, true), (WriterVersion::PARQUET_2_0, false)] {
        let set = |set: WriterPropertiesBuilder| set.set_writer_version(version).set_dictionary_enabled(dictionary);
        let bytes = file_of(columns.clone(), |all| small(set(all)));
        for name in ["list", "large", "fixed"] {
            same_bits(&bytes, &list(name), &embedding());
            let options = ParquetOptions { label: Some("id".into()), ..list(name) };
            let source = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &options)).unwrap();
            assert_eq!(
                (source.columns(), source.labels().len(), source.labels()[39]),
                (&[name.to_owned()][..], 40, 39)
            );
        }
    }
}

#[test]
fn threads_read_at_once() {
    let (columns, values) = all_types();
    let bytes = file_of(columns, small);
    let group = 8 * values.ncols() * size_of::<f32>();
    for cache_bytes in [0, 2 * group, usize::MAX] {
        let options = ParquetOptions { cache_bytes, ..Default::default() };
        let source = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &options)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (source, values) = (&source, &values);
                scope.spawn(move || {
                    for seed in 0..20 {
                        let rows = draw(100 * thread + seed, 30);
                        assert_eq!(bits(source, &rows), wanted(values, &rows));
                    }
                });
            }
        });
    }
}

/// The set of kept row groups changes while a thread chooses which row groups to read first.
#[test]
fn threads_read_many_row_groups_at_once() {
    let count = 1600;
    let numbers = (0..count).map(|row| row as f32);
    let bytes = file_of(vec![("number", array(numbers))], small);
    let options = ParquetOptions { cache_bytes: 60 * 8 * size_of::<f32>(), ..Default::default() };
    let source = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &options)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let source = &source;
            scope.spawn(move || {
                for round in 0..200 {
                    let rows: Vec<_> = (0..400).map(|row| (row * 997 + 31 * thread + round) % count).collect();
                    let mut into = vec![0.0; rows.len()];
                    source.read_rows(&rows, &mut into).unwrap();
                    assert!(rows.iter().zip(&into).all(|(row, value)| *row as f32 == *value));
                }
            });
        }
    });
}

#[test]
fn labels_are_integers_or_classes() {
    let (mut columns, _) = all_types();
    let kinds = ["10", "9", "-1"];
    columns.push(("kind", array((0..ROWS).map(|row| kinds[row % 3]))));
    let bytes = file_of(columns, small);
    let scratch = Scratch::new();
    let read = |options: &ParquetOptions| scratch.read(&bytes, |path| ParquetRows::open(path, options)).unwrap();
    let integers = read(&labelled("i64"));
    assert_eq!(integers.labels(), edges(&[i64::MIN, -9_007_199_254_740_993, 0, 1 << 40, i64::MAX]));
    assert!(integers.classes().is_empty() && !integers.columns().contains(&"i64".to_owned()));
    assert_eq!(read(&labelled("bool")).labels()[..3], [1, 0, 0]);
    assert_eq!(read(&labelled("u8")).labels().len(), ROWS);
    assert!(read(&ParquetOptions::default()).labels().is_empty());
    let names = read(&labelled("kind"));
    assert_eq!((names.classes(), &names.labels()[..4]), (&["-1", "9", "10"].map(String::from)[..], &[2, 1, 0, 2][..]));
    let classes = ["9", "-1", "8", "10"].map(String::from).to_vec();
    let chosen = read(&ParquetOptions { classes: classes.clone(), ..labelled("kind") });
    assert_eq!((chosen.classes(), &chosen.labels()[..4]), (&classes[..], &[3, 0, 1, 3][..]));
}

#[test]
fn strings_in_each_encoding_are_labels() {
    let columns = vec![
        ("x", array((0..ROWS).map(|row| row as f32))),
        ("kind", array((0..ROWS).map(|row| ["common", "comet", "", "co"][row % 4]))),
        ("maybe", Arc::new((0..ROWS).map(|row| Some(["b", "a"][row % 2])).collect::<StringArray>()) as ArrayRef),
    ];
    let wanted = |classes: &[i64]| (0..ROWS).map(|row| classes[row % classes.len()]).collect::<Vec<_>>();
    for encoding in [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let bytes = file_of(columns.clone(), |set| {
                let set = set.set_writer_version(version).set_dictionary_enabled(false).set_encoding(Encoding::PLAIN);
                set.set_column_encoding("kind".into(), encoding).set_column_encoding("maybe".into(), encoding)
            });
            for (label, classes) in [("kind", &[3, 2, 0, 1][..]), ("maybe", &[1, 0])] {
                let read = |path| ParquetRows::open(path, &labelled(label));
                assert_eq!(Scratch::new().read(&bytes, read).unwrap().labels(), wanted(classes), "{encoding}");
            }
        }
    }
}

#[test]
fn a_training_has_the_bits_of_one_from_the_array() {
    let x = embedding();
    let columns: Vec<(&str, ArrayRef)> =
        (0..3).map(|column| (["a", "b", "c"][column], array(x.column(column).to_vec()))).collect();
    let labels: Vec<_> = (0..ROWS).map(|row| (row % 2) as i64).collect();
    let bytes = file_of([columns, vec![("label", array(labels.clone()))]].concat(), small);
    let trained = |x: &dyn RowSource, labels: &[i64]| {
        let mut model = Mlp::new(&Device::cpu(), &[3, 4, 2], 1).unwrap();
        model.fit(x, labels, &FitOptions { epochs: 3, batch: 7, ..Default::default() }).unwrap();
        model.predict_proba(x).unwrap()
    };
    let wanted = trained(&x, &labels);
    for cache_bytes in [0, 200, usize::MAX] {
        let options = ParquetOptions { cache_bytes, ..labelled("label") };
        let source = Scratch::new().read(&bytes, |path| ParquetRows::open(path, &options)).unwrap();
        assert_eq!(trained(&source, source.labels()), wanted);
        let last = Selected::new(&source, vec![39, 3]).unwrap();
        let mut rows = [0.0; 6];
        last.read_rows(&[1, 0], &mut rows).unwrap();
        assert_eq!(rows[3..], x.row(39).to_vec());
        assert!(source.name().ends_with("a Parquet file of 40x3") && format!("{source:?}").contains("(40, 3)"));
    }
}

#[cfg(feature = "serde")]
#[test]
fn options_are_read_from_json() {
    let read = |text: &str| serde_json::from_str::<ParquetOptions>(text).unwrap();
    assert_eq!(read("{}"), ParquetOptions::default());
    let options = ParquetOptions { label: Some("kind".into()), cache_bytes: 7, ..list("embedding") };
    assert_eq!(read(r#"{"features": {"List": "embedding"}, "label": "kind", "cache_bytes": 7}"#), options);
    assert_eq!(read(&serde_json::to_string(&options).unwrap()), options);
}
