//! Models and checkpoints as bytes: the bytes of the files, with the same checks and the same bits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use wgpu_mlp::{Device, EarlyStopping, Epoch, Error, FitOptions, History, Mlp, Monitor, Optimizer, Result, Trainer};

use super::files::parameters;

/// The start of every error about bytes.
const NAME: &str = "the given bytes: ";

fn data() -> (Array2<f32>, Vec<u8>) {
    let x = Array2::from_shape_fn((24, 5), |(row, col)| ((row * 5 + col) as f32).sin());
    (x, (0..24).map(|row| row % 3).collect())
}

fn model() -> Mlp {
    Mlp::new(&Device::cpu(), &[5, 7, 3], 1).unwrap()
}

/// Options whose checkpoints have all kinds of tensors: slots of the optimizer, and the best epoch's parameters.
fn options(epochs: usize) -> FitOptions {
    let early_stopping = Some(EarlyStopping { monitor: Monitor::Loss, patience: 100, ..Default::default() });
    FitOptions { epochs, batch: 7, optimizer: Optimizer::adam(1e-2), early_stopping, ..Default::default() }
}

fn bits(model: &Mlp) -> Vec<u32> {
    parameters(model).iter().flatten().map(|value| value.to_bits()).collect()
}

/// The losses and the best epoch.
fn course(history: &History) -> (Vec<f64>, Option<usize>) {
    (history.epochs.iter().map(|epoch| epoch.loss).collect(), history.best_epoch)
}

#[test]
fn a_model_as_bytes_is_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let (model, cpu) = (model(), Device::cpu());
    model.save(&path).unwrap();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(bytes, fs::read(&path).unwrap());
    assert_eq!(pollster::block_on(model.to_bytes_async()).unwrap(), bytes);
    assert_eq!(bits(&Mlp::from_bytes(&cpu, &bytes).unwrap()), bits(&model));
    // The bytes may be at any address.
    let moved = [&[0], &bytes[..]].concat();
    assert_eq!(bits(&Mlp::from_bytes(&cpu, &moved[1..]).unwrap()), bits(&model));
}

#[test]
fn bytes_are_refused_as_files_are() {
    let (dir, cpu, bytes) = (tempfile::tempdir().unwrap(), Device::cpu(), model().to_bytes().unwrap());
    let path = dir.path().join("tried");
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
    let changed = (0..header).map(|place| {
        let mut changed = bytes.clone();
        changed[place] ^= 4;
        changed
    });
    let longer = [&bytes[..], &[0]].concat();
    for tried in cut.chain(changed).chain([longer, vec![0xff; 64], vec![0; 8]]) {
        fs::write(&path, &tried).unwrap();
        match (Mlp::from_bytes(&cpu, &tried), Mlp::load(&cpu, &path)) {
            (Ok(model), Ok(loaded)) => assert_eq!(bits(&model), bits(&loaded)),
            (Err(error), Err(of_file)) => {
                let words = error.to_string();
                assert!(words.starts_with(NAME), "{words}");
                assert_eq!(words.replacen(NAME, "", 1), of_file.to_string().split_once(": ").unwrap().1);
                let named = |path: &Path| assert_eq!(path, Path::new("the given bytes"));
                match error {
                    Error::Format { path, .. } | Error::Model { path, .. } => named(&path),
                    other => panic!("{other:?}"),
                }
            }
            (bytes, file) => panic!("{bytes:?} and {file:?}"),
        }
    }
}

#[test]
fn the_program_gets_every_checkpoint_that_the_file_gets() {
    let (dir, (x, labels)) = (tempfile::tempdir().unwrap(), data());
    let path = dir.path().join("run.checkpoint");
    let (mut kept, mut files) = (Vec::new(), Vec::new());
    let mut keep = |bytes: &[u8]| {
        kept.push(bytes.to_vec());
        Ok(())
    };
    let mut read = |_: &Mlp, _: &Epoch| {
        files.push(fs::read(&path).unwrap());
        Ok(ControlFlow::Continue(()))
    };
    let options = options(3);
    let trainer = Trainer::new(&options).checkpoint(&path).checkpoint_to(&mut keep).callback(&mut read);
    let mut trained = model();
    trainer.fit(&mut trained, x.view(), &labels).unwrap();
    assert_eq!((kept.len(), &kept), (3, &files));
    // A checkpoint is also a model.
    let last = Mlp::from_bytes(&Device::cpu(), &kept[2]).unwrap();
    assert_eq!((last.inputs(), last.classes()), (5, 3));
}

