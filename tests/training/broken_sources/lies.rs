//! Sources that do not do what they promise: the result is an error or NaN, and no panic.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use ndarray::{Array2, s};
use wgpu_mlp::source::{FromFn, RowError, RowSource, Shards};
use wgpu_mlp::{Device, Error, FitOptions, Result, Trainer};

use super::super::sources::{ROWS, WORKERS, model};
use super::super::{bits, blobs};

/// All false answers.
pub(super) fn all(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for workers in WORKERS {
        let options = FitOptions { batch: 16, epochs: 1, shuffle: false, workers, ..Default::default() };
        let wide = Changing(AtomicUsize::new(0));
        assert!(matches!(
            model(device)?.fit(&wide, &labels, &options),
            Err(Error::Shape { .. } | Error::Source { .. })
        ));
        values_left_out(device, &x, &labels, &options)?;
        answers_left_out(device, &x, &labels, &FitOptions { shuffle: true, ..options })?;
    }
    Ok(())
}

/// A value that a source does not write is NaN, and neither 0 nor a value of another row.
fn values_left_out(device: &Device, x: &Array2<f32>, labels: &[u8], options: &FitOptions) -> Result<()> {
    let lazy = |first: usize| {
        FromFn::new((ROWS - first, 4), move |row, into: &mut [f32]| {
            write_half(x, first + row, into);
            Ok::<(), String>(())
        })
    };
    let refused = |source: &dyn RowSource, options: &FitOptions| model(device).unwrap().fit(source, labels, options);
    for source in [&lazy(0) as &dyn RowSource, &Hasty(x)] {
        let error = refused(source, options).unwrap_err();
        assert!(matches!(error, Error::NonFinite { op: "features", row: Some(0), .. }), "{}: {error}", source.name());
    }
    // The rows of a shard are read together, after those of a shard that writes all of its values.
    let first = ROWS / 2;
    let shards: Vec<Box<dyn RowSource + '_>> = vec![Box::new(x.slice(s![..first, ..])), Box::new(lazy(first))];
    let error = refused(&Shards::new(shards)?, &FitOptions { shuffle: true, ..options.clone() }).unwrap_err();
    assert!(matches!(error, Error::NonFinite { op: "features", row: Some(row), .. } if row >= first), "{error}");
    Ok(())
}

/// A source that panics in a method is read as far as possible, and the call itself does not panic.
fn answers_left_out(device: &Device, x: &Array2<f32>, labels: &[u8], options: &FitOptions) -> Result<()> {
    let mut wanted = model(device)?;
    wanted.fit(x, labels, options)?;
    for plain in [false, true] {
        let shy = |answers: usize| Shy { x, answers: answers.into(), plain };
        let mut fitted = model(device)?;
        fitted.fit(shy(usize::MAX), labels, options)?;
        assert_eq!(bits(&fitted)?, bits(&wanted)?, "values that lie ready: {plain}");
        assert_eq!(fitted.predict(shy(usize::MAX))?, wanted.predict(x)?, "values that lie ready: {plain}");
        let weights = [1.0; ROWS];
        for answers in 0..8 {
            let outcomes = [
                model(device)?.fit(shy(answers), labels, options).map(drop),
                model(device)?.predict(shy(answers)).map(drop),
                model(device)?.score(shy(answers), labels).map(drop),
                Trainer::new(options).row_weights(&weights).fit(&mut model(device)?, shy(answers), labels).map(drop),
                validated(shy(answers), device, x, labels, options)?,
            ];
            for outcome in outcomes.into_iter().chain(of_data(|| shy(answers))) {
                let told = |error: &Error| error.to_string().ends_with("no answer");
                let is_told = matches!(&outcome, Err(error @ Error::Source { row: 0, .. }) if told(error));
                assert!(is_told || (outcome.is_ok() && answers > 0), "{answers} answers: {outcome:?}");
            }
        }
    }
    Ok(())
}

/// A training that is validated on the rows of a source.
fn validated(
    source: Shy<'_>,
    device: &Device,
    x: &Array2<f32>,
    labels: &[u8],
    options: &FitOptions,
) -> Result<Result<()>> {
    let mut model = model(device)?;
    Ok(Trainer::new(options).validation_set(source, labels).fit(&mut model, x, labels).map(drop))
}

/// Calls that read a source for themselves, or to write a file.
#[cfg(feature = "data")]
fn of_data<'a>(shy: impl Fn() -> Shy<'a>) -> Vec<Result<()>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    vec![wgpu_mlp::data::Scaler::fit(shy()).map(drop), wgpu_mlp::data::write_npy_rows(path, shy())]
}

#[cfg(not(feature = "data"))]
fn of_data<'a>(_: impl Fn() -> Shy<'a>) -> Vec<Result<()>> {
    Vec::new()
}

/// Writes a part of a row.
fn write_half(x: &Array2<f32>, row: usize, into: &mut [f32]) {
    into.iter_mut().zip(x.row(row)).take(2).for_each(|(into, value)| *into = *value);
}

/// A source that says that its rows lie in memory, and writes a part of each.
struct Hasty<'a>(&'a Array2<f32>);

impl RowSource for Hasty<'_> {
    fn dim(&self) -> (usize, usize) {
        self.0.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        rows.iter().zip(into.chunks_exact_mut(4)).for_each(|(row, into)| write_half(self.0, *row, into));
        Ok(())
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}

/// Panics without a message in the output of the tests.
fn unwind() -> ! {
    std::panic::resume_unwind(Box::new("no answer"))
}

/// A source that panics if it is asked whether its rows are in memory, if it is asked for its name, and if it is asked for its
/// shape too often.
struct Shy<'a> {
    x: &'a Array2<f32>,
    /// How many more times it returns the numbers of rows and columns.
    answers: AtomicUsize,
    /// Whether it offers its values as a slice of memory.
    plain: bool,
}

impl RowSource for Shy<'_> {
    fn dim(&self) -> (usize, usize) {
        if self.answers.fetch_sub(1, Relaxed) == 0 { unwind() } else { self.x.dim() }
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        self.x.read_rows(rows, into)
    }

    fn as_values(&self) -> Option<&[f32]> {
        self.x.as_slice().filter(|_| self.plain)
    }

    fn is_in_memory(&self) -> bool {
        unwind()
    }

    fn name(&self) -> String {
        unwind()
    }
}

/// A source that claims another width each time, and has few values.
struct Changing(AtomicUsize);

impl RowSource for Changing {
    fn dim(&self) -> (usize, usize) {
        (ROWS, 4 + self.0.fetch_add(1, Relaxed))
    }

    fn read_rows(&self, rows: &[usize], _: &mut [f32]) -> std::result::Result<(), RowError> {
        Err(RowError::new(rows[0], "no more"))
    }

    fn as_values(&self) -> Option<&[f32]> {
        Some(&[1.0; 7])
    }
}
