//! Model files that other programs write: names, types and shapes of tensors that are a model, and those that are not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;

use ndarray::array;
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use tempfile::tempdir;
use wgpu_mlp::Error;

use super::files::{load, parameters};

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
    // The error names a tensor that does not belong in the file, also one of another kind of module, or one with a second
    // prefix.
    for name in
        ["extra", "1.weight", "0.Weight", "running_mean", "1.running_mean", "net.1.weight", "01.weight", "-1.bias"]
    {
        let error = load(&dir, &zeros(&[weight, bias, (name, F32, &[3])])).expect_err("no model");
        assert!(matches!(&error, Error::Model { tensor, .. } if tensor == name), "{name}: {error}");
    }
}

/// A file that PyTorch's `torch.save` wrote instead of `safetensors.torch.save_file`.
#[test]
fn an_archive_of_pytorch() {
    let error = load(&tempdir().unwrap(), b"PK\x03\x04\0\0\x08\x08\0\0archive/data.pkl").unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    let words = "in PyTorch: safetensors.torch.save_file(tensors, file); got a zip archive, as torch.save writes it";
    assert!(error.to_string().ends_with(words), "{error}");
}

/// The bytes of values in one of the types that model files may have.
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
    // The layers have the order of their numbers; in reverse order they do not fit each other.
    let error = load(&dir, &sequential(["2", "0"], Dtype::F32)).unwrap_err();
    assert!(error.to_string().ends_with("tensor 2.weight: must have a column for each output of the layer before it"));
}

/// The state of an `nn.Linear` by itself. With further tensors, or with other names, it would not be clear what the file holds.
#[test]
fn a_single_layer_needs_no_number() {
    use Dtype::F32;
    let dir = tempdir().unwrap();
    for words in ["", "classifier.", "net.head."] {
        let [weight, bias] = ["weight", "bias"].map(|kind| format!("{words}{kind}"));
        let (weight, bias) = ((weight.as_str(), F32, &[3, 2][..]), (bias.as_str(), F32, &[3][..]));
        let model = load(&dir, &zeros(&[weight, bias])).unwrap();
        assert_eq!((model.inputs(), model.classes()), (2, 3), "{words}");
        let further = ("z.weight", F32, &[3, 2][..]);
        assert!(matches!(load(&dir, &zeros(&[weight, bias, further])), Err(Error::Model { .. })), "{words}");
    }
    for [weight, bias] in [["a.weight", "b.bias"], ["weight", "a.bias"], ["aweight", "abias"], ["weight", "biases"]] {
        let file = zeros(&[(weight, F32, &[3, 2]), (bias, F32, &[3])]);
        assert!(matches!(load(&dir, &file), Err(Error::Model { .. })), "{weight} {bias}");
    }
}

#[test]
fn other_floats_become_f32() {
    let dir = tempdir().unwrap();
    let want = parameters(&load(&dir, &sequential(["0", "2"], Dtype::F32)).unwrap());
    for dtype in [Dtype::F64, Dtype::F16, Dtype::BF16] {
        assert_eq!(parameters(&load(&dir, &sequential(["0", "2"], dtype)).unwrap()), want, "{dtype:?}");
    }
}
