//! Errors of values, options and calls on the CPU path, each with its message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use ndarray::{Array2, array};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use wgpu_mlp::layers::{Dense, Dropout, Init, ReLU, Softmax, SoftmaxCrossEntropy};
use wgpu_mlp::ops::{self, AdamOptions, CrossEntropy};
use wgpu_mlp::{Device, Error, FitOptions, GpuOptions, Label, Matrix, Mlp, Optimizer, Targets};

pub(super) fn zeros(rows: usize, cols: usize) -> Matrix {
    Matrix::zeros(&Device::cpu(), rows, cols).unwrap()
}

pub(super) fn ids(rows: usize, classes: usize) -> Targets {
    Targets::classes(&Device::cpu(), &vec![0u8; rows], classes).unwrap()
}

pub(super) fn shares(rows: usize, classes: usize) -> Targets {
    Targets::distributions(&Device::cpu(), Array2::ones((rows, classes)).view()).unwrap()
}

#[test]
fn nothing_to_work_on() {
    use Error::Empty;
    let cpu = Device::cpu();
    let words = |op, rows, cols| format!("{op}: needs at least one row and one column; got {rows}x{cols}");
    for (rows, cols) in [(0, 4), (3, 0), (0, 0)] {
        let empty = Array2::zeros((rows, cols));
        refused!(Matrix::from_array(&cpu, empty.view()), Empty { op: "matrix", .. }, words("matrix", rows, cols));
        refused!(Matrix::from_slice(&cpu, rows, cols, &[]), Empty { .. }, words("matrix", rows, cols));
        refused!(Matrix::zeros(&cpu, rows, cols), Empty { .. }, words("matrix", rows, cols));
        refused!(Targets::distributions(&cpu, empty.view()), Empty { .. }, words("targets", rows, cols));
    }
    refused!(Targets::classes::<u8>(&cpu, &[], 3), Empty { op: "targets", .. }, words("targets", 0, 3));
    refused!(Targets::classes(&cpu, &[0u8], 0), Empty { op: "targets", .. }, words("targets", 1, 0));
    let mut rng = ChaCha12Rng::seed_from_u64(0);
    refused!(Dense::new(&cpu, 0, 2, &mut rng), Empty { op: "dense", .. }, words("dense", 0, 2));
    refused!(Dense::new(&cpu, 2, 0, &mut rng), Empty { op: "dense", .. }, words("dense", 2, 0));
    refused!(Mlp::new(&cpu, &[4, 0, 3], 0), Empty { .. }, words("dense", 4, 0));
}

#[test]
fn wrong_number_of_values() {
    let cpu = Device::cpu();
    let words = "matrix: 2x3 needs 6 values; got 5";
    refused!(Matrix::from_slice(&cpu, 2, 3, &[0.0; 5]), Error::Length { values: 5, .. }, words);
    refused!(Matrix::from_slice(&cpu, 2, 3, &[0.0; 7]), Error::Length { .. }, "matrix: 2x3 needs 6 values; got 7");
    let huge = format!("matrix: {max}x2 needs {} values; got 4", usize::MAX as u128 * 2, max = usize::MAX);
    refused!(Matrix::from_slice(&cpu, usize::MAX, 2, &[0.0; 4]), Error::Length { .. }, huge);
    // The size of usize::MAX / 2 + 1 rows of 2 overflows to 0.
    assert!(matches!(Matrix::from_slice(&cpu, usize::MAX / 2 + 1, 2, &[]), Err(Error::Length { .. })));
}

fn no_class<L: Label>(labels: [L; 3], class: i128) {
    let words = format!("targets: row 1 has class {class}; classes run from 0 to 9");
    let found = Targets::classes(&Device::cpu(), &labels, 10);
    refused!(found, Error::Target { row: 1, classes: 10, .. }, words);
    let x = Array2::zeros((3, 2));
    let mut model = Mlp::new(&Device::cpu(), &[2, 10], 0).unwrap();
    refused!(model.fit(x.view(), &labels, &FitOptions::default()), Error::Target { row: 1, .. }, words);
    refused!(model.score(x.view(), &labels), Error::Target { row: 1, .. }, words);
}

#[test]
fn labels_that_are_no_class() {
    // The first bad row is named, not the last.
    no_class([9u8, 10, 255], 10);
    no_class([9u16, u16::MAX, 10], u16::MAX.into());
    no_class([9u32, u32::MAX, 10], u32::MAX.into());
    no_class([9u64, u64::MAX, 10], u64::MAX.into());
    no_class([9usize, usize::MAX, 10], usize::MAX as i128);
    no_class([9i8, -1, 127], -1);
    no_class([9i16, i16::MIN, 10], i16::MIN.into());
    no_class([9i32, -1, 10], -1);
    no_class([9i64, i64::MIN, 10], i64::MIN.into());
    no_class([9i64, 1 << 32, 10], 1 << 32); // would be class 0 if it were cut to 32 bits
    let most = format!("targets: needs {} classes; the limit is 4294967196", usize::MAX);
    refused!(Targets::classes(&Device::cpu(), &[0u8], usize::MAX), Error::Limit { .. }, most);
}

