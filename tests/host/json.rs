//! Options and results through JSON and back.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde::Serialize;
use serde::de::DeserializeOwned;
use wgpu_mlp::layers::Init;
use wgpu_mlp::metrics::ConfusionMatrix;
use wgpu_mlp::ops::{AdaGradOptions, AdamOptions, MomentumOptions, Reduction, RmsPropOptions, Statistics};
use wgpu_mlp::{
    ClassWeights, DebugOptions, Device, EarlyStopping, FitOptions, GpuOptions, History, LearningRate, MatmulKernel,
    Mlp, Monitor, Optimizer, Penalty, Schedule, ScheduleProgress, Shape,
};

fn there_and_back<T: Serialize + DeserializeOwned + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{value:?}"), format!("{back:?}"), "{text}");
}

#[test]
fn everything_comes_back_as_it_was() {
    let optimizers = [
        Optimizer::sgd(0.1),
        Optimizer::nesterov(0.1, 0.9),
        Optimizer::adagrad(0.1),
        Optimizer::rmsprop(0.1),
        Optimizer::adamw(1e-3, 1e-2),
    ];
    optimizers.iter().for_each(there_and_back);
    there_and_back(&FitOptions {
        optimizer: Optimizer::adamw(1e-3, 1e-2),
        schedule: Schedule::OnPlateau { factor: 0.1, patience: 3, threshold: 1e-4, minimum: 1e-6 },
        class_weights: ClassWeights::Each(vec![1.0, 0.5]),
        penalties: vec![Penalty { l2_weights: 1e-4, ..Default::default() }],
        clip_norm: Some(1.0),
        early_stopping: Some(EarlyStopping { monitor: Monitor::ValidationAccuracy, ..Default::default() }),
        ..Default::default()
    });
    there_and_back(&GpuOptions {
        tuning: Some("t".into()),
        debug: DebugOptions { matmul_kernel: Some(MatmulKernel::Narrow), ..Default::default() },
        ..Default::default()
    });
    there_and_back(&LearningRate { schedule: Schedule::Step { every: 3, factor: 0.5 }, warm_up_steps: 7 });
    there_and_back(&(Init::Glorot, Reduction::Sum, Shape { rows: 2, cols: 3 }));
    there_and_back(&Statistics { loss_sum: 0.1, rows: 7, first_bad_row: Some(3), ..Default::default() });
    there_and_back(&Statistics { loss_sum: f64::INFINITY, weight_sum: f64::NAN, ..Default::default() });
    there_and_back(&ScheduleProgress::default());
    there_and_back(Device::cpu().info());
    there_and_back(&Device::cpu().counters());
    let mut model = Mlp::new(&Device::cpu(), &[1, 2], 0).unwrap();
    let history: History = model.fit(ndarray::array![[0.0], [1.0]].view(), &[0u8, 1], &Default::default()).unwrap();
    there_and_back(&history);
    let mut broken = history.clone();
    broken.epochs[3].loss = f64::NAN;
    broken.epochs[4].validation_loss = Some(f64::NAN);
    broken.epochs[5].validation_loss = Some(f64::NEG_INFINITY);
    broken.epochs[6].accuracy = f64::NAN; // of an epoch that a callback ended before a row counted
    there_and_back(&broken);
    // Older reports and histories: numbers that are not finite were written as null.
    let progress = r#"{ "steps": 0, "epochs": 0, "best_loss": null, "stale_epochs": 0, "reductions": 0 }"#;
    assert_eq!(serde_json::from_str::<ScheduleProgress>(progress).unwrap(), ScheduleProgress::default());
    let matrix = ConfusionMatrix::new(&[0u8, 1, 1], &[0u8, 1, 0], 2).unwrap().with_names(["no", "yes"]).unwrap();
    there_and_back(&matrix);
    there_and_back(&matrix.report());
    there_and_back(&matrix.report().macro_average);
}

