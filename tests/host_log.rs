//! The messages of a training to the crate `log`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Mutex;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use wgpu_mlp::source::{FromFn, RowError, RowSource};
use wgpu_mlp::{Device, EarlyStopping, Epoch, FitOptions, Mlp, Monitor, Optimizer, Trainer};

/// A logger that keeps all messages.
struct Collector(Mutex<Vec<(Level, String)>>);

impl Log for Collector {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("wgpu_mlp") {
            self.0.lock().unwrap().push((record.level(), record.args().to_string()));
        }
    }
    fn flush(&self) {}
}

static COLLECTOR: Collector = Collector(Mutex::new(Vec::new()));

/// Whether the log has these messages in this order, each at its level.
fn said(wanted: &[(Level, &str)]) {
    let records = std::mem::take(&mut *COLLECTOR.0.lock().unwrap());
    let mut left = records.iter();
    for (level, words) in wanted {
        let found = left.any(|(of, record)| of == level && record.contains(words));
        assert!(found, "no {level} {words:?} in its place among {records:#?}");
    }
}

/// The percentage in the warning about a slow source.
fn share_of_waiting() -> f64 {
    let records = std::mem::take(&mut *COLLECTOR.0.lock().unwrap());
    let warning = records.iter().find_map(|(_, record)| record.split_once("the device waited up to "));
    let (percentage, _) = warning.and_then(|(_, rest)| rest.split_once(" % of the time")).unwrap();
    percentage.parse().unwrap()
}

#[test]
fn a_training_tells_what_happens() {
    log::set_logger(&COLLECTOR).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let (x, labels) = (ndarray::array![[0.0], [1.0], [0.1], [0.9]], [0u8, 1, 0, 1]);
    let stopping = EarlyStopping { monitor: Monitor::Loss, patience: 2, min_delta: 1e9, restore_best: false };
    let options = FitOptions { epochs: 9, batch: 2, early_stopping: Some(stopping), ..Default::default() };
    let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap();
    let trainer = Trainer::new(&options).validation_set(x.view(), &labels).checkpoint(&path);
    trainer.fit(&mut model, x.view(), &labels).unwrap();
    said(&[
        (Level::Info, "device: CPU path"),
        (Level::Info, "fit: 4 rows in 2 steps an epoch, 4 rows to validate on"),
        (Level::Debug, "fit: Epoch { index: 0"),
        (Level::Debug, "run.checkpoint"),
        (Level::Debug, "fit: Epoch { index: 2"),
        (Level::Info, "fit: early stopping: no better for 2 epochs"),
        (Level::Info, "fit: ended after 3 epochs; best: Some(0)"),
    ]);
    let trainer = Trainer::new(&options).checkpoint(&path).resume();
    trainer.fit(&mut model, x.view(), &labels).unwrap();
    said(&[(Level::Info, "run.checkpoint, after epoch 3"), (Level::Info, "early stopping")]);
    let plain = FitOptions { early_stopping: None, ..options.clone() };
    let mut stop = |_: &Mlp, _: &Epoch| Ok(std::ops::ControlFlow::Break(()));
    Trainer::new(&plain).callback(&mut stop).fit(&mut model, x.view(), &labels).unwrap();
    said(&[(Level::Info, "fit: a callback ended the training in epoch 0")]);
    let wild = FitOptions { optimizer: Optimizer::sgd(f64::from(f32::MAX)), ..plain };
    let error = model.fit((1e3 * x).view(), &labels, &wild).unwrap_err();
    said(&[(Level::Warn, &format!("{error}: the step is undone"))]);

    let slow = FromFn::new((60, 1), |row, values: &mut [f32]| {
        std::thread::sleep(Duration::from_millis(3));
        values[0] = row as f32;
        Ok::<(), String>(())
    });
    let (labels, options) = ([0u8; 60], FitOptions { epochs: 1, batch: 20, workers: 1, ..Default::default() });
    Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap().fit(slow, &labels, &options).unwrap();
    said(&[(Level::Warn, "fit: in epoch 0 the device waited up to "), (Level::Info, "fit: ended after 1 epochs")]);
    Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap().fit(slow, &labels, &options).unwrap();
    said(&[(Level::Warn, "% of the time for rows of a function of 60x1, with 1 workers")]);
    Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap().fit(slow, &labels, &options).unwrap();
    // A warning is given from a quarter on, and there is no more than the whole.
    let share = share_of_waiting();
    assert!((25.0..=100.0).contains(&share), "{share} %");
    small_batches_add_up();
    short_copies_are_no_wait();
    a_source_without_a_name();
    dropout_without_hidden_layers();
    #[cfg(feature = "data")]
    labels_that_stand_for_none();
    #[cfg(feature = "data")]
    tables_that_can_be_read_in_two_ways();
}