#[test]
fn shares_that_are_no_distribution() {
    for (value, name) in [(-0.5, "-0.5"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf"), (f32::NAN, "NaN")] {
        let shares = array![[0.5, 0.5], [1.0, value], [value, 0.0]];
        let words = format!("targets: row 1, column 1 is {name}; a distribution's entries are finite and not negative");
        let found = Targets::distributions(&Device::cpu(), shares.view());
        refused!(found, Error::Distribution { row: 1, col: 1, .. }, words);
    }
}

#[test]
fn options_out_of_range() {
    use Error::Option;
    let head = |options| ops::softmax_cross_entropy(&zeros(2, 3), &ids(2, 3), &options);
    for (label_smoothing, name) in [(-0.5, "-0.5"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        let words = format!("softmax_cross_entropy: label_smoothing must be from 0 to 1; got {name}");
        refused!(head(CrossEntropy { label_smoothing, ..Default::default() }), Option { .. }, words);
    }
    let ignored = "softmax_cross_entropy: ignore_index must be one of the classes; got 3";
    refused!(head(CrossEntropy { ignore_index: Some(3), ..Default::default() }), Option { .. }, ignored);
    let none = "softmax_cross_entropy: ignore_index must be one of the classes; got 4294967295";
    refused!(head(CrossEntropy { ignore_index: Some(u32::MAX), ..Default::default() }), Option { .. }, none);

    let options = CrossEntropy { ignore_index: Some(1), ..Default::default() };
    let words = "softmax_cross_entropy: ignore_index goes with class ids; the targets are distributions";
    let both = ops::softmax_cross_entropy(&zeros(2, 3), &shares(2, 3), &options);
    refused!(both, Error::Combination { op: "softmax_cross_entropy", .. }, words);

    for (rate, name) in [(-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let words = |op| format!("{op}: learning_rate must be at least 0 and finite; got {name}");
        refused!(ops::sgd(&mut zeros(1, 1), &zeros(1, 1), rate), Option { op: "sgd", .. }, words("sgd"));
        let options = FitOptions { optimizer: Optimizer::adam(rate), ..Default::default() };
        let mut model = Mlp::new(&Device::cpu(), &[2, 3], 0).unwrap();
        let fit = model.fit(array![[0.0, 1.0]].view(), &[0u8], &options);
        refused!(fit, Option { op: "adam", .. }, words("adam"));
    }
    for (deviation, name) in [(-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e39, "1e39")] {
        let words = format!("dense: standard_deviation must be from 0 to 3.4e38, the largest f32; got {name}");
        let model = Mlp::with_init(&Device::cpu(), &[2, 3], Init::Normal(deviation), 0);
        refused!(model, Option { op: "dense", .. }, words);
    }
    for widths in [&[][..], &[4][..]] {
        let words = format!("mlp: widths must be at least the inputs and the classes; got {}", widths.len());
        refused!(Mlp::new(&Device::cpu(), widths, 0), Option { op: "mlp", .. }, words);
    }
}

#[test]
fn constants_of_adam() {
    let adam = |change: fn(&mut AdamOptions), step| {
        let mut options = AdamOptions::default();
        change(&mut options);
        ops::adam(&mut zeros(1, 1), &zeros(1, 1), &mut zeros(1, 1), &mut zeros(1, 1), &options, step)
    };
    let beta = |name: &str, value: &str| format!("adam: {name} must be from 0 up to but not including 1; got {value}");
    refused!(adam(|o| o.beta1 = 1.0, 1), Error::Option { .. }, beta("beta1", "1"));
    refused!(adam(|o| o.beta1 = f64::NAN, 1), Error::Option { .. }, beta("beta1", "NaN"));
    refused!(adam(|o| o.beta2 = -0.5, 1), Error::Option { .. }, beta("beta2", "-0.5"));
    refused!(adam(|o| o.epsilon = 0.0, 1), Error::Option { .. }, "adam: epsilon must be positive and finite; got 0");
    refused!(adam(|_| {}, 0), Error::Option { option: "step", .. }, "adam: step must be at least 1; got 0");
    assert!(adam(|o| (o.learning_rate, o.beta1, o.beta2) = (0.0, 0.0, 0.0), u64::MAX).is_ok());
}

#[test]
fn backward_before_forward() {
    let dy = zeros(1, 2);
    let mut dense = Dense::from_parameters(zeros(3, 2), zeros(1, 2)).unwrap();
    let words = |call: &str| format!("{call} needs a forward pass first");
    refused!(dense.backward(&dy), Error::NoForward { layer: "dense", call: "backward" }, words("dense: backward"));
    refused!(dense.backward_parameters(&dy), Error::NoForward { .. }, words("dense: backward_parameters"));
    dense.infer(&zeros(1, 3)).unwrap(); // keeps nothing
    refused!(dense.backward(&dy), Error::NoForward { .. }, words("dense: backward"));
    refused!(ReLU::new().backward(&dy), Error::NoForward { .. }, words("relu: backward"));
    refused!(Softmax::new().backward(&dy), Error::NoForward { .. }, words("softmax: backward"));
    refused!(Dropout::new(0.5, 7).backward(&dy), Error::NoForward { .. }, words("dropout: backward"));
    let loss = SoftmaxCrossEntropy::new();
    refused!(loss.backward(), Error::NoForward { .. }, words("softmax_cross_entropy: backward"));
    refused!(loss.output(), Error::NoForward { .. }, words("softmax_cross_entropy: output"));
    refused!(loss.stats(), Error::NoForward { .. }, words("softmax_cross_entropy: stats"));
}

/// Dropout chooses elements by their index, so with a gradient of another shape it would choose other elements.
#[test]
fn a_gradient_of_another_shape_than_dropout_had() {
    let mut dropout = Dropout::new(0.5, 7);
    for training in [true, false] {
        dropout.forward(&zeros(2, 1), training).unwrap();
        let words = "dropout: both shapes must be equal; got 2x1 and 1x2";
        refused!(dropout.backward(&zeros(1, 2)), Error::Shape { op: "dropout", .. }, words);
        assert!(dropout.backward(&zeros(2, 1)).is_ok());
    }
}

#[test]
fn memory_that_runs_out_is_counted_where_the_driver_counts_it() {
    let words = |bytes| Error::OutOfMemory { bytes, source: None }.to_string();
    assert_eq!(words(4096), "out of device memory: 4096 bytes could not be had");
    assert_eq!(words(0), "out of device memory; the driver does not say how much was wanted");
}

#[test]
fn models_given_the_wrong_data() {
    use Error::Shape;
    let mut model = Mlp::new(&Device::cpu(), &[4, 5, 3], 0).unwrap();
    let (wide, fine, none) = (Array2::zeros((2, 6)), Array2::zeros((2, 4)), Array2::zeros((0, 4)));
    let words = |op| format!("{op}: features must have a column for each input of the first layer; got 2x6 and 4x5");
    refused!(model.predict(wide.view()), Shape { op: "predict", .. }, words("predict"));
    refused!(model.predict_proba(wide.view()), Shape { op: "predict_proba", .. }, words("predict_proba"));
    refused!(model.score(wide.view(), &[0u8; 2]), Shape { op: "score", .. }, words("score"));
    refused!(model.fit(wide.view(), &[0u8; 2], &FitOptions::default()), Shape { op: "fit", .. }, words("fit"));
    let words = |op| format!("{op}: there must be a label for each row; got 2x4 and 3x1");
    refused!(model.score(fine.view(), &[0u8; 3]), Shape { op: "score", .. }, words("score"));
    refused!(model.fit(fine.view(), &[0u8; 3], &FitOptions::default()), Shape { op: "fit", .. }, words("fit"));
    let words = "fit: needs at least one row and one column; got 0x4";
    refused!(model.fit::<u8>(none.view(), &[], &FitOptions::default()), Error::Empty { op: "fit", .. }, words);
    let words = "predict: needs at least one row and one column; got 0x4";
    refused!(model.predict(none.view()), Error::Empty { op: "predict", .. }, words);
    let options = FitOptions { batch: 0, ..Default::default() };
    let words = "fit: batch must be at least 1; got 0";
    refused!(model.fit(fine.view(), &[0u8; 2], &options), Error::Option { option: "batch", .. }, words);
    let options = FitOptions { batch: usize::MAX, epochs: 1, ..Default::default() };
    assert!(model.fit(fine.view(), &[0u8; 2], &options).is_ok());
}

#[test]
fn an_adapter_that_does_not_exist() {
    let options = GpuOptions { adapter_name: Some("no such adapter".into()), ..Default::default() };
    let error = Device::gpu_with(&options).expect_err("an error");
    let Error::NoAdapter { wanted, found } = &error else { panic!("another variant: {error:?}") };
    assert!(wanted.starts_with("an adapter with \"no such adapter\" in its name on "), "{wanted}");
    let list = if found.is_empty() { "none".into() } else { found.join(", ") };
    assert_eq!(error.to_string(), format!("no GPU adapter: looked for {wanted}; found {list}"));
}

/// A process has one value of a variable for all its threads, so another process has the variable.
#[test]
fn the_option_counts_if_the_variable_names_another_adapter() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "errors::an_adapter_that_does_not_exist"]).env("WGPU_ADAPTER_NAME", "another adapter");
    let output = child.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && words.contains("1 passed"), "{words}");
}

#[test]
fn constants_that_only_f64_can_hold() {
    let device = Device::cpu();
    let zeros = || Matrix::zeros(&device, 1, 1).unwrap();
    let (mut w, dw, mut m, mut v) = (zeros(), zeros(), zeros(), zeros());
    assert!(matches!(ops::sgd(&mut w, &dw, 1e39), Err(Error::Option { option: "learning_rate", .. })));
    for options in [
        AdamOptions { epsilon: 1e-300, ..Default::default() },
        AdamOptions { learning_rate: 1e39, ..Default::default() },
    ] {
        assert!(matches!(ops::adam(&mut w, &dw, &mut m, &mut v, &options, 1), Err(Error::Option { .. })));
    }
    assert_eq!(w.to_array().unwrap()[[0, 0]], 0.0);
}
