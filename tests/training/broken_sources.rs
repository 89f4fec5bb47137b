//! Sources that fail, panic, give false answers or are slow: an error names the row, and the model stays consistent.

mod lies;

use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use ndarray::{Array2, s};
use wgpu_mlp::source::{FromFn, RowError, RowSource, Selected, Shards};
use wgpu_mlp::{Callback, Device, Error, FitOptions, Result, Step, Trainer};

use super::sources::{ROWS, WORKERS, model};
use super::{bits, blobs, rich};

/// Sources that do not do what they promise.
pub fn lies(device: &Device) -> Result<()> {
    lies::all(device)
}

/// A source that fails or panics when a row is read for the n-th time.
struct Broken<'a> {
    x: &'a Array2<f32>,
    row: usize,
    reads_left: AtomicUsize,
    panics: bool,
}

impl RowSource for Broken<'_> {
    fn dim(&self) -> (usize, usize) {
        self.x.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        if rows.contains(&self.row) && self.reads_left.fetch_sub(1, Relaxed) == 1 {
            if self.panics {
                // Unlike `panic!`, this prints nothing.
                std::panic::resume_unwind(Box::new("out of paper"));
            }
            return Err(RowError::new(self.row, "out of ink"));
        }
        self.x.read_rows(rows, into)
    }
}

/// A source that fails in the third epoch ends the training with its error and its row. The model has the parameters of
/// the last step before it, and can be trained on.
pub fn failures(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for panics in [false, true] {
        for workers in WORKERS {
            let options = FitOptions { batch: 16, epochs: 5, shuffle: false, workers, ..Default::default() };
            let source = Broken { x: &x, row: 7, reads_left: 3.into(), panics };
            let mut broken = model(device)?;
            let error = broken.fit(&source, &labels, &options).unwrap_err();
            assert_eq!(error.to_string(), words(panics), "{workers} workers");
            // Row 7 is in the first batch, so that two whole epochs are done.
            let mut wanted = model(device)?;
            wanted.fit(&x, &labels, &FitOptions { epochs: 2, ..options.clone() })?;
            assert_eq!(bits(&broken)?, bits(&wanted)?, "{workers} workers");
            broken.fit(&x, &labels, &options)?;
        }
    }
    awaited_failures(device)?;
    own_errors(device)
}

/// The error of a fit about row 7, in a first batch of 16 rows.
fn words(panics: bool) -> &'static str {
    match panics {
        false => "fit: row 7 could not be read: out of ink",
        true => "fit: row 0 could not be read: the source panicked among 16 rows from this one on: out of paper",
    }
}

/// An awaited training ends in the same way, whether one thread or several read the rows of a step.
fn awaited_failures(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for (panics, workers) in [(false, 0), (false, 5), (true, 0), (true, 5)] {
        let options = FitOptions { batch: 16, epochs: 5, shuffle: false, workers, ..Default::default() };
        let source = Broken { x: &x, row: 7, reads_left: 3.into(), panics };
        let mut broken = model(device)?;
        let error = pollster::block_on(broken.fit_async(&source, &labels, &options)).unwrap_err();
        assert_eq!(error.to_string(), words(panics), "{workers} threads");
        let mut wanted = model(device)?;
        wanted.fit(&x, &labels, &FitOptions { epochs: 2, ..options.clone() })?;
        assert_eq!(bits(&broken)?, bits(&wanted)?, "{workers} threads");
        pollster::block_on(broken.fit_async(&x, &labels, &options))?;
    }
    Ok(())
}

/// The error of the sources in the tests below.
#[derive(Debug, PartialEq)]
struct Jammed {
    tray: usize,
}

impl std::fmt::Display for Jammed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tray {} is jammed", self.tray)
    }
}

impl std::error::Error for Jammed {}

