//! Model files: a saved model is loaded with the same bits; a file that is not a model is refused with the names of the
//! file and the tensor. (broken_models has files with false claims.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::Array2;
use safetensors::{Dtype, SafeTensors};
use tempfile::{TempDir, tempdir};
use wgpu_mlp::{Device, Error, FitOptions, Mlp, Trainer};

/// A model of three layers that has seen some training.
fn model() -> Mlp {
    let mut model = Mlp::new(&Device::cpu(), &[5, 7, 4, 3], 1).unwrap();
    let x = Array2::from_shape_fn((12, 5), |(r, c)| ((r * 5 + c) as f32).sin());
    let labels: Vec<u8> = (0..12).map(|row| row % 3).collect();
    model.fit(x.view(), &labels, &FitOptions { epochs: 3, batch: 5, ..Default::default() }).unwrap();
    model
}

pub(super) fn parameters(model: &Mlp) -> Vec<Array2<f32>> {
    let layers = model.layers().iter();
    layers.flat_map(|layer| [layer.weights(), layer.biases()]).map(|matrix| matrix.to_array().unwrap()).collect()
}

fn saved(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("model.safetensors");
    model().save(&path).unwrap();
    path
}

fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes the bytes to a file and loads it. The message of any error must begin with the file's name.
pub(super) fn load(dir: &TempDir, bytes: &[u8]) -> Result<Mlp, Error> {
    let path = dir.path().join("tried.safetensors");
    fs::write(&path, bytes).unwrap();
    Mlp::load(&Device::cpu(), &path).inspect_err(|error| {
        let words = error.to_string();
        assert!(words.starts_with(&format!("{}: ", path.display())), "no file in {words:?}");
    })
}

#[test]
fn what_is_saved_comes_back_bit_by_bit() {
    let dir = tempdir().unwrap();
    let (model, path) = (model(), saved(&dir));
    let back = Mlp::load(&Device::cpu(), &path).unwrap();
    let bits = |model: &Mlp| -> Vec<u32> { parameters(model).iter().flatten().map(|x| x.to_bits()).collect() };
    assert_eq!(bits(&back), bits(&model));
    assert_eq!((back.inputs(), back.classes(), back.layers().len()), (5, 3, 3));
    let x = Array2::from_shape_fn((9, 5), |(r, c)| (r as f32 - c as f32).cos());
    assert_eq!(back.predict_proba(x.view()).unwrap(), model.predict_proba(x.view()).unwrap());
    let again = dir.path().join("again.safetensors");
    back.save(&again).unwrap();
    assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
    assert_eq!(names_in(dir.path()), ["again.safetensors", "model.safetensors"]);
}

#[test]
fn names_and_layout_are_those_of_pytorch() {
    let dir = tempdir().unwrap();
    let (model, bytes) = (model(), fs::read(saved(&dir)).unwrap());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort();
    assert_eq!(names, ["0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight"]);
    let values = |name: &str| -> Vec<f32> {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32);
        tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    for (index, layer) in model.layers().iter().enumerate() {
        let (weights, biases) = (layer.weights().to_array().unwrap(), layer.biases().to_array().unwrap());
        let (inputs, outputs) = weights.dim();
        let name = |part| format!("{}.{part}", 2 * index);
        assert_eq!(file.tensor(&name("weight")).unwrap().shape(), [outputs, inputs]);
        assert_eq!(file.tensor(&name("bias")).unwrap().shape(), [outputs]);
        assert_eq!(values(&name("weight")), weights.t().iter().copied().collect::<Vec<_>>());
        assert_eq!(values(&name("bias")), biases.iter().copied().collect::<Vec<_>>());
    }
}

#[test]
fn a_relative_path() {
    const CHILD: &str = "WGPU_MLP_CHILD";
    if std::env::var_os(CHILD).is_some() {
        for path in ["plain.safetensors", "./dotted.safetensors", "below/deep.safetensors"] {
            model().save(path).unwrap();
            assert_eq!(parameters(&Mlp::load(&Device::cpu(), path).expect(path)), parameters(&model()));
        }
        return;
    }
    // A process has one current directory for all its threads: so this test runs again in a process of its own.
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("below")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "files::a_relative_path"]).env(CHILD, "1").current_dir(dir.path());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(names_in(dir.path()), ["below", "dotted.safetensors", "plain.safetensors"]);
}

#[test]
fn a_failing_save_leaves_everything_as_it_was() {
    let dir = tempdir().unwrap();
    let path = saved(&dir);
    let before = fs::read(&path).unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    let folder = dir.path().join("folder");
    for bad in [dir.path().join("missing/model.safetensors"), path.join("below-a-file"), folder.clone()] {
        let error = model().save(&bad).unwrap_err();
        assert!(matches!(&error, Error::File { path, .. } if *path == bad), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{}: ", bad.display())), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!((names_in(dir.path()), names_in(&folder)), (vec!["folder".into(), "model.safetensors".into()], vec![]));
}

#[test]
fn a_save_replaces_what_was_there() {
    let dir = tempdir().unwrap();
    let path = saved(&dir);
    fs::write(&path, vec![b'x'; 100_000]).unwrap();
    model().save(&path).unwrap();
    assert_eq!(parameters(&Mlp::load(&Device::cpu(), &path).unwrap()), parameters(&model()));
    assert_eq!(names_in(dir.path()), ["model.safetensors"]);
}

#[cfg(unix)]
#[test]
fn others_may_read_a_model_as_any_other_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "text").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(format!("{:o}", mode(&saved(&dir))), format!("{:o}", mode(&plain)));
}

#[test]
fn what_is_no_file() {
    let dir = tempdir().unwrap();
    for path in [dir.path().join("missing"), dir.path().into(), "\0".into()] {
        let error = Mlp::load(&Device::cpu(), &path).unwrap_err();
        assert!(matches!(&error, Error::File { path: named, .. } if *named == path), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
    }
}

#[test]
fn a_checkpoint_gives_its_model() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("run.checkpoint");
    let x = Array2::from_shape_fn((12, 5), |(r, c)| ((r * 5 + c) as f32).sin());
    let labels: Vec<u8> = (0..12).map(|row| row % 3).collect();
    let mut model = Mlp::new(&Device::cpu(), &[5, 7, 4, 3], 1).unwrap();
    let options = FitOptions { epochs: 3, batch: 5, ..Default::default() };
    Trainer::new(&options).checkpoint(&path).fit(&mut model, x.view(), &labels).unwrap();
    let loaded = Mlp::load(&Device::cpu(), &path).unwrap();
    assert_eq!(parameters(&loaded), parameters(&model));
    let whole = fs::read(&path).unwrap();
    for length in [0, 8, 100, whole.len() - 1] {
        assert!(matches!(load(&dir, &whole[..length]), Err(Error::Format { .. })), "{length}");
    }
}
