//! A call that is refused changes nothing: neither the model, nor the state of its partial fits, nor its last copy.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;
use std::path::PathBuf;

use ndarray::Array2;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::layers::Init;
use wgpu_mlp::{
    ClassWeights, Device, Epoch, Error, FitOptions, Matrix, Mlp, Optimizer, OptimizerSnapshot, OptimizerState, Penalty,
    Plan, Result, Schedule, StepOptions, Targets, Trainer,
};

use crate::training::{self, blobs};

fn model() -> Mlp {
    Mlp::new(&Device::cpu(), &[4, 8, 3], 1).unwrap()
}

fn few() -> FitOptions {
    FitOptions { epochs: 2, batch: 16, optimizer: Optimizer::adam(1e-3), warm_up_steps: 9, ..Default::default() }
}

/// Options with which a model of two layers and three classes cannot be trained.
fn refused() -> Vec<FitOptions> {
    let plateau = Schedule::OnPlateau { factor: 2.0, patience: 1, threshold: 0.0, minimum: 0.0 };
    vec![
        FitOptions { batch: 0, ..few() },
        FitOptions { label_smoothing: 2.0, ..few() },
        FitOptions { label_smoothing: f32::NAN, ..few() },
        FitOptions { dropout: 1.0, ..few() },
        FitOptions { clip_norm: Some(0.0), ..few() },
        FitOptions { penalties: vec![Penalty::default(); 3], ..few() },
        FitOptions { penalties: vec![Penalty { l1_weights: -1.0, ..Default::default() }], ..few() },
        FitOptions { schedule: plateau, ..few() },
        FitOptions { optimizer: Optimizer::sgd(f64::NAN), ..few() },
        FitOptions { class_weights: ClassWeights::Each(vec![1.0; 2]), ..few() },
    ]
}