#[cfg(feature = "data")]
#[test]
fn options_for_data_come_back() {
    use wgpu_mlp::data::{Column, CsvOptions, SplitOptions};
    for label in [Column::Last, Column::Index(3), Column::Name("kind".into())] {
        there_and_back(&CsvOptions {
            delimiter: b';',
            header: Some(true),
            label,
            features: vec!["x".into()],
            skip: vec![Column::Last],
            classes: vec!["a".into()],
        });
    }
    there_and_back(&SplitOptions { test_fraction: 0.1, seed: 7, stratify: true });
    let options: CsvOptions = serde_json::from_str(r#"{ "label": { "Name": "kind" } }"#).unwrap();
    assert_eq!(options, CsvOptions { label: Column::Name("kind".into()), ..Default::default() });
    strict::<CsvOptions>();
    strict::<SplitOptions>();
}

#[cfg(feature = "parquet")]
#[test]
fn options_for_parquet_files_are_strict() {
    strict::<wgpu_mlp::data::ParquetOptions>();
}

/// An option that a file leaves out has its default, and an unknown name is an error that names it.
fn strict<T: Default + DeserializeOwned + std::fmt::Debug>() {
    let empty: T = serde_json::from_str("{}").unwrap();
    assert_eq!(format!("{empty:?}"), format!("{:?}", T::default()));
    let error = serde_json::from_str::<T>(r#"{ "no_such_option": 1 }"#).unwrap_err().to_string();
    assert!(error.contains("unknown field `no_such_option`"), "{error}");
}

#[test]
fn options_of_every_kind_are_strict() {
    strict::<FitOptions>();
    strict::<EarlyStopping>();
    strict::<Penalty>();
    strict::<LearningRate>();
    strict::<GpuOptions>();
    strict::<DebugOptions>();
    strict::<MomentumOptions>();
    strict::<AdaGradOptions>();
    strict::<RmsPropOptions>();
    strict::<AdamOptions>();
}

/// Otherwise a training would silently run without a number that its file gives, such as a momentum for SGD.
#[test]
fn optimizers_and_schedules_are_strict() {
    let read = |optimizer: &str, schedule: &str| {
        let text = format!(r#"{{ "optimizer": {optimizer}, "schedule": {schedule} }}"#);
        serde_json::from_str::<FitOptions>(&text).map_err(|error| error.to_string())
    };
    let (sgd, step) = (r#"{ "Sgd": { "learning_rate": 0.1 } }"#, r#"{ "Step": { "every": 2, "factor": 0.5 } }"#);
    let options = read(sgd, step).unwrap();
    assert_eq!((options.optimizer, options.schedule), (Optimizer::sgd(0.1), Schedule::Step { every: 2, factor: 0.5 }));
    let error = read(r#"{ "Sgd": { "learning_rate": 0.1, "momentum": 0.9 } }"#, step).unwrap_err();
    assert!(error.contains("unknown field `momentum`"), "{error}");
    let error = read(sgd, r#"{ "Exponential": { "factor": 0.5, "every": 2 } }"#).unwrap_err();
    assert!(error.contains("unknown field `every`"), "{error}");
}

/// A file may claim a shape that no matrix has.
#[test]
fn a_confusion_matrix_is_whole_or_none() {
    let read = |text: &str| serde_json::from_str::<ConfusionMatrix>(text).map_err(|error| error.to_string());
    let matrix = read(r#"{ "names": ["no", "yes"], "counts": [[3, 1], [0, 2]] }"#).unwrap();
    assert_eq!((matrix.accuracy(), matrix.support()), (5.0 / 6.0, vec![4, 2]));
    let rule = "confusion_matrix: there must be a row and a column for each name";
    assert_eq!(read(r#"{ "names": ["no"], "counts": [[3, 1]] }"#).unwrap_err(), format!("{rule}; got 1x2 and 1x1"));
    assert_eq!(read(r#"{ "names": ["a", "b"], "counts": [[3, 1]] }"#).unwrap_err(), format!("{rule}; got 1x2 and 2x2"));
    assert_eq!(
        read(r#"{ "names": ["a", "b"], "counts": [[3, 1], [2]] }"#).unwrap_err(),
        format!("{rule}; got 2x1 and 2x2")
    );
    assert!(read(r#"{ "names": ["a"], "counts": [[18446744073709551615]] }"#).unwrap_err().contains("rows"));
    assert_eq!(read(r#"{ "names": [], "counts": [] }"#).unwrap().accuracy(), 0.0);
}

#[test]
fn a_file_names_what_it_changes_and_nothing_unknown() {
    let options: FitOptions = serde_json::from_str(r#"{ "epochs": 3, "early_stopping": { "patience": 2 } }"#).unwrap();
    let stopping = Some(EarlyStopping { patience: 2, ..Default::default() });
    assert_eq!(options, FitOptions { epochs: 3, early_stopping: stopping, ..Default::default() });
    let error = serde_json::from_str::<FitOptions>(r#"{ "epoch": 3 }"#).unwrap_err().to_string();
    assert!(error.contains("unknown field `epoch`"), "{error}");
}