#[test]
fn a_training_resumed_from_bytes_ends_with_the_same_bits() {
    let (x, labels) = data();
    let mut whole = model();
    let history = Trainer::new(&options(6)).fit(&mut whole, x.view(), &labels).unwrap();
    let mut kept = Vec::new();
    let mut keep = |bytes: &[u8]| {
        kept = bytes.to_vec();
        Ok(())
    };
    let first = options(4);
    Trainer::new(&first).checkpoint_to(&mut keep).fit(&mut model(), x.view(), &labels).unwrap();
    let rest = options(6);
    let other = || Mlp::new(&Device::cpu(), &[5, 7, 3], 99).unwrap(); // the checkpoint has the right weights
    let (mut resumed, mut awaited) = (other(), other());
    let resume = || Trainer::new(&rest).resume_from(&kept);
    let second = resume().fit(&mut resumed, x.view(), &labels).unwrap();
    let third = pollster::block_on(resume().fit_async(&mut awaited, x.view(), &labels)).unwrap();
    assert_eq!((bits(&resumed), bits(&awaited)), (bits(&whole), bits(&whole)));
    assert_eq!((course(&second), course(&third)), (course(&history), course(&history)));
    // Bytes take precedence over a file: no training could be resumed from this file.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.checkpoint");
    fs::write(&path, "no checkpoint").unwrap();
    let mut resumed = other();
    resume().checkpoint(&path).resume().fit(&mut resumed, x.view(), &labels).unwrap();
    assert_eq!(bits(&resumed), bits(&whole));
    assert_ne!(fs::read(&path).unwrap(), b"no checkpoint");
}

#[test]
fn bytes_that_are_no_checkpoint_leave_the_model_as_it_was() {
    let ((x, labels), mut kept) = (data(), Vec::new());
    let mut keep = |bytes: &[u8]| {
        kept = bytes.to_vec();
        Ok(())
    };
    let (first, rest) = (options(2), options(3));
    Trainer::new(&first).checkpoint_to(&mut keep).fit(&mut model(), x.view(), &labels).unwrap();
    let refused = |options: &FitOptions, bytes: &[u8]| {
        let mut model = model();
        let before = bits(&model);
        let error = Trainer::new(options).resume_from(bytes).fit(&mut model, x.view(), &labels).unwrap_err();
        assert_eq!(bits(&model), before);
        assert!(error.to_string().starts_with(NAME), "{error}");
        error
    };
    for length in [0, 7, 100, kept.len() - 1] {
        assert!(matches!(refused(&rest, &kept[..length]), Error::Format { .. }), "{length} bytes");
    }
    let another = FitOptions { seed: 5, ..rest.clone() };
    assert!(matches!(refused(&another, &kept), Error::Model { tensor, .. } if tensor == "run"));
    assert!(matches!(refused(&rest, &model().to_bytes().unwrap()), Error::Model { .. }));
}

#[test]
fn an_error_of_the_program_ends_the_training() {
    let (x, labels) = data();
    let mut calls = 0;
    let mut keep = |_: &[u8]| -> Result<()> {
        calls += 1;
        Err(Error::File { path: "the page's storage".into(), source: io::ErrorKind::StorageFull.into() })
    };
    let error = Trainer::new(&options(5)).checkpoint_to(&mut keep).fit(&mut model(), x.view(), &labels).unwrap_err();
    assert!(error.to_string().starts_with("the page's storage: "), "{error}");
    assert_eq!(calls, 1);
}