/// The error of a source is returned with its own type, whichever sources wrap it.
fn own_errors(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for workers in WORKERS {
        let options = FitOptions { batch: 16, epochs: 2, shuffle: false, workers, ..Default::default() };
        let jams = FromFn::new((ROWS, 4), |row, into: &mut [f32]| {
            into.iter_mut().zip(x.row(row)).for_each(|(into, value)| *into = *value);
            if row == 40 { Err(Jammed { tray: 3 }) } else { Ok(()) }
        });
        let fitted = |source: &dyn RowSource| model(device)?.fit(source, &labels, &options).map(|_| ());
        let backwards = Selected::new(&jams, (0..ROWS).rev().collect())?;
        let sources: [(&dyn RowSource, usize); 2] = [(&jams, 40), (&backwards, ROWS - 1 - 40)];
        for (source, wanted) in sources {
            match fitted(source).unwrap_err() {
                Error::Source { op: "fit", row, source } => {
                    assert_eq!(row, wanted, "{workers} workers");
                    assert_eq!(source.downcast_ref::<Jammed>(), Some(&Jammed { tray: 3 }), "{workers} workers");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(())
}

/// A row in the middle of an epoch fails: the steps before it are done, regardless of the rows that were read ahead.
pub fn failures_in_an_epoch(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for workers in WORKERS {
        let options = FitOptions { batch: 16, epochs: 5, shuffle: false, workers, ..Default::default() };
        let source = Broken { x: &x, row: 50, reads_left: 1.into(), panics: false };
        let mut broken = model(device)?;
        assert!(matches!(broken.fit(&source, &labels, &options), Err(Error::Source { op: "fit", row: 50, .. })));
        let mut wanted = model(device)?;
        wanted.fit(x.slice(s![..48, ..]), &labels[..48], &FitOptions { epochs: 1, ..options.clone() })?;
        assert_eq!(bits(&broken)?, bits(&wanted)?, "{workers} workers");
        // If an earlier step went wrong before the row was read, that step is reported and undone.
        let mut spoilt = x.clone();
        spoilt[[20, 1]] = f32::NAN;
        let source = Broken { x: &spoilt, row: 50, reads_left: 1.into(), panics: false };
        let error = model(device)?.fit(&source, &labels, &options).unwrap_err();
        assert!(matches!(error, Error::NonFinite { row: Some(20), .. }), "{error}");
        // A row that could be read once, but not again when the steps are repeated: all these steps are undone.
        let source = Broken { x: &spoilt, row: 10, reads_left: 2.into(), panics: false };
        let mut undone = model(device)?;
        assert!(matches!(undone.fit(&source, &labels, &options), Err(Error::Source { row: 10, .. })));
        assert_eq!(bits(&undone)?, bits(&model(device)?)?, "{workers} workers");
    }
    stopped_before_a_failure(device)?;
    let broken = || Broken { x: &x, row: 50, reads_left: 1.into(), panics: false };
    let failed = |source: &dyn RowSource, labels: &[u8]| model(device)?.score(source, labels);
    let words = |row: usize| format!("score: row {row} could not be read: out of ink");
    assert_eq!(failed(&broken(), &labels).unwrap_err().to_string(), words(50));
    // Errors use the caller's row numbers.
    let backwards = Selected::new(broken(), (0..ROWS).rev().collect())?;
    assert_eq!(failed(&backwards, &labels).unwrap_err().to_string(), words(ROWS - 1 - 50));
    let first = x.slice(s![..30, ..]);
    let shards: Vec<Box<dyn RowSource + '_>> = vec![Box::new(first), Box::new(broken())];
    let longer = [&labels[..30], &labels[..]].concat();
    assert_eq!(failed(&Shards::new(shards)?, &longer).unwrap_err().to_string(), words(80));
    Ok(())
}

/// A callback can end the training, even if rows after the step that it was called for could not be read.
fn stopped_before_a_failure(device: &Device) -> Result<()> {
    struct AtOnce;
    impl Callback for AtOnce {
        fn on_step(&mut self, _: &Step) -> Result<ControlFlow<()>> {
            Ok(ControlFlow::Break(()))
        }
    }
    let (x, labels) = blobs(ROWS, 1);
    let options = FitOptions { batch: 16, epochs: 5, shuffle: false, ..Default::default() };
    let source = Broken { x: &x, row: 50, reads_left: 1.into(), panics: false };
    let history = Trainer::new(&options).callback(&mut AtOnce).fit(&mut model(device)?, &source, &labels)?;
    assert_eq!((history.epochs.len(), history.epochs[0].rows), (1, 48));
    Ok(())
}

/// A source whose first reads wait for each other. It counts its readers, and records the order of the requested rows.
struct Watched<'a> {
    x: &'a Array2<f32>,
    readers: Mutex<(usize, usize)>,
    entered: Condvar,
    wanted: usize,
}

impl RowSource for Watched<'_> {
    fn dim(&self) -> (usize, usize) {
        self.x.dim()
    }

    fn read_rows(&self, rows: &[usize], into: &mut [f32]) -> std::result::Result<(), RowError> {
        let fail = |words: &str| RowError::new(rows[0], words);
        let mut readers = self.readers.lock().map_err(|_| fail("poisoned"))?;
        readers.0 += 1;
        readers.1 = readers.1.max(readers.0);
        self.entered.notify_all();
        // Continues when so many readers have been inside at once, or after a time without that.
        let patience = Duration::from_secs(120);
        let waiting = |readers: &mut (usize, usize)| readers.1 < self.wanted;
        readers = self.entered.wait_timeout_while(readers, patience, waiting).map_err(|_| fail("poisoned"))?.0;
        readers.0 -= 1;
        drop(readers);
        self.x.read_rows(rows, into)
    }
}

/// This number of workers read at the same time, before the first step. Without workers there is no such thread.
pub fn workers_read_at_once(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for workers in [0, 1, 3] {
        let wanted = workers.max(1);
        let source = Watched { x: &x, readers: Mutex::default(), entered: Condvar::new(), wanted };
        let options = FitOptions { batch: 8, epochs: 2, workers, ..Default::default() };
        model(device)?.fit(&source, &labels, &options)?;
        let (inside, most) = *source.readers.lock().unwrap();
        assert_eq!((inside, most), (0, wanted), "{workers} workers");
    }
    Ok(())
}

/// A partial fit whose source fails counts only the steps that were done, and the next one continues as if there had been no
/// failure.
pub fn partial_failures(device: &Device) -> Result<()> {
    let (x, labels) = blobs(ROWS, 1);
    for workers in WORKERS {
        let options = FitOptions { batch: 45, shuffle: false, workers, ..rich() };
        let (mut broken, mut whole) = (model(device)?, model(device)?);
        let source = Broken { x: &x, row: 50, reads_left: 1.into(), panics: false };
        assert!(matches!(broken.partial_fit(&source, &labels, &options), Err(Error::Source { .. })));
        whole.partial_fit(x.slice(s![..45, ..]), &labels[..45], &options)?;
        for model in [&mut broken, &mut whole] {
            model.partial_fit(x.slice(s![45.., ..]), &labels[45..], &options)?;
        }
        assert_eq!(bits(&broken)?, bits(&whole)?, "{workers} workers");
    }
    Ok(())
}
