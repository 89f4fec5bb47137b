//! Resumed trainings: from which checkpoints they go on, and what they take over.

#![allow(clippy::unwrap_used, reason = "tests")]

use wgpu_mlp::{Device, EarlyStopping, Error, FitOptions, History, Mlp, Monitor, Optimizer, Trainer};

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

/// Rows that are held back for the validation are such that the training has not seen.
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

/// The best epoch of a training without early stopping has no parameters to restore, and the best loss says nothing of accuracies.
#[test]
fn early_stopping_begins_anew_where_the_best_epoch_cannot_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (x, labels) = blobs(60, 5);
    let (x_held, held) = blobs(60, 9);
    let fit = |options: &FitOptions| -> (Mlp, History) {
        let mut trained = model();
        let trainer = Trainer::new(options).validation_set(x_held.view(), &held).checkpoint(&path).resume();
        let history = trainer.fit(&mut trained, x.view(), &labels).unwrap();
        (trained, history)
    };
    let stopping = |monitor| Some(EarlyStopping { monitor, patience: 3, ..Default::default() });
    // So fast that the loss goes up and down.
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
}

/// Another program may have the same key for something else.
#[test]
fn names_that_are_not_those_of_the_classes_are_left_out() {
    let bytes = model().with_class_names(["a", "b", "c"]).unwrap().to_bytes().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let written = r#"[\"a\",\"b\",\"c\"]"#;
    assert_eq!(text.matches(written).count(), 1, "{text}");
    // As long as what it replaces, so that no offset changes.
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
