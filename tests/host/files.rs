//! Model files: what is saved comes back, bit by bit; what is no model is refused with the file's name and the
//! tensor's. (Files that lie: broken_models.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array2, array};
use safetensors::tensor::{TensorView, serialize};
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

fn parameters(model: &Mlp) -> Vec<Array2<f32>> {
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

/// Writes the bytes to a file and loads that; the message of any error must begin with the file's name.
fn load(dir: &TempDir, bytes: &[u8]) -> Result<Mlp, Error> {
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
fn a_file_as_pytorch_writes_it() {
    let dir = tempdir().unwrap();
    let floats = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let (weight, bias) = (floats(&[1.0, 2.0, 3.0, -1.0, -2.0, -3.0]), floats(&[0.5, 0.0]));
    let tensors = [
        ("0.weight", TensorView::new(Dtype::F32, vec![2, 3], &weight).unwrap()),
        ("0.bias", TensorView::new(Dtype::F32, vec![2], &bias).unwrap()),
    ];
    let notes = HashMap::from([("format".into(), "pt".into())]);
    let model = load(&dir, &serialize(tensors, Some(notes.into_iter().collect())).unwrap()).unwrap();
    assert_eq!(parameters(&model), [array![[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]], array![[0.5, 0.0]]]);
    assert_eq!(model.predict(array![[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]].view()).unwrap(), [0, 1]);
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
    // A process has one current directory for all its threads: this test runs once more in a process of its own.
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

/// A file with zeros of these names, types and shapes.
fn zeros(tensors: &[(&str, Dtype, &[usize])]) -> Vec<u8> {
    let data = vec![0; 4096];
    let view = |dtype: Dtype, shape: &[usize]| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        TensorView::new(dtype, shape.into(), &data[..bytes]).unwrap()
    };
    serialize(tensors.iter().map(|(name, dtype, shape)| (*name, view(*dtype, shape))), None).unwrap()
}

#[test]
fn tensors_that_make_no_model() {
    use Dtype::{BOOL, F32, I32, I64, U8};
    let dir = tempdir().unwrap();
    let refused = |tensors: &[(&str, Dtype, &[usize])], name: &str, words: &str| {
        let error = load(&dir, &zeros(tensors)).expect_err("no model");
        assert!(matches!(&error, Error::Model { tensor, .. } if tensor == name), "{name}: {error:?}");
        assert!(error.to_string().ends_with(&format!(": tensor {name}: {words}")), "{error}");
    };
    let (weight, bias) = (("0.weight", F32, &[3, 2][..]), ("0.bias", F32, &[3][..]));
    assert!(load(&dir, &zeros(&[weight, bias])).is_ok());
    assert!(load(&dir, &zeros(&[weight, bias, ("2.weight", F32, &[1, 3]), ("2.bias", F32, &[1])])).is_ok());

    for dtype in [I32, I64, U8, BOOL] {
        let types = "must be of type F32, F64, F16 or BF16";
        refused(&[("0.weight", dtype, &[3, 2]), bias], "0.weight", types);
        refused(&[weight, ("0.bias", dtype, &[3])], "0.bias", types);
    }
    for shape in [&[][..], &[6], &[3, 2, 1], &[1, 3, 2]] {
        refused(&[("0.weight", F32, shape), bias], "0.weight", "must have two dimensions");
    }
    for shape in [&[][..], &[1, 3], &[3, 1]] {
        refused(&[weight, ("0.bias", F32, shape)], "0.bias", "must have one dimension");
    }
    let missing = "is missing; a model has N.weight and N.bias for each layer";
    refused(&[], "0.weight", missing);
    refused(&[bias], "0.weight", missing);
    refused(&[weight], "0.bias", missing);
    refused(&[weight, bias, ("2.weight", F32, &[1, 3])], "2.bias", missing);
    let outputs = "must have a value for each row of the weight before it";
    refused(&[weight, ("0.bias", F32, &[2])], "0.bias", outputs);
    refused(&[weight, bias, ("2.weight", F32, &[4, 3]), ("2.bias", F32, &[3])], "2.bias", outputs);
    let chain = "must have a column for each output of the layer before it";
    refused(&[weight, bias, ("2.weight", F32, &[4, 2]), ("2.bias", F32, &[4])], "2.weight", chain);
    for shape in [[0, 2], [3, 0], [0, 0]] {
        refused(&[("0.weight", F32, &shape), bias], "0.weight", "must not be empty");
    }
    refused(&[weight, ("0.bias", F32, &[0])], "0.bias", "must not be empty");
    // What does not belong there is named itself: also a module of another kind, and a second prefix.
    for name in
        ["extra", "1.weight", "0.Weight", "running_mean", "1.running_mean", "net.1.weight", "01.weight", "-1.bias"]
    {
        let error = load(&dir, &zeros(&[weight, bias, (name, F32, &[3])])).expect_err("no model");
        assert!(matches!(&error, Error::Model { tensor, .. } if tensor == name), "{name}: {error}");
    }
}

/// The bytes of values in one of the types that models come in.
fn bytes_of(dtype: Dtype, values: &[f32]) -> Vec<u8> {
    match dtype {
        Dtype::F64 => values.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect(),
        // Normal numbers with few digits.
        Dtype::F16 => values
            .iter()
            .flat_map(|value| {
                let bits = value.to_bits();
                let exponent = if bits << 1 == 0 { 0 } else { ((bits >> 23 & 0xff) - 112) << 10 };
                ((bits >> 16 & 0x8000 | exponent | bits >> 13 & 0x3ff) as u16).to_le_bytes()
            })
            .collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// A network 2-3-1 with these names and types.
fn sequential(names: [&str; 2], dtype: Dtype) -> Vec<u8> {
    let parts: [(&str, &str, Vec<usize>, &[f32]); 4] = [
        (names[0], "weight", vec![3, 2], &[1.0, -2.0, 0.5, 0.0, 3.0, -1.5]),
        (names[0], "bias", vec![3], &[0.25, -0.5, 0.0]),
        (names[1], "weight", vec![1, 3], &[2.0, 1.0, -4.0]),
        (names[1], "bias", vec![1], &[0.125]),
    ];
    let tensors: Vec<_> = parts
        .iter()
        .map(|(module, kind, shape, values)| (format!("{module}.{kind}"), shape, bytes_of(dtype, values)))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name.as_str(), TensorView::new(dtype, (*shape).clone(), bytes).unwrap()));
    serialize(views, None).unwrap()
}

#[test]
fn modules_without_parameters_leave_gaps_and_names_have_a_prefix() {
    let dir = tempdir().unwrap();
    let want = parameters(&load(&dir, &sequential(["0", "2"], Dtype::F32)).unwrap());
    assert_eq!(want[0], array![[1.0, 0.5, 3.0], [-2.0, 0.0, -1.5]]);
    for names in [
        ["0", "3"],                        // Linear, ReLU, Dropout, Linear
        ["1", "4"],                        // Flatten first
        ["2", "10"],                       // by number, not by spelling
        ["net.0", "net.2"],                // self.net = nn.Sequential(..)
        ["module.net.0", "module.net.12"], // and DataParallel
    ] {
        assert_eq!(parameters(&load(&dir, &sequential(names, Dtype::F32)).unwrap()), want, "{names:?}");
    }
    for (names, stranger) in [
        (["net.0", "2"], "net.0.bias"),
        (["a.0", "b.2"], "b.2.bias"),
        (["fc1", "fc2"], "fc1.bias"),
        (["0", "head"], "head.bias"),
    ] {
        let error = load(&dir, &sequential(names, Dtype::F32)).unwrap_err();
        assert!(matches!(&error, Error::Model { tensor, .. } if tensor == stranger), "{error}");
        assert!(error.to_string().contains("does not belong; a model has N.weight and N.bias"), "{error}");
    }
    // The order is that of the numbers: turned round, the layers do not fit.
    let error = load(&dir, &sequential(["2", "0"], Dtype::F32)).unwrap_err();
    assert!(error.to_string().ends_with("tensor 2.weight: must have a column for each output of the layer before it"));
}

#[test]
fn other_floats_become_f32() {
    let dir = tempdir().unwrap();
    let want = parameters(&load(&dir, &sequential(["0", "2"], Dtype::F32)).unwrap());
    for dtype in [Dtype::F64, Dtype::F16, Dtype::BF16] {
        assert_eq!(parameters(&load(&dir, &sequential(["0", "2"], dtype)).unwrap()), want, "{dtype:?}");
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
