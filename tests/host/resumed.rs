//! Resumed trainings: from which checkpoints they continue, and what they take from them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use ndarray::s;
use wgpu_mlp::{Device, EarlyStopping, Error, FitOptions, History, Mlp, Monitor, Optimizer, Schedule, Trainer};

use crate::training::{bits, blobs};

fn model() -> Mlp {
    Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap()
}

fn few(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch: 16, optimizer: Optimizer::adam(0.01), ..Default::default() }
}

#[test]
fn a_training_that_is_to_be_resumed_from_no_file_is_refused() {
    let (x, labels) = blobs(40, 5);
    let mut tried = model();
    let error = Trainer::new(&few(2)).resume().fit(&mut tried, x.view(), &labels).unwrap_err();
    assert!(matches!(error, Error::Combination { op: "fit", .. }), "{error}");
    assert_eq!(bits(&tried).unwrap(), bits(&model()).unwrap());
}

/// Rows that are held back for the validation are rows that the training has not seen.
#[test]
fn a_checkpoint_with_other_rows_to_validate_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x, labels) = blobs(40, 5);
    let fit = |options: &FitOptions, model: &mut Mlp| {
        Trainer::new(options).checkpoint(&path).resume().fit(model, x.view(), &labels)
    };
    let held = |validation_fraction, epochs| FitOptions { validation_fraction, ..few(epochs) };
    fit(&held(0.1, 2), &mut model()).unwrap();
    for other in [0.3, 0.0] {
        let mut tried = model();
        let error = fit(&held(other, 4), &mut tried).unwrap_err();
        assert!(matches!(&error, Error::Model { tensor, .. } if tensor == "run"), "{error}");
        assert_eq!(bits(&tried).unwrap(), bits(&model()).unwrap());
    }
    assert_eq!(fit(&held(0.1, 4), &mut model()).unwrap().epochs.len(), 4);
}

/// A new model after a training with a validation set, which goes on from this checkpoint if there is one.
fn validated(path: &Path, options: &FitOptions) -> (Mlp, History) {
    let ((x, labels), (x_held, held), mut trained) = (blobs(60, 5), blobs(60, 9), model());
    let trainer = Trainer::new(options).validation_set(x_held.view(), &held).checkpoint(path).resume();
    let history = trainer.fit(&mut trained, x.view(), &labels).unwrap();
    (trained, history)
}

/// The best epoch of a training without early stopping has no parameters to restore, and the best loss says nothing about
/// accuracies.
#[test]
fn early_stopping_begins_anew_where_the_best_epoch_cannot_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x_held, held) = blobs(60, 9);
    let fit = |options: &FitOptions| validated(&path, options);
    let stopping = |monitor| Some(EarlyStopping { monitor, patience: 3, ..Default::default() });
    // The rate is so high that the loss goes up and down.
    let wild = |epochs, early_stopping| FitOptions { optimizer: Optimizer::adam(0.3), early_stopping, ..few(epochs) };
    fit(&wild(6, None));
    let monitors = [Monitor::ValidationLoss, Monitor::ValidationAccuracy, Monitor::ValidationLoss];
    for (epochs, monitor) in [9, 12, 15].into_iter().zip(monitors) {
        let (trained, history) = fit(&wild(epochs, stopping(monitor)));
        let best = history.best_epoch.unwrap();
        assert!(best >= epochs - 3, "{best} was before the training was resumed");
        let (loss, wanted) = (trained.evaluate(x_held.view(), &held).unwrap().mean_loss(), &history.epochs[best]);
        assert_eq!(Some(loss), wanted.validation_loss, "{monitor:?}");
    }
}

/// A training without early stopping finds a better epoch and keeps none of its parameters: the parameters of the epoch that
/// was best before must not be used instead.
#[test]
fn an_epoch_that_is_the_best_no_longer_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x_held, held) = blobs(60, 9);
    let fit = |options: &FitOptions| validated(&path, options);
    let early_stopping = Some(EarlyStopping { patience: 9, ..Default::default() });
    let (_, first) = fit(&FitOptions { early_stopping, ..few(2) });
    let (_, second) = fit(&few(5));
    assert!(first.best_epoch.is_some() && second.best_epoch > first.best_epoch, "{second}");
    // With this rate nothing changes any more, so no epoch is better.
    let (trained, third) = fit(&FitOptions { optimizer: Optimizer::adam(0.0), early_stopping, ..few(7) });
    let (loss, wanted) = (trained.evaluate(x_held.view(), &held).unwrap(), &third.epochs[third.best_epoch.unwrap()]);
    assert_eq!(Some(loss.mean_loss()), wanted.validation_loss);
}

