//! Calls that read sources as a whole or while others read them: scaling, conversion, and shards of many files.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, array, concatenate};
use wgpu_mlp::data::{Scaler, open_npy, read_npy, read_npy_labels, shard_paths, write_npy, write_npy_rows};
use wgpu_mlp::source::half::f16;
use wgpu_mlp::source::{Converted, FromFn, Multiplied, RowSource, Selected, Shards};
use wgpu_mlp::{Error, Result};

use super::Scratch;
use super::sources::same_rows;

fn waves(rows: usize, cols: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, cols), |(r, c)| 100.0 * c as f32 + (1 + c) as f32 * ((r * (c + 3)) as f32).sin())
}

/// A source that hides that it is an array.
fn hidden(x: &Array2<f32>) -> impl RowSource {
    FromFn::new(x.dim(), |row, values: &mut [f32]| {
        values.copy_from_slice(x.row(row).as_slice().unwrap());
        Ok::<(), Error>(())
    })
}

#[test]
fn a_scaler_fits_any_source_to_the_same_bits() {
    let scratch = Scratch::new();
    // Several batches, one of them not full.
    for x in [waves(70_001, 7), waves(3, 300_000), waves(1, 1)] {
        let scaler = Scaler::fit(x.view()).unwrap();
        // The formula, with sums in f64 over the rows in their order.
        let rows = x.nrows() as f64;
        let sums = |origin: &dyn Fn(usize) -> f64, of: &dyn Fn(f64) -> f64, col: usize| {
            x.column(col).iter().fold(0.0, |sum, value| sum + of(f64::from(*value) - origin(col)))
        };
        for col in [0, x.ncols() / 2, x.ncols() - 1] {
            let first = f64::from(x[[0, col]]);
            let mean = first + sums(&|_| first, &|distance| distance, col) / rows;
            let squares = sums(&|_| mean, &|distance| distance * distance, col);
            let scale = if squares > 0.0 { (squares / rows).sqrt() } else { 1.0 };
            assert_eq!((scaler.mean()[col], scaler.scale()[col]), (mean, scale));
        }
        write_npy(&scratch.path, x.view()).unwrap();
        assert_eq!(Scaler::fit(hidden(&x)).unwrap(), scaler);
        assert_eq!(Scaler::fit(open_npy(&scratch.path).unwrap()).unwrap(), scaler);
        assert_eq!(Scaler::fit(Converted(x.mapv(f64::from))).unwrap(), scaler);
    }
    let halves = waves(50, 3).mapv(f16::from_f32);
    assert_eq!(Scaler::fit(Converted(halves.view())).unwrap(), Scaler::fit(halves.mapv(f16::to_f32)).unwrap());
}

#[test]
fn scaled_rows_are_those_of_transform() {
    let scratch = Scratch::new();
    let x = waves(139, 5);
    write_npy(&scratch.path, x.view()).unwrap();
    let scaler = Scaler::fit(&x).unwrap();
    let want = scaler.transform(x.view()).unwrap();
    same_rows(&scaler.scaled(&x).unwrap(), &want, "an array");
    same_rows(&scaler.scaled(open_npy(&scratch.path).unwrap()).unwrap(), &want, "a file");
    assert!(scaler.scaled(&x).unwrap().is_in_memory() && scaler.scaled(&x).unwrap().as_values().is_none());
    let words = "scaler: features must have the columns that the scaler was fitted to; got 9x4 and 1x5";
    assert_eq!(scaler.scaled(waves(9, 4)).unwrap_err().to_string(), words);
}

#[test]
fn values_that_are_not_finite_are_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = waves(60_000, 5);
        let scaler = Scaler::fit(&x).unwrap();
        (x[[59_000, 1]], x[[59_999, 0]]) = (value, f32::NAN);
        let want = scaler.transform(x.view()).unwrap_err().to_string();
        for error in [Scaler::fit(&x).unwrap_err(), Scaler::fit(hidden(&x)).unwrap_err()] {
            assert!(matches!(error, Error::Feature { row: 59_000, col: 1, .. }), "{error:?}");
            assert_eq!(error.to_string(), want);
        }
        let error = scaler.scaled(&x).unwrap().read_rows(&[3, 59_000, 59_999], &mut [0.0; 15]).unwrap_err();
        assert_eq!((error.row, error.source.to_string()), (59_000, want.clone()));
        // The crate passes its own error on unchanged.
        let scratch = Scratch::new();
        let error = write_npy_rows(&scratch.path, scaler.scaled(&x).unwrap()).unwrap_err();
        assert!(matches!(error, Error::Feature { .. }) && error.to_string() == want, "{error:?}");
    }
}