#[test]
fn options_change_neither_the_model_nor_its_partial_fits() {
    let (x, labels) = blobs(40, 5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    Trainer::new(&few()).checkpoint(&path).fit(&mut model(), x.view(), &labels).unwrap();
    let (mut tried, mut other) = (model(), model());
    for model in [&mut tried, &mut other] {
        model.partial_fit(x.view(), &labels, &few()).unwrap();
    }
    let before = training::bits(&tried).unwrap();
    for options in refused() {
        let resumed = Trainer::new(&options).checkpoint(&path).resume().fit(&mut tried, x.view(), &labels);
        let partial = tried.partial_fit(x.view(), &labels, &options);
        for error in [resumed.unwrap_err(), partial.unwrap_err()] {
            assert!(matches!(error, Error::Option { .. } | Error::Shape { .. }), "{error}");
        }
        assert_eq!(training::bits(&tried).unwrap(), before, "{options:?}");
    }
    // Both continue from the state of the first call.
    let [one, same] = [&mut tried, &mut other].map(|model| model.partial_fit(x.view(), &labels, &few()).unwrap());
    assert_eq!((one.index, one.loss, one.learning_rate), (1, same.loss, same.learning_rate));
    assert_eq!(training::bits(&tried).unwrap(), training::bits(&other).unwrap());
}

#[test]
fn plans_and_steps_refuse_what_trainings_do() {
    let device = Device::cpu();
    for options in refused() {
        let plan = Plan::training_step(&device, &[4, 8, 3], &options);
        assert!(matches!(plan, Err(Error::Option { .. } | Error::Shape { .. })), "{options:?}");
    }
    let x = Matrix::zeros(&device, 2, 4).unwrap();
    let y = Targets::classes(&device, &[0u8, 1], 3).unwrap();
    for dropout in [f32::NAN, -0.5, 1.0] {
        let (mut model, options) = (model(), StepOptions { dropout, ..Default::default() });
        let step = model.train_step_with(&x, &y, &options, &mut OptimizerState::new(Optimizer::sgd(0.1)));
        assert!(matches!(step, Err(Error::Option { op: "dropout", .. })), "{dropout}");
    }
}

#[test]
fn the_copy_on_the_host_is_that_of_the_last_step_behind_an_error() {
    let (x, labels) = blobs(40, 5);
    let mut fails = |_: &Mlp, epoch: &Epoch| match epoch.index {
        1 => Err(Error::Option { op: "a callback", option: "epoch", rule: "another", value: 1.0 }),
        _ => Ok(ControlFlow::Continue(())),
    };
    let mut trained = model();
    let untrained = training::bits(&trained).unwrap();
    Trainer::new(&few()).callback(&mut fails).fit(&mut trained, x.view(), &labels).unwrap_err();
    assert_eq!(trained.last_copy(), trained.parameters().unwrap());
    assert_ne!(training::bits(&trained).unwrap(), untrained);
}

#[test]
fn shapes_that_no_memory_holds() {
    let adam = || OptimizerState::new(Optimizer::adam(1e-3));
    for shape in [(usize::MAX, 2), (usize::MAX, 0), (1 << 40, 1 << 20)] {
        assert!(matches!(adam().export(&[shape]), Err(Error::HostMemory { op: "export", .. })), "{shape:?}");
    }
    let huge = Mlp::with_init(&Device::cpu(), &[usize::MAX, 3], Init::Glorot, 0);
    assert!(matches!(huge, Err(Error::HostMemory { .. })));
    assert!(Init::Glorot.standard_deviation(usize::MAX, usize::MAX) > 0.0);
}

#[test]
fn counts_of_steps_that_cannot_be_are_refused() {
    let of = |steps| OptimizerSnapshot { step: 3, steps, slots: vec![vec![Array2::zeros((1, 1)); 2]; 2] };
    let refused = |steps: Vec<u64>, words: &str| {
        let error = OptimizerState::restore(Optimizer::adam(0.1), of(steps)).unwrap_err();
        assert_eq!(error.to_string(), format!("restore: steps must be {words}"));
    };
    refused(vec![3], "none, or one for each parameter; got 1");
    refused(vec![3, 4], "no more than the steps of all; got 4");
    let whole = OptimizerState::restore(Optimizer::adam(0.1), of(vec![3, 1])).unwrap();
    assert_eq!(whole.export(&[(1, 1); 2]).unwrap(), of(vec![3, 1]));
}

/// An optimizer without slots, such as SGD, knows the shapes of its parameters too.
#[test]
fn a_state_serves_the_parameters_that_it_began_with() {
    let step = |state: &mut OptimizerState, shapes: &[(usize, usize)]| {
        let zeros = |(rows, cols): &(usize, usize)| Matrix::zeros(&Device::cpu(), *rows, *cols).unwrap();
        let mut parameters: Vec<_> = shapes.iter().map(zeros).collect();
        let gradients = parameters.clone();
        state.step(parameters.iter_mut().zip(&gradients))
    };
    for optimizer in [Optimizer::sgd(0.1), Optimizer::adam(0.1)] {
        let mut state = OptimizerState::new(optimizer);
        step(&mut state, &[(1, 2), (3, 1)]).unwrap();
        for wrong in [&[(1, 2)][..], &[(1, 2), (1, 3)], &[(1, 2), (3, 1), (1, 1)], &[]] {
            let error = state.export(wrong).unwrap_err();
            assert!(matches!(error, Error::Shape { op: "export", .. }), "{optimizer:?}, {wrong:?}: {error}");
        }
        for wrong in [&[(2, 1)][..], &[(1, 2), (1, 3)]] {
            let error = step(&mut state, wrong).unwrap_err();
            assert!(matches!(error, Error::Shape { op: "sgd" | "adam", .. }), "{optimizer:?}, {wrong:?}: {error}");
        }
        // The first of them may take a step without the other.
        step(&mut state, &[(1, 2)]).unwrap();
        let snapshot = state.export(&[(1, 2), (3, 1)]).unwrap();
        assert_eq!((snapshot.step, &snapshot.steps[..]), (2, &[2, 1][..]));
        let restored = || OptimizerState::restore(optimizer, snapshot.clone()).unwrap();
        for wrong in [&[(1, 2)][..], &[(1, 2), (3, 1), (1, 1)]] {
            for error in [restored().export(wrong).unwrap_err(), step(&mut restored(), wrong).unwrap_err()] {
                let expected = match error {
                    Error::Option { option: "steps", value: 2.0, .. } => optimizer.slots().is_empty(),
                    Error::Shape { .. } => !optimizer.slots().is_empty(),
                    _ => false,
                };
                assert!(expected, "{optimizer:?}, {wrong:?}: {error}");
            }
        }
        step(&mut restored(), &[(1, 2), (3, 1)]).unwrap();
    }
}

#[test]
fn calls_over_one_rank_refuse_what_calls_without_do() -> Result<()> {
    let (ranks, none) = (Ranks::alone(), Array2::<f32>::zeros((0, 4)));
    let labels: [u8; 0] = [];
    assert!(matches!(model().predict_over(&ranks, none.view()), Err(Error::Empty { .. })));
    assert!(matches!(model().evaluate_over(&ranks, none.view(), &labels), Err(Error::Empty { .. })));
    assert!(matches!(model().confusion_matrix_over(&ranks, none.view(), &labels), Err(Error::Empty { .. })));
    Ok(())
}

/// Otherwise the error would come when the first checkpoint is written, after an epoch.
#[test]
fn a_checkpoint_without_a_place_is_refused_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, (x, labels)) = (folder.path().join("missing/run"), blobs(40, 5));
    // Folders, and a path that names nothing, can hold no file either.
    let paths = [missing, folder.path().into(), folder.path().join(".."), PathBuf::new()];
    for (path, resumes) in paths.into_iter().flat_map(|path| [(path.clone(), false), (path, true)]) {
        let (mut tried, options) = (model(), few());
        let trainer = Trainer::new(&options).checkpoint(&path);
        let trainer = if resumes { trainer.resume() } else { trainer };
        let error = trainer.fit(&mut tried, x.view(), &labels).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error}");
        assert_eq!(training::bits(&tried).unwrap(), training::bits(&model()).unwrap(), "{error}");
    }
}