/// Without a validation the best epoch is the one with the lowest training loss, which says nothing about a validation loss.
#[test]
fn a_validation_that_comes_later_is_not_compared_with_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x, labels) = blobs(60, 5);
    // These labels are wrong: the better the model knows the right ones, the higher is the loss with these.
    let wrong: Vec<u8> = labels.iter().map(|label| (label + 1) % 3).collect();
    let schedule = Schedule::OnPlateau { factor: 0.5, patience: 0, threshold: 0.0, minimum: 0.0 };
    let alone = FitOptions { schedule, ..few(3) };
    Trainer::new(&alone).checkpoint(&path).fit(&mut model(), x.view(), &labels).unwrap();
    let stopping = EarlyStopping { patience: 2, restore_best: false, ..Default::default() };
    let options = FitOptions { epochs: 9, early_stopping: Some(stopping), ..alone };
    let trainer = Trainer::new(&options).validation_set(x.view(), &wrong).checkpoint(&path).resume();
    let history = trainer.fit(&mut model(), x.view(), &labels).unwrap();
    assert!(history.best_epoch.is_some_and(|best| best >= 3), "{:?}", history.best_epoch);
    assert_eq!(history.epochs[3].learning_rate, history.epochs[4].learning_rate, "{history}");
}

/// Epochs that were not the best count towards the patience: a resumed training ends when it would have ended without the
/// interruption.
#[test]
fn epochs_of_nan_are_waited_for_across_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (mut x, labels) = blobs(60, 5);
    x.column_mut(0).fill(f32::INFINITY);
    let early_stopping = Some(EarlyStopping { patience: 4, ..Default::default() });
    let fit = |epochs| {
        let careless =
            FitOptions { early_stopping, stop_on_non_finite: false, validation_fraction: 0.25, ..few(epochs) };
        let trainer = Trainer::new(&careless).checkpoint(&path).resume();
        trainer.fit(&mut model(), x.view(), &labels).unwrap()
    };
    assert_eq!((fit(2).epochs.len(), fit(20).epochs.len(), fit(20).best_epoch), (2, 4, None));
}

#[test]
fn what_a_checkpoint_differs_in_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x, labels) = blobs(40, 5);
    Trainer::new(&few(1)).checkpoint(&path).fit(&mut model(), x.view(), &labels).unwrap();
    let told = |options: &FitOptions, rows: usize, what: &str| {
        let trainer = Trainer::new(options).checkpoint(&path).resume();
        let error = trainer.fit(&mut model(), x.slice(s![..rows, ..]), &labels[..rows]).unwrap_err().to_string();
        assert_eq!(error, format!("{}: tensor run: must be of a training with {what}", path.display()));
    };
    told(&few(2), 39, "as many rows");
    told(&FitOptions { batch: 15, ..few(2) }, 40, "the same batch");
    told(&FitOptions { seed: 1, ..few(2) }, 40, "the same seed");
    let held = "as many rows to train on, and as many held back to validate";
    told(&FitOptions { validation_fraction: 0.1, ..few(2) }, 40, held);
}

/// A training that stops early ends with the parameters of its best epoch. Its checkpoint has these, too, beside those of the
/// last epoch.
#[test]
fn the_best_and_the_last_epoch_of_a_checkpoint_can_be_loaded() {
    let (folder, cpu) = (tempfile::tempdir().unwrap(), Device::cpu());
    let [path, without, saved] = ["run", "without", "saved"].map(|name| folder.path().join(name));
    let early_stopping = Some(EarlyStopping { patience: 3, ..Default::default() });
    let options = FitOptions { optimizer: Optimizer::adam(0.3), early_stopping, ..few(500) };
    let (best, history) = validated(&path, &options);
    let epochs = history.epochs.len();
    let (last, _) = validated(&without, &FitOptions { epochs, early_stopping: None, ..options });
    assert_ne!(bits(&best).unwrap(), bits(&last).unwrap());
    assert_eq!(bits(&Mlp::load(&cpu, &path).unwrap()).unwrap(), bits(&last).unwrap());
    assert_eq!(bits(&Mlp::load_best(&cpu, &path).unwrap()).unwrap(), bits(&best).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bits(&Mlp::best_from_bytes(&cpu, &bytes).unwrap()).unwrap(), bits(&best).unwrap());
    best.save(&saved).unwrap();
    for path in [&without, &saved] {
        let error = Mlp::load_best(&cpu, path).unwrap_err();
        assert!(matches!(&error, Error::Model { tensor, .. } if tensor == "best.0.weights"), "{error}");
        assert!(error.to_string().contains("with EarlyStopping::restore_best"), "{error}");
    }
}