#[test]
fn any_source_becomes_a_file() {
    let scratch = Scratch::new();
    let x = waves(70_001, 7);
    write_npy(&scratch.path, x.view()).unwrap();
    let plain = fs::read(&scratch.path).unwrap();
    let other = scratch.path.with_extension("npy");
    write_npy_rows(&other, hidden(&x)).unwrap();
    assert!(fs::read(&other).unwrap() == plain);
    write_npy_rows(&other, open_npy(&scratch.path).unwrap()).unwrap();
    assert!(fs::read(&other).unwrap() == plain);
    // A file may be replaced by the rows that are read from it.
    write_npy_rows(&scratch.path, Multiplied::new(open_npy(&scratch.path).unwrap(), 0.5)).unwrap();
    assert_eq!(read_npy(&scratch.path).unwrap(), x.mapv(|value| value * 0.5));
    for shape in [(0, 3), (3, 0), (0, 0)] {
        write_npy_rows(&other, Converted(Array2::<u8>::zeros(shape))).unwrap();
        assert_eq!(read_npy(&other).unwrap().dim(), shape);
    }
}

#[test]
fn a_source_that_fails_leaves_the_old_file() {
    let scratch = Scratch::new();
    let array = array![[1.0, 2.0]];
    write_npy(&scratch.path, array.view()).unwrap();
    let failing = |rows: usize| {
        FromFn::new((100_000, 7), move |row, values: &mut [f32]| {
            values.fill(1.0);
            if row < rows { Ok(()) } else { Err(std::io::Error::other("the disk is gone")) }
        })
    };
    for row in [0, 99_999] {
        let error = write_npy_rows(&scratch.path, failing(row)).unwrap_err();
        assert!(matches!(error, Error::Source { op: "write_npy_rows", row: found, .. } if found == row), "{error:?}");
        let error = Scaler::fit(failing(row)).unwrap_err();
        assert_eq!(error.to_string(), format!("scaler: row {row} could not be read: the disk is gone"));
    }
    let panicking = FromFn::new((9, 2), |_, _: &mut [f32]| -> Result<()> { panic!("no") });
    assert!(matches!(write_npy_rows(&scratch.path, &panicking as &dyn RowSource), Err(Error::Source { .. })));
    assert!(matches!(Scaler::fit(panicking), Err(Error::Source { .. })));
    let below = scratch.path.join("below-a-file");
    assert!(matches!(write_npy_rows(&below, &array), Err(Error::File { path, .. }) if path == below));
    assert_eq!(read_npy(&scratch.path).unwrap(), array);
    assert_eq!(fs::read_dir(scratch.path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn shards_of_many_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let parts = [waves(5, 3), waves(1, 3), waves(140, 3)];
    for (part, x) in parts.iter().enumerate() {
        write_npy(file(&format!("train-{part:02}.npy")), x.view()).unwrap();
        write_npy(file(&format!("labels-{part:02}.npy")), Array2::from_elem((x.nrows(), 1), part as f32).view())
            .unwrap();
    }
    fs::create_dir(file("train-folder.npy")).unwrap();
    fs::write(file("train-00.txt"), "").unwrap();
    let pattern = |name: &str| file(name).to_str().unwrap().to_owned();
    let paths = shard_paths(pattern("train-*.npy")).unwrap();
    assert_eq!(paths, ["train-00.npy", "train-01.npy", "train-02.npy"].map(file));
    let shards = Shards::new(paths.iter().map(open_npy).collect::<Result<Vec<_>>>().unwrap()).unwrap();
    let want = concatenate(Axis(0), &parts.each_ref().map(|part| part.view())).unwrap();
    same_rows(&shards, &want, "shards");
    let turned = Selected::new(&shards, (0..146).rev().collect()).unwrap();
    same_rows(&turned, &want.select(Axis(0), &(0..146).rev().collect::<Vec<_>>()), "selected");
    let labels = shard_paths(pattern("labels-??.npy")).unwrap();
    let labels = labels.iter().map(read_npy_labels).collect::<Result<Vec<_>>>().unwrap().concat();
    assert_eq!(labels, [vec![0; 5], vec![1], vec![2; 140]].concat());
    assert_eq!(shard_paths(pattern("train-0[12].npy")).unwrap(), paths[1..]);
    assert_eq!(shard_paths(pattern("train-00.npy")).unwrap(), paths[..1]);
    // Files that editors and notebooks leave in hidden folders are not shards, unless the pattern names them.
    fs::create_dir(file(".hidden")).unwrap();
    fs::copy(&paths[0], file(".hidden/train-00.npy")).unwrap();
    fs::copy(&paths[0], file(".train-00.npy")).unwrap();
    assert_eq!(shard_paths(pattern("**/train-*.npy")).unwrap(), paths);
    assert_eq!(shard_paths(pattern("*train-*.npy")).unwrap(), paths);
    assert_eq!(shard_paths(pattern(".hidden/train-*.npy")).unwrap(), [file(".hidden/train-00.npy")]);
}

#[test]
fn folders_with_the_characters_of_patterns() {
    let dir = tempfile::tempdir().unwrap();
    let file = |folder: &str, name: &str| dir.path().join(folder).join(name);
    for folder in ["run[1]", "run1", "a[b/run[1]"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
        write_npy(file(folder, "x-0.npy"), array![[1.0]].view()).unwrap();
    }
    assert_eq!(shard_paths(file("run[1]", "x-*.npy")).unwrap(), [file("run[1]", "x-0.npy")]);
    assert_eq!(shard_paths(file("a[b/run[1]", "x-[0-9].npy")).unwrap(), [file("a[b/run[1]", "x-0.npy")]);
    assert_eq!(shard_paths(file("a[b/*", "x-?.npy")).unwrap(), [file("a[b/run[1]", "x-0.npy")]);
    assert_eq!(shard_paths(file("a[b", "**/x-0.npy")).unwrap(), [file("a[b/run[1]", "x-0.npy")]);
    // If no folder has this name, the name counts as a pattern.
    fs::remove_dir_all(dir.path().join("run[1]")).unwrap();
    assert_eq!(shard_paths(file("run[1]", "x-*.npy")).unwrap(), [file("run1", "x-0.npy")]);
    // If no file has this name, the name counts as a pattern too.
    for name in ["y[0].npy", "y0.npy"] {
        write_npy(file("run1", name), array![[1.0]].view()).unwrap();
    }
    assert_eq!(shard_paths(file("run1", "y[0].npy")).unwrap(), [file("run1", "y[0].npy")]);
    fs::remove_file(file("run1", "y[0].npy")).unwrap();
    assert_eq!(shard_paths(file("run1", "y[0].npy")).unwrap(), [file("run1", "y0.npy")]);
}

/// Otherwise the rows of a file would be read once for each way to it. If a link leads back, there may be millions of ways.
#[cfg(unix)]
#[test]
fn links_to_folders_repeat_no_file() {
    use std::os::unix::fs::symlink;
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = |name: &str| dir.path().join(name);
    fs::create_dir(file("run-7")).unwrap();
    for path in [file("run-7/x-0.npy"), file("run-7/x-1.npy"), elsewhere.path().join("x-0.npy")] {
        write_npy(path, array![[1.0]].view()).unwrap();
    }
    symlink("run-7", file("latest")).unwrap();
    symlink(elsewhere.path(), file("other")).unwrap();
    // A link from file to file stays, since its name is another one.
    symlink("x-1.npy", file("run-7/x-2.npy")).unwrap();
    let wanted = ["other/x-0.npy", "run-7/x-0.npy", "run-7/x-1.npy", "run-7/x-2.npy"].map(file);
    assert_eq!(shard_paths(file("**/x-*.npy")).unwrap(), wanted);
    // Without `**`, a pattern finds what it names.
    let named = ["latest/x-0.npy", "other/x-0.npy", "run-7/x-0.npy"].map(file);
    assert_eq!(shard_paths(file("*/x-0.npy")).unwrap(), named);
    symlink("..", file("run-7/back")).unwrap();
    let words = shard_paths(file("**/x-*.npy")).unwrap_err().to_string();
    assert!(words.contains(": with **, no link may lead back to a folder above it; got "), "{words}");
    assert!(words.ends_with("back"), "{words}");
    assert_eq!(shard_paths(file("*/x-0.npy")).unwrap(), named);
}

#[test]
fn patterns_without_files() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |pattern: &Path, words: &str| {
        let error = shard_paths(pattern.to_str().unwrap()).unwrap_err();
        assert!(matches!(&error, Error::Data { path, .. } if path == pattern), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{}: {words}", pattern.display())), "{error}");
    };
    refused(&dir.path().join("train-*.npy"), "the pattern must match a file; got none");
    refused(&dir.path().join("train-***.npy"), "the pattern must be well-formed; got ");
    refused(&dir.path().join("train-[0.npy"), "the pattern must be well-formed; got ");
    refused(dir.path(), "the pattern must match a file; got none");
    refused(&PathBuf::new(), "the pattern must match a file; got none");
}

#[test]
fn a_shard_with_other_columns_is_named() {
    let shards = [(2, 3), (4, 3), (5, 2)].map(Array2::<f32>::zeros).to_vec();
    let error = Shards::new(shards).unwrap_err();
    let name = shards_name();
    let words = format!(
        "{name}: all shards must have as many columns as the first; got 5x2 in shard 2, counted from 0, where shard 0 has 2x3"
    );
    assert_eq!(error.to_string(), words);
}

/// The name of an array as a source.
fn shards_name() -> String {
    Array2::<f32>::zeros((5, 2)).name()
}