/// Folders in which nobody can make a file: one of the system's, and one that is missing behind a link. Only a folder has a name with
/// a slash at the end.
#[cfg(target_os = "linux")]
#[test]
fn a_checkpoint_in_a_folder_that_takes_no_files_is_refused_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let (link, good, (x, labels)) = (folder.path().join("link"), folder.path().join("good"), blobs(40, 5));
    std::os::unix::fs::symlink(folder.path().join("missing/run"), &link).unwrap();
    for path in [PathBuf::from("/proc/run"), link, folder.path().join("slash/")] {
        let (mut tried, options) = (model(), few());
        let error = Trainer::new(&options).checkpoint(&path).fit(&mut tried, x.view(), &labels).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error}");
        assert_eq!(training::bits(&tried).unwrap(), training::bits(&model()).unwrap(), "{error}");
    }
    // Where a file can be made, trying leaves nothing behind, and a file that is there stays as it is.
    std::fs::write(&good, "old").unwrap();
    let (none, options) = (FitOptions { epochs: 0, ..few() }, few());
    Trainer::new(&none).checkpoint(&good).fit(&mut model(), x.view(), &labels).unwrap();
    assert_eq!(std::fs::read(&good).unwrap(), b"old");
    Trainer::new(&none).checkpoint(folder.path().join("new")).fit(&mut model(), x.view(), &labels).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the link and the file");
    Trainer::new(&options).checkpoint(&good).fit(&mut model(), x.view(), &labels).unwrap();
    assert!(Mlp::load(&Device::cpu(), &good).is_ok());
}

/// If it is unknown whether a checkpoint exists, this does not count as no checkpoint.
#[cfg(unix)]
#[test]
fn a_checkpoint_out_of_reach_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let (x, labels) = blobs(40, 5);
    for path in [folder.path().join("file/run"), folder.path().join("x".repeat(300))] {
        let mut tried = model();
        let error = Trainer::new(&few()).checkpoint(&path).resume().fit(&mut tried, x.view(), &labels).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error}");
        assert_eq!(training::bits(&tried).unwrap(), training::bits(&model()).unwrap(), "{error}");
    }
}