/// All layers of the model are in the checkpoint of a deeper one, with their shapes.
#[test]
fn a_checkpoint_of_a_model_with_more_layers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x, labels) = blobs(40, 5);
    Trainer::new(&few(1)).checkpoint(&path).fit(&mut model(), x.view(), &labels).unwrap();
    let shallow = || Mlp::new(&Device::cpu(), &[4, 8], 1).unwrap();
    let mut tried = shallow();
    let error = Trainer::new(&few(2)).checkpoint(&path).resume().fit(&mut tried, x.view(), &labels).unwrap_err();
    assert!(matches!(&error, Error::Model { tensor, .. } if tensor == "model.1.biases"), "{error}");
    assert_eq!(bits(&tried).unwrap(), bits(&shallow()).unwrap());
}

#[test]
fn the_names_of_classes_go_through_files_trainings_and_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("run"), folder.path().join("model.safetensors"));
    let (x, labels) = blobs(40, 5);
    let names = ["cat", "dog", "a \"bird\"\u{2028}"];
    let mut named = model().with_class_names(names).unwrap();
    let options = FitOptions { early_stopping: Some(EarlyStopping::default()), validation_fraction: 0.2, ..few(2) };
    Trainer::new(&options).checkpoint(&path).fit(&mut named, x.view(), &labels).unwrap();
    assert_eq!(named.class_names(), names);
    assert_eq!(Mlp::load(&Device::cpu(), &path).unwrap().class_names(), names);
    let four = FitOptions { epochs: 4, ..options };
    Trainer::new(&four).checkpoint(&path).resume().fit(&mut named, x.view(), &labels).unwrap();
    named.reset(Default::default(), 2).unwrap();
    let moved = named.to_device(&Device::cpu()).unwrap();
    moved.save(&file).unwrap();
    let loaded = Mlp::load(&Device::cpu(), &file).unwrap();
    assert_eq!(loaded.class_names(), names);
    assert_eq!(loaded.confusion_matrix(x.view(), &labels).unwrap().names(), names);
    assert!(model().class_names().is_empty());
    let error = model().with_class_names(["one"]).unwrap_err();
    assert!(matches!(error, Error::Shape { op: "class_names", .. }), "{error}");
    // A list that is refused costs neither the model nor its names.
    let mut kept = loaded;
    let error = kept.set_class_names(["one"]).unwrap_err();
    assert!(matches!(error, Error::Shape { op: "class_names", .. }), "{error}");
    assert_eq!(kept.class_names(), names);
    kept.set_class_names(["a", "b", "c"]).unwrap();
    assert_eq!(kept.class_names(), ["a", "b", "c"]);
    assert_eq!(kept.parameters().unwrap(), moved.parameters().unwrap());
}

/// The program that resumes a training need not name the classes again; names of its own stay.
#[test]
fn a_resumed_training_keeps_the_names_of_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x, labels) = blobs(40, 5);
    let (names, others) = (["cat", "dog", "bird"], ["a", "b", "c"]);
    let fit = |epochs, mut model: Mlp| {
        Trainer::new(&few(epochs)).checkpoint(&path).resume().fit(&mut model, x.view(), &labels).unwrap();
        model
    };
    fit(1, model().with_class_names(names).unwrap());
    assert_eq!(fit(2, model()).class_names(), names);
    assert_eq!(Mlp::load(&Device::cpu(), &path).unwrap().class_names(), names);
    let mut resumed = model();
    let bytes = std::fs::read(&path).unwrap();
    Trainer::new(&few(3)).resume_from(&bytes).fit(&mut resumed, x.view(), &labels).unwrap();
    assert_eq!(resumed.class_names(), names);
    assert_eq!(fit(3, model().with_class_names(others).unwrap()).class_names(), others);
    assert_eq!(Mlp::load(&Device::cpu(), &path).unwrap().class_names(), others);
}

/// Another program may use the same key for another purpose.
#[test]
fn names_that_are_not_those_of_the_classes_are_left_out() {
    let bytes = model().with_class_names(["a", "b", "c"]).unwrap().to_bytes().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let written = r#"[\"a\",\"b\",\"c\"]"#;
    assert_eq!(text.matches(written).count(), 1, "{text}");
    // This text is as long as the one that it replaces, so that no offset changes.
    for other in [r#"[\"a\",\"b\",\"c\"}"#, r#"[\"a\",\"b_____c\"]"#, "a, b, c, d, e, f, g"] {
        let place = bytes.windows(written.len()).position(|window| window == written.as_bytes()).unwrap();
        assert_eq!(other.len(), written.len(), "{other}");
        let mut changed = bytes.clone();
        changed[place..place + other.len()].copy_from_slice(other.as_bytes());
        let loaded = Mlp::from_bytes(&Device::cpu(), &changed).unwrap();
        assert!(loaded.class_names().is_empty(), "{other}");
        assert_eq!(bits(&loaded).unwrap(), bits(&model()).unwrap());
    }
}