/// A source each of whose batches takes less than a millisecond.
fn small_batches_add_up() {
    let slow = FromFn::new((400, 1), |row, values: &mut [f32]| {
        std::thread::sleep(Duration::from_micros(300));
        values[0] = row as f32;
        Ok::<(), String>(())
    });
    let options = FitOptions { epochs: 1, batch: 1, ..Default::default() };
    Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap().fit(slow, &[0u8; 400], &options).unwrap();
    said(&[(Level::Warn, "% of the time for rows of a function of 400x1, with 0 workers; FitOptions::workers reads")]);
}

/// Rows in memory, each of which is read in a fraction of a millisecond: no warning says that reading is slow.
fn short_copies_are_no_wait() {
    struct Ready;
    impl RowSource for Ready {
        fn dim(&self) -> (usize, usize) {
            (1000, 1)
        }
        fn read_rows(&self, _: &[usize], into: &mut [f32]) -> Result<(), RowError> {
            std::thread::sleep(Duration::from_micros(150));
            into.fill(0.5);
            Ok(())
        }
        fn is_in_memory(&self) -> bool {
            true
        }
    }
    let options = FitOptions { epochs: 1, batch: 1, ..Default::default() };
    // A busy system makes some reads slower, but rarely those of all trainings.
    let is_silent = (0..20).any(|_| {
        Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap().fit(Ready, &[0u8; 1000], &options).unwrap();
        let records = std::mem::take(&mut *COLLECTOR.0.lock().unwrap());
        records.iter().all(|(level, _)| *level != Level::Warn)
    });
    assert!(is_silent, "short copies of rows in memory are called slow");
}

/// A slow source that panics when it is asked for its name: the training ends well.
fn a_source_without_a_name() {
    struct Nameless;
    impl RowSource for Nameless {
        fn dim(&self) -> (usize, usize) {
            (30, 1)
        }
        fn read_rows(&self, _: &[usize], into: &mut [f32]) -> Result<(), RowError> {
            std::thread::sleep(Duration::from_millis(5));
            into.fill(0.5);
            Ok(())
        }
        fn name(&self) -> String {
            panic!("none")
        }
    }
    let options = FitOptions { epochs: 1, batch: 1, ..Default::default() };
    Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap().fit(Nameless, &[0u8; 30], &options).unwrap();
    said(&[(Level::Warn, "rows of a source that panics over its name, with 0 workers")]);
}

/// Dropout that has nothing to leave out: a single warning for the whole training, and none if there is a hidden layer.
fn dropout_without_hidden_layers() {
    let (x, labels) = (ndarray::array![[0.0], [1.0]], [0u8, 1]);
    let options = FitOptions { epochs: 3, batch: 1, dropout: 0.5, ..Default::default() };
    for (widths, wanted) in [(&[1, 2][..], 1), (&[1, 3, 2], 0)] {
        Mlp::new(&Device::cpu(), widths, 0).unwrap().fit(x.view(), &labels, &options).unwrap();
        let records = std::mem::take(&mut *COLLECTOR.0.lock().unwrap());
        let words = "fit: a dropout of 0.5 has no effect, since the model has no hidden layers";
        let told = records.iter().filter(|(level, record)| *level == Level::Warn && record == words);
        assert_eq!(told.count(), wanted, "{widths:?}: {records:#?}");
    }
}

/// Words for a missing value in the column of the labels: each becomes a class, and a warning says so.
#[cfg(feature = "data")]
fn labels_that_stand_for_none() {
    for label in ["NA", "nan", "-NaN", "#N/A"] {
        let text = format!("1,{label}\n2,rose\n");
        let table = wgpu_mlp::data::read_csv_from(text.as_bytes(), &Default::default()).unwrap();
        assert_eq!(table.classes.len(), 2);
        said(&[(Level::Warn, &format!("the label {label:?} is a class of its own"))]);
    }
}

/// Tables whose first row or labels may mean something else than what is read: a warning says so. Plain tables have no warning.
#[cfg(feature = "data")]
fn tables_that_can_be_read_in_two_ways() {
    use wgpu_mlp::data::{CsvOptions, read_csv_from};
    let told = |text: &str, header: Option<bool>| {
        read_csv_from(text.as_bytes(), &CsvOptions { header, ..Default::default() }).unwrap();
        let records = std::mem::take(&mut *COLLECTOR.0.lock().unwrap());
        records.into_iter().map(|(_, record)| record.replace("read_csv: the given bytes: ", "")).collect::<Vec<_>>()
    };
    let labels = "the labels \"1\" and \"1.0\" are two classes, though they are one number";
    assert_eq!(told("x,kind\n5,1.0\n6,1\n7,2\n", None), [labels]);
    let header = "the first row is taken for a header, though it has numbers; CsvOptions::header decides";
    assert_eq!(told("5.1,3.5O,a\n4.9,3.0,b\n", None), [header]);
    let nothing: [&str; 0] = [];
    assert_eq!(told("5.1,3.5O,a\n4.9,3.0,b\n", Some(true)), nothing);
    for plain in ["x,y,kind\n5,6,1\n7,8,2.5\n", "5,6,1\n7,8,2\n", "0,1,2,kind\n5,6,7,a\n", "5,6,kind\n7,8,1\n"] {
        assert_eq!(told(plain, None), nothing, "{plain}");
    }
}
